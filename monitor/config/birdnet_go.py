"""A second copy of each detection, for those who listen to BirdNET-Go."""

from typing import Annotated

import msgspec


class BirdnetGo(msgspec.Struct, frozen=True):
    """Publish each detection in BirdNET-Go's field names too, so that what was written for it works unchanged."""

    topic: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s\x00]+$", description="as in BirdNET-Go's settings")] = (
        "birdnet"
    )

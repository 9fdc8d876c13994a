"""Several messages in one."""

from typing import Annotated

import msgspec


class Batching(msgspec.Struct, frozen=True):
    """Messages wait for each other and go as one, compressed, to the topic `batches`."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=1000, description="messages in one at most")] = 100
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=86_400, description="for which one may wait for others")] = 600.0

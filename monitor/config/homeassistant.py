"""What Home Assistant is shown. Nothing, unless this section is there."""

from typing import Annotated

import msgspec


class HomeAssistant(msgspec.Struct, frozen=True):
    """Sensors that Home Assistant finds by itself, over the same broker."""

    prefix: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s\x00]+$", description="of its discovery topics")] = (
        "homeassistant"
    )
    species: Annotated[
        list[str], msgspec.Meta(description="names; each has a sensor that is on while it is heard")
    ] = []
    off_delay_s: Annotated[float, msgspec.Meta(ge=1, le=3600, description="after a species was last heard")] = 30.0

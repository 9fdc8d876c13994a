"""Where the station is."""

from typing import Annotated

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where the station is: for sunrise and sunset, and for who uses its records."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90, description="degrees, north is positive")] | None = None
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180, description="degrees, east is positive")] | None = None
    timezone: Annotated[str, msgspec.Meta(description="of the schedule: UTC, +02:00 or Europe/Berlin")] = "UTC"

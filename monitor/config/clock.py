"""Who is asked what time it is, beside the system."""

from typing import Annotated

import msgspec

from monitor.config.values import Port


class Timekeeping(msgspec.Struct, frozen=True):
    """Who is asked what time it is, beside the system."""

    gpsd_host: Annotated[str, msgspec.Meta(description="asked if it runs there; null: never")] | None = "localhost"
    gpsd_port: Port = 2947

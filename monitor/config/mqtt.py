"""Where detections are published to."""

from typing import Annotated

import msgspec

from monitor.config.values import Port


class Mqtt(msgspec.Struct, frozen=True):
    """The broker that detections are published to."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "localhost"
    port: Port = 1883
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s\x00]+$", description="first levels of every topic")] = (
        "dawnchorus"
    )
    username: str | None = None
    password_file: Annotated[str, msgspec.Meta(description="file whose first line is the password")] | None = None
    tls: bool = False
    ca_file: Annotated[str, msgspec.Meta(description="certificate authority; null: the system's")] | None = None
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30

"""Who may tell the station what to do. Nobody, unless this section is there."""

from typing import Annotated

import msgspec

from monitor.config.broker import Credential


class Commands(msgspec.Struct, frozen=True):
    """Commands over MQTT, from whoever has the key: 32 characters or more, in one of three places."""

    key_credential: Credential | None = None
    key_file: Annotated[str, msgspec.Meta(min_length=1, description="its first line is the key")] | None = None
    key_variable: Annotated[str, msgspec.Meta(min_length=1, description="of the environment")] | None = None

    def __post_init__(self) -> None:
        """Refuse none and several: ValueError."""
        if sum(where is not None for where in (self.key_credential, self.key_file, self.key_variable)) != 1:
            msg = "exactly one of key_credential, key_file and key_variable expected"
            raise ValueError(msg)

"""Where a broker is, and what it is shown."""

from typing import Annotated

import msgspec

from monitor.config.values import Port

Credential = Annotated[str, msgspec.Meta(pattern=r"^[^/\x00]+$", description="of systemd, by its name")]


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A broker. There is no key for a password or for what else is secret, only for the places to read it from."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "localhost"
    port: Port = 1883
    username: str | None = None
    username_credential: Credential | None = None
    username_file: Annotated[str, msgspec.Meta(description="file whose first line is the user")] | None = None
    username_variable: Annotated[str, msgspec.Meta(description="of the environment")] | None = None
    password_credential: Credential | None = None
    password_file: Annotated[str, msgspec.Meta(description="file whose first line is the password")] | None = None
    password_variable: Annotated[str, msgspec.Meta(description="of the environment")] | None = None
    tls: bool = False
    ca_file: Annotated[str, msgspec.Meta(description="certificate authorities; null: the system's")] | None = None
    cert_file: Annotated[str, msgspec.Meta(description="certificate that the station shows")] | None = None
    key_file: Annotated[str, msgspec.Meta(description="its private key; null: it is in cert_file")] | None = None
    websocket_path: Annotated[str, msgspec.Meta(pattern=r"^/\S*$", description="null: no websockets")] | None = None

    def __post_init__(self) -> None:
        """Refuse what no single key can say: ValueError."""
        for ways in (self._users(), self._passwords()):
            if len(ways) > 1:
                msg = f"{' and '.join(ways)} exclude each other: one of them expected"
                raise ValueError(msg)
        if self._passwords() and not self._users():
            msg = f"{self._passwords()[0]} without a user: username expected beside it"
            raise ValueError(msg)
        if not self.tls and (files := self._given("ca_file", "cert_file", "key_file")):
            msg = f"{files[0]} says that the connection is encrypted, tls that it is not: tls: true expected"
            raise ValueError(msg)
        if self.key_file is not None and self.cert_file is None:
            msg = "key_file without its certificate: cert_file expected beside it"
            raise ValueError(msg)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def _users(self) -> list[str]:
        return self._given("username", "username_credential", "username_file", "username_variable")

    def _passwords(self) -> list[str]:
        return self._given("password_credential", "password_file", "password_variable")

    def _given(self, *keys: str) -> list[str]:
        return [key for key in keys if getattr(self, key) is not None]

"""What a station is told, and what it answers."""

from typing import Annotated, Literal

import msgspec

from monitor.messages.delivered import SCHEMA
from monitor.messages.states import HealthMessage, StatusMessage

LONGEST_S = 86_400
"""for which a command may hold"""

CommandId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Argument = str | int | float | None


class CommandMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """<prefix>/<station>/command, where the station listens to commands; never retained.

    `hmac` is the HMAC-SHA256, in hexadecimal, of all other fields under the station's key. They are signed in this
    form: JSON in UTF-8, keys in order, no blanks, and no escapes beyond those that JSON needs. Python's
    `json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` writes it so.
    """

    schema: int = SCHEMA
    id: CommandId
    """another for each command: none is obeyed twice"""
    station: str
    """who is told: what one station was told cannot be sent to another"""
    command: Literal["status", "mark", "mute", "threshold", "replay"]
    issued_utc: str
    expires_s: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_S)]
    """after `issued_utc`; then it is not obeyed any more"""
    arguments: dict[str, Argument] = {}
    """mark: text. mute: seconds, and species or null for all. threshold: species, and threshold or null for what is
    configured. replay: first, and last or null for all there is"""
    hmac: str = ""


class ResponseMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/response, at QoS 1: what became of a command."""

    schema: int = SCHEMA
    id: str
    """of the command"""
    station: str
    ok: bool
    error: str | None = None
    """one sentence; null where it was obeyed"""
    status: StatusMessage | None = None
    """of the command `status`"""
    health: HealthMessage | None = None
    """of the command `status`, as it is now; null where nobody knows"""

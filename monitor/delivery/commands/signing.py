"""Who may tell a station what to do: whoever has its key. `CommandMessage` says what is signed, and how."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from monitor.errors import CommandError
from monitor.messages.commands import Argument, CommandMessage

LARGEST_BYTES = 4096
"""of a command"""

Fields: TypeAlias = Mapping[str, Argument | dict[str, Argument]]


def sign(key: bytes, command: CommandMessage) -> bytes:
    """A command as it is sent."""
    fields = msgspec.structs.asdict(command)
    return msgspec.json.encode(fields | {"hmac": _signature(key, fields)})


def verified(key: bytes, payload: bytes) -> CommandMessage:
    """What was sent, where it was signed with this key: nothing is looked at before that is certain.

    CommandError, without anything of what was sent, where it is too large, not signed with the key, or no command.
    """
    if len(payload) > LARGEST_BYTES:
        msg = f"it has {len(payload)} bytes: at most {LARGEST_BYTES} expected"
        raise CommandError(msg)
    try:
        fields = msgspec.json.decode(payload, type=dict[str, Argument | dict[str, Argument]])
        expected = _signature(key, fields)
    except (ValueError, RecursionError) as error:
        msg = "it is no JSON object of plain values"
        raise CommandError(msg) from error
    if not hmac.compare_digest(expected.encode(), str(fields.get("hmac")).encode(errors="replace")):
        msg = "it is not signed with the key of this station"
        raise CommandError(msg)
    try:
        return msgspec.convert(fields, CommandMessage)
    except msgspec.ValidationError as error:
        msg = f"it is no command: {error}"
        raise CommandError(msg) from error


def _signature(key: bytes, fields: Fields) -> str:
    signed = {name: value for name, value in fields.items() if name != "hmac"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

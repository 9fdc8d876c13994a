"""What arrives from a fleet, read: numbered messages, words on how a station fares, and what cannot be read."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

import msgspec

from monitor.delivery.batches import LEVEL as BATCHES
from monitor.delivery.batches import unpack
from monitor.errors import UNDECODABLE, MessageError
from monitor.messages import SCHEMA, CorrectionMessage, HealthMessage, StatusMessage
from monitor.messages.channels import CHANNELS
from monitor.messages.delivered import Delivered

DELIVERED: dict[str, type[Delivered]] = {
    channel.level: channel.message for channel in CHANNELS if issubclass(channel.message, Delivered)
}
"""what is numbered, by the last level of its topic"""
WORDS: dict[str, type[StatusMessage | HealthMessage]] = {"status": StatusMessage, "health": HealthMessage}

S = TypeVar("S", bound=msgspec.Struct)

DIGEST_BYTES = 16
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)", re.ASCII)
LARGEST_INTEGER = 2**62
"""far from where a database or a sum of them ends"""


@dataclass(frozen=True, slots=True)
class Number:
    """What a message is known by."""

    station: str
    sequence: int
    """at the station, from 1"""
    digest: bytes
    """stands for its id: `DIGEST_BYTES` bytes"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A numbered message."""

    level: str
    message: Delivered
    number: Number


@dataclass(frozen=True, slots=True)
class Unread:
    """What cannot be read, as it came."""

    topic: str
    payload: bytes
    reason: str
    number: Number | None = None
    """where it still shows one, it counts as received"""


@dataclass(frozen=True, slots=True)
class Word:
    """How a station fares: the last one counts, and none is numbered."""

    message: StatusMessage | HealthMessage
    retained: bool
    """said some time ago, nobody knows when"""


Item = Letter | Unread | Word


class _Header(msgspec.Struct):
    """What every schema of a message of a station has."""

    schema: int
    station: str
    id: str = ""
    sequence: int = 0


def read(topic: str, payload: bytes, *, retained: bool = False) -> list[Item]:
    """What a publication on `<prefix>/<station>/<level>` says; a batch says several things, an empty one nothing."""
    if not payload:
        return []  # so a station's doctor asks whether it may write a topic
    base, _, level = topic.rpartition("/")
    if level != BATCHES:
        return [_read(topic, payload, retained=retained)]
    try:
        messages = unpack(payload)
    except MessageError as error:
        return [Unread(topic, payload, str(error))]
    # the broker vouches for the topic of a batch, nobody for what it says inside
    return [
        _read(f"{base}/{inner}", message, retained=retained)
        if inner in DELIVERED
        else Unread(topic, message, f"level {inner!r} in a batch: expected one of {', '.join(DELIVERED)}")
        for inner, message in messages
    ]


def digest(*words: str | bytes) -> bytes:
    """A few bytes that stand for some words."""
    whole = b"\0".join(word if isinstance(word, bytes) else word.encode() for word in words)
    return blake2b(whole, digest_size=DIGEST_BYTES).digest()


def moment(text: str) -> datetime | None:
    """A time in UTC as RFC 3339; None for what is none."""
    try:
        return datetime.fromisoformat(text) if _RFC3339.fullmatch(text) else None
    except ValueError:
        return None


def _read(topic: str, payload: bytes, *, retained: bool) -> Item:
    _, station, level = ("", "", *topic.split("/"))[-3:]
    number = None
    try:
        header = _decode(payload, _Header)
        if header.station != station:
            # the broker vouches for who may write to a topic, nobody for what the payload says
            msg = f"station {header.station!r}: {station!r} expected, whose topic it is"
            raise MessageError(msg)
        number = _number(header, level)
        if header.schema > SCHEMA:
            msg = f"schema {header.schema}: at most {SCHEMA} expected, this program knows no newer one"
            raise MessageError(msg)
        if b"\\u0000" in payload:
            msg = "a NUL in its text, which no database holds"
            raise MessageError(msg)
        if level in WORDS:
            return Word(_fit(_decode(payload, WORDS[level])), retained)
        return _letter(level, payload, number)
    except MessageError as error:
        return Unread(topic, payload, str(error), number)


def _letter(level: str, payload: bytes, number: Number | None) -> Letter:
    if level not in DELIVERED:
        msg = f"topic level {level!r}: expected one of {', '.join(DELIVERED)}"
        raise MessageError(msg)
    message = _fit(_decode(payload, DELIVERED[level]))
    if number is None:
        msg = f"sequence {message.sequence}: at least 1 expected"
        raise MessageError(msg)
    return Letter(level, message, number)


def _decode(payload: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(payload, type=kind)
    except UNDECODABLE as error:
        raise MessageError(str(error)) from error


def _number(header: _Header, level: str) -> Number | None:
    """What a message is known by. A correction has the id of what it corrects: its number makes it its own."""
    if level not in DELIVERED or not 1 <= header.sequence <= LARGEST_INTEGER:
        return None
    own = f"{header.id}/{header.sequence}" if DELIVERED[level] is CorrectionMessage else header.id
    return Number(header.station, header.sequence, digest(header.station, level, own))


def _fit(message: S) -> S:
    """A message whose values are what their names say. Raises MessageError."""
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, msgspec.Struct):
            _fit(value)
        elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            msg = f"{name} {value}: no such number expected"
            raise MessageError(msg)
        elif name.endswith("_utc") and value is not None and moment(value) is None:
            msg = f"{name} {value!r}: a time of UTC as RFC 3339 expected"
            raise MessageError(msg)
    return message

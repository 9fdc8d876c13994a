"""Messages as rows: which columns a type has, and what stands in them."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from monitor.fleet.letters import DELIVERED
from monitor.messages import DroppedMessage
from monitor.messages.delivered import Delivered

Cell = str | int | float | bool | bytes | None


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    TIME = "time"
    """UTC as RFC 3339"""
    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    kind: Kind


_KINDS: dict[type[msgspec.inspect.Type], Kind] = {
    msgspec.inspect.StrType: Kind.TEXT,
    msgspec.inspect.LiteralType: Kind.TEXT,
    msgspec.inspect.IntType: Kind.INTEGER,
    msgspec.inspect.FloatType: Kind.REAL,
    msgspec.inspect.BoolType: Kind.BOOLEAN,
}
_ADDED = (Column("generation", Kind.INTEGER), Column("received_utc", Kind.TIME))
"""what the collector knows of each message: of which store of its station it is, the first being 1, and when it came"""


def columns(message: type[Delivered]) -> tuple[Column, ...]:
    """One for each field, and two that the collector adds. What has a structure of its own is JSON."""
    described = msgspec.inspect.type_info(message)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(message)
    return tuple(Column(field.encode_name, _kind(field)) for field in described.fields) + _ADDED


def _kind(field: msgspec.inspect.Field) -> Kind:
    if field.name.endswith("_utc"):
        return Kind.TIME
    options = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
    kinds = {
        _KINDS.get(type(option), Kind.JSON) for option in options if not isinstance(option, msgspec.inspect.NoneType)
    }
    return kinds.pop() if len(kinds) == 1 else Kind.JSON


TABLES: dict[str, tuple[Column, ...]] = {
    **{level: columns(message) for level, message in DELIVERED.items() if message is not DroppedMessage},
    "rejected": (
        Column("topic", Kind.TEXT),
        Column("payload", Kind.BYTES),
        Column("reason", Kind.TEXT),
        Column("received_utc", Kind.TIME),
    ),
}
"""what is kept for its readers, by the level of its topic; `rejected` is what cannot be read, as it came"""


def cells(message: Delivered, generation: int, received_utc: str) -> tuple[Cell, ...]:
    """A message as a row of its table."""
    values = (getattr(message, name) for name in message.__struct_fields__)
    return (*(_cell(value) for value in values), generation, received_utc)


def _cell(value: object) -> Cell:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return msgspec.json.encode(value).decode()

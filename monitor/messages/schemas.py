"""Message types -> JSON Schemas, each field with what stands below it in the source and with its unit."""

import ast
import inspect
import itertools
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from monitor.messages.delivered import SCHEMA

DIALECT = "https://json-schema.org/draft/2020-12/schema"
UTC_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
UNITS = {
    "_utc": "RFC 3339, UTC with milliseconds",
    "_s": "seconds",
    "_dbfs": "dB relative to full scale",
    "_c": "degrees Celsius",
}
"""what the end of a field's name says"""

Schema = dict[str, Any]


def schema(message: type[msgspec.Struct]) -> Schema:
    """The JSON Schema (2020-12) of one message, complete in itself."""
    parts = components([message], "#/$defs")
    own = parts.pop(message.__name__)
    return {"$schema": DIALECT, **own, **({"$defs": parts} if parts else {})}


def components(messages: Sequence[type[msgspec.Struct]], place: str) -> dict[str, Schema]:
    """The schemas of messages and of all that they hold, by name. They refer to each other at `place`/{name}."""
    _, found = msgspec.json.schema_components(messages, ref_template=f"{place}/{{name}}")
    structs = {struct.__name__: struct for message in messages for struct in _structs(message)}
    return {name: _described(one, structs[name]) for name, one in found.items()}


def _described(bare: Schema, struct: type[msgspec.Struct]) -> Schema:
    """A schema with what its type says in words. `schema` is always there, and says which one this is."""
    remarks = _remarks(struct)
    properties = {name: one | _words(name, remarks.get(name)) for name, one in bare["properties"].items()}
    described = bare | {"description": inspect.getdoc(struct), "properties": properties}
    if "schema" in properties:
        properties["schema"] = {"const": SCHEMA, "description": "counts incompatible changes"}
        described["required"] = ["schema", *bare.get("required", ())]
    return described


def _words(name: str, remark: str | None) -> Schema:
    unit = next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None)
    said = ": ".join(part for part in (unit, remark) if part)
    words: Schema = {"description": said} if said else {}
    if name.endswith("_utc"):
        words |= {"format": "date-time", "pattern": UTC_PATTERN}
    return words


def _remarks(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The text below each field, which Python itself forgets."""
    own = struct.__mro__[: struct.__mro__.index(msgspec.Struct)]
    return {name: text for one in reversed(own) for name, text in _texts(ast.parse(inspect.getsource(one)))}


def _texts(source: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in source.body:
        for field, below in itertools.pairwise(getattr(statement, "body", ())):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    yield name, inspect.cleandoc(text)


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:  # noqa: ANN401
    """All structured types within a type."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
        within = tuple(typing.get_type_hints(hint).values())
    else:
        within = typing.get_args(hint)
    for one in within:
        yield from _structs(one)

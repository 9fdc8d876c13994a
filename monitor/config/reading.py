"""A file or text -> settings, or one sentence that says what is wrong with it."""

import difflib
import re
import reprlib
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from monitor.config.settings import Config
from monitor.errors import ConfigError

SYSTEM_FILE = Path("/etc/dawnchorus/config.yaml")

T = TypeVar("T", bound=msgspec.Struct)


def load(path: Path | None) -> Config:
    """Read a configuration file; without one the system's, or else the defaults. Raises ConfigError."""
    if path is None:
        return load(SYSTEM_FILE) if SYSTEM_FILE.exists() else Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"configuration {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg) from error
    try:
        return parse(text)
    except ConfigError as error:
        msg = f"configuration {path}: {error}"
        raise ConfigError(msg) from error


def parse(text: str) -> Config:
    """Read a configuration from YAML text. ConfigError names the key, the value and what is allowed."""
    return parse_as(text, Config)


def parse_as(text: str, struct: type[T]) -> T:
    """Read any typed structure from YAML text. ConfigError names the key, the value and what is allowed."""
    try:
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"not YAML: {_misread(error)}"
        raise ConfigError(msg) from None  # its own text quotes the line, which may hold a secret
    settings = {} if settings is None else settings
    if not isinstance(settings, dict):
        msg = f"expected keys and values, got {_shown(settings)}"
        raise ConfigError(msg)
    _check_keys(settings, struct, "")
    try:
        return msgspec.convert(settings, struct)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), settings, struct)) from error


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Config)}


def _check_keys(settings: dict[Any, Any], struct: type[msgspec.Struct], path: str) -> None:
    """Refuse unknown keys; a section that is named but left empty has its defaults."""
    hints = typing.get_type_hints(struct)
    tag_field = struct.__struct_config__.tag_field
    known = [*hints, *([tag_field] if tag_field else [])]
    for key, value in list(settings.items()):
        where = f"{path}.{key}" if path else str(key)
        if key not in known:
            msg = f"unknown key {where!r}: {_meant_key(str(key), known)} Known here: {', '.join(known)}"
            raise ConfigError(msg)
        if value is None and _structs_of(hints.get(key)):
            del settings[key]
        else:
            _check_value(value, hints.get(key), where)


def _check_value(value: Any, hint: Any, where: str) -> None:  # noqa: ANN401
    """Refuse unknown keys in what is one section or a list of them."""
    if isinstance(value, dict) and (structs := _structs_of(hint)):
        _check_keys(value, _meant(structs, value, where), where)
    elif isinstance(value, list) and typing.get_origin(hint) is list:
        for index, item in enumerate(value):
            _check_value(item, typing.get_args(hint)[0], f"{where}[{index}]")


def _meant_key(key: str, known: list[str]) -> str:
    """What may have been meant by a key that is none; a secret stands elsewhere, and some keys say where."""
    if f"{key}_credential" in known:
        places = [name for name in known if name.startswith(f"{key}_")]
        return f"everybody can read it here; name the place that it is in with {' or '.join(places)}."
    return f"did you mean {difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]!r}?"


class _Brief(reprlib.Repr):
    """Shows the beginning of what is long or nested: a few aliases of YAML stand for a billion values."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxstring, self.maxother = 2, 12, 400, 400

    def repr_int(self, x: int, level: int) -> str:
        del level
        return repr(x) if abs(x) < 1 << 128 else "a number of very many digits"


def _shown(value: object) -> str:
    return _Brief().repr(value)


def _misread(error: Exception) -> str:
    """What YAML says, and where, in one line."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return " ".join(str(error).split())
    return f"{problem}, line {mark.line + 1}, column {mark.column + 1}"


def _structs_of(hint: Any) -> list[type[msgspec.Struct]]:  # noqa: ANN401
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return [o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)]


def _meant(structs: list[type[msgspec.Struct]], value: dict[Any, Any], where: str) -> type[msgspec.Struct]:
    """The struct that a mapping stands for; among several the one that its tag names."""
    if len(structs) == 1:
        return structs[0]
    tag_field = structs[0].__struct_config__.tag_field
    tags = {str(s.__struct_config__.tag): s for s in structs}
    tag = value.get(tag_field)
    if not isinstance(tag, str) or tag not in tags:
        found = _shown(tag)
        near = difflib.get_close_matches(found.strip("'"), tags, n=1, cutoff=0.0)[0]
        msg = f"{where}.{tag_field} is {found}: expected {' or '.join(tags)}; did you mean {near!r}?"
        raise ConfigError(msg)
    return tags[tag]


def _explained(message: str, settings: dict[str, Any], whole: type[msgspec.Struct]) -> str:
    """The sentence of msgspec, with the key in front, what is allowed and the value that was found there."""
    problem, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    value: Any = settings
    struct: type[msgspec.Struct] | None = whole
    allowed = ""
    for key in re.findall(r"\w+", place):
        hint = typing.get_type_hints(struct).get(key) if struct else None
        value = value[int(key)] if isinstance(value, list) else value.get(key) if isinstance(value, dict) else value
        structs = _structs_of(hint)
        struct = _meant(structs, value, place) if structs and isinstance(value, dict) else None
        if typing.get_origin(hint) is Literal:
            allowed = f", expected one of {', '.join(typing.get_args(hint))}"
    return f"{place or 'top level'}: {problem}{allowed}, got {_shown(value)}"

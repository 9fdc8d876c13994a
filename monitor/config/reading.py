"""A file or text -> settings, or one sentence that says what is wrong with it."""

import difflib
import re
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
        msg = f"not YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    settings = {} if settings is None else settings
    if not isinstance(settings, dict):
        msg = f"expected keys and values, got {settings!r}"
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
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
            msg = f"unknown key {where!r}: did you mean {near!r}? Known here: {', '.join(known)}"
            raise ConfigError(msg)
        structs = _structs_of(hints.get(key))
        if value is None and structs:
            del settings[key]
        elif isinstance(value, dict) and structs:
            _check_keys(value, _meant(structs, value, where), where)


def _structs_of(hint: Any) -> list[type[msgspec.Struct]]:  # noqa: ANN401
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return [o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)]


def _meant(structs: list[type[msgspec.Struct]], value: dict[Any, Any], where: str) -> type[msgspec.Struct]:
    """The struct that a mapping stands for; among several the one that its tag names."""
    if len(structs) == 1:
        return structs[0]
    tag_field = structs[0].__struct_config__.tag_field
    tags = {str(s.__struct_config__.tag): s for s in structs}
    tag = str(value.get(tag_field))
    if tag not in tags:
        near = difflib.get_close_matches(tag, tags, n=1, cutoff=0.0)[0]
        msg = f"{where}.{tag_field} is {value.get(tag_field)!r}: expected {' or '.join(tags)}; did you mean {near!r}?"
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
    return f"{place or 'top level'}: {problem}{allowed}, got {value!r}"

"""YAML -> frozen, typed settings. A key or value that is not allowed is an error that says what is."""

import difflib
import os
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from monitor.errors import ConfigError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
TopicLevel = Annotated[str, msgspec.Meta(pattern=r"^[^+#/\s\x00]{1,64}$", description="letters, no + # / or blanks")]

SYSTEM_FILE = Path("/etc/dawnchorus/config.yaml")


class MicrophoneSource(msgspec.Struct, frozen=True, tag_field="kind", tag="microphone"):
    """Listen to a sound card."""

    device: Annotated[str, msgspec.Meta(description="its name or part of it; empty: the default input")] = ""
    sample_rate: Annotated[int, msgspec.Meta(ge=4000, le=768000)] | None = None


class RecordingsSource(msgspec.Struct, frozen=True, tag_field="kind", tag="recordings"):
    """Play recordings as if a microphone heard them, then stop."""

    paths: list[str]
    speed: Annotated[float, msgspec.Meta(gt=0, description="times real time")] | None = None
    timezone: Annotated[str, msgspec.Meta(description="of times in file names that do not say")] | None = None


class Detecting(msgspec.Struct, frozen=True):
    """When a species counts as heard."""

    step_s: Annotated[float, msgspec.Meta(gt=0, le=86_400, description="seconds between the starts of windows")] = 1.0
    threshold: Annotated[Share, msgspec.Meta(description="for all labels; null: the model's own")] | None = None
    thresholds: Annotated[dict[str, Share], msgspec.Meta(description="by label, scientific or common name")] = {}
    hysteresis: Share = 0.1
    max_duration_s: Positive = 60.0


class Store(msgspec.Struct, frozen=True):
    """Where detections are kept."""

    directory: Annotated[str, msgspec.Meta(description="empty: the service's state directory")] = ""
    outbox_rows: Annotated[int, msgspec.Meta(ge=1, description="unsent messages kept at most")] = 1_000_000


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


class Config(msgspec.Struct, frozen=True):
    """Everything a station can be told. There is no audio-feature setting: the model file knows them."""

    station: TopicLevel = "station"
    source: MicrophoneSource | RecordingsSource = MicrophoneSource()
    model: Annotated[str, msgspec.Meta(description="model file; null: the bundled one")] | None = None
    detection: Detecting = Detecting()
    store: Store = Store()
    mqtt: Mqtt = Mqtt()
    log: Literal["debug", "info", "warning", "error"] = "info"


TEMPLATE = """\
# Dawn Chorus. Every key may be left out; what stands here is the default, and
# `dawnchorus config schema` describes them all.

station: station            # names this station in topics; no blanks, + # or /

source:
  kind: microphone
  device: ""                # part of its name as `dawnchorus devices` shows it; empty: the default input
# source:                   # or play recordings as if they were heard now
#   kind: recordings
#   paths: [/srv/recordings]

model: null                 # path of another model file; null: the bundled one

detection:
  step_s: 1.0               # seconds between windows
  threshold: null           # 0 to 1 for all species; null: the model's own
  thresholds: {}            # for single species, such as {Parus major: 0.7}

store:
  directory: ""             # empty: the service's state directory

mqtt:
  host: localhost
  port: 1883
  prefix: dawnchorus        # topics are <prefix>/<station>/detections, effort and status
  username: null
  password_file: null       # file whose first line is the password
  tls: false
"""


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
    try:
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"not YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    settings = {} if settings is None else settings
    if not isinstance(settings, dict):
        msg = f"expected keys and values, got {settings!r}"
        raise ConfigError(msg)
    _check_keys(settings, Config, "")
    try:
        config = msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), settings)) from error
    return config


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Config)}


def state_directory(config: Config) -> Path:
    """Where the store lies: as configured, as systemd says, or in the user's home."""
    if config.store.directory:
        return Path(config.store.directory)
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "dawnchorus"


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


def _explained(message: str, settings: dict[str, Any]) -> str:
    """The sentence of msgspec, with the key in front, what is allowed and the value that was found there."""
    problem, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    value: Any = settings
    struct: type[msgspec.Struct] | None = Config
    allowed = ""
    for key in re.findall(r"\w+", place):
        hint = typing.get_type_hints(struct).get(key) if struct else None
        value = value[int(key)] if isinstance(value, list) else value.get(key) if isinstance(value, dict) else value
        structs = _structs_of(hint)
        struct = _meant(structs, value, place) if structs and isinstance(value, dict) else None
        if typing.get_origin(hint) is Literal:
            allowed = f", expected one of {', '.join(typing.get_args(hint))}"
    return f"{place or 'top level'}: {problem}{allowed}, got {value!r}"

"""Settings from YAML: what is allowed is read, and everything else is one clear sentence."""

import contextlib
import logging
import re
import string
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import reading as configuration
from monitor.config.detection import Detecting
from monitor.config.mqtt import Mqtt
from monitor.config.reading import load, parse, schema
from monitor.config.settings import Config, Store, state_directory
from monitor.config.source import MicrophoneSource, RecordingsSource
from monitor.config.template import TEMPLATE
from monitor.errors import ConfigError

modest = settings(derandomize=True, deadline=None, max_examples=150)

SECTIONS: dict[str, type[msgspec.Struct]] = {"": Config, "detection": Detecting, "store": Store, "mqtt": Mqtt}
EXAMPLE = """
station: hedge-7
source: {kind: recordings, paths: [a.wav, b], speed: 2, timezone: Europe/Berlin}
model: other.onnx
detection: {step_s: 0.5, threshold: 0.6, thresholds: {Parus major: 0.7}, hysteresis: 0, max_duration_s: 5}
store: {directory: /srv/birds, outbox_rows: 10}
mqtt: {host: broker, port: 8883, prefix: a/b, username: x, password_file: p, tls: true, ca_file: c, keepalive_s: 60}
log: debug
"""


def refusal(text: str) -> str:
    """Return the sentence with which a configuration is refused."""
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_template_is_the_defaults() -> None:
    assert parse(TEMPLATE) == Config()


def test_the_template_names_every_key_of_its_sections_that_a_beginner_needs() -> None:
    beginners = set(Config.__struct_fields__) - {"sources", "privacy", "log"}
    assert yaml.safe_load(TEMPLATE).keys() == beginners


def test_the_recordings_of_the_template_may_take_the_place_of_the_microphone() -> None:
    before, _, after = TEMPLATE.partition("source:\n  kind: microphone")
    [offered] = re.findall(r"^# (source):.*\n#(   kind: recordings)\n#(   paths: .*)\n", after, flags=re.MULTILINE)
    text = before + "{}:\n{}\n{}\n\n".format(*offered) + after.partition("\n\n")[2]
    assert parse(text) == Config(source=RecordingsSource(["/srv/recordings"]))


def test_every_setting_is_read() -> None:
    assert parse(EXAMPLE) == Config(
        station="hedge-7",
        source=RecordingsSource(["a.wav", "b"], 2, "Europe/Berlin"),
        model="other.onnx",
        detection=Detecting(0.5, 0.6, {"Parus major": 0.7}, 0, 5),
        store=Store("/srv/birds", 10),
        mqtt=Mqtt(
            host="broker",
            port=8883,
            prefix="a/b",
            username="x",
            password_file="p",  # noqa: S106 a path
            tls=True,
            ca_file="c",
            keepalive_s=60,
        ),
        log="debug",
    )


@pytest.mark.parametrize("text", ["", "# nothing but a comment", "---", "null", "{}"])
def test_an_empty_file_is_the_defaults(text: str) -> None:
    assert parse(text) == Config()


@pytest.mark.parametrize("section", ["source", "detection", "store", "mqtt"])
def test_a_section_left_empty_has_its_defaults(section: str) -> None:
    assert parse(f"{section}:") == Config()


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("sation: x", "sation", "station"),
        ("Station: x", "Station", "station"),
        ("modell: x", "modell", "model"),
        ("detections: {}", "detections", "detection"),
        ("species: {excluded: []}", "species.excluded", "exclude"),
        ("detection: {treshold: 0.5}", "detection.treshold", "threshold"),
        ("detection: {step: 1}", "detection.step", "step_s"),
        ("detection: {max_duration: 1}", "detection.max_duration", "max_duration_s"),
        ("mqtt: {hosts: x}", "mqtt.hosts", "host"),
        ("mqtt: {user_name: x}", "mqtt.user_name", "username"),
        ("mqtt: {brokers: [{host: a}, {hots: b}]}", "mqtt.brokers[1].hots", "host"),
        ("store: {dir: x}", "store.dir", "directory"),
        ("source: {kind: microphone, devise: x}", "source.devise", "device"),
        ("source: {kind: recordings, path: x}", "source.path", "paths"),
        ("source: {kind: recordings, paths: [], time_zone: x}", "source.time_zone", "timezone"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(text: str, key: str, nearest: str) -> None:
    assert f"unknown key {key!r}: did you mean {nearest!r}? Known here: " in refusal(text)


@pytest.mark.parametrize("section", SECTIONS)
@modest
@given(key=st.text(string.ascii_letters + string.digits + "_-. ", max_size=12))
def test_any_unknown_key_is_refused_with_all_that_are_known(section: str, key: str) -> None:
    known = SECTIONS[section].__struct_fields__
    if key in known:
        return
    message = refusal(yaml.safe_dump({section: {key: 1}} if section else {key: 1}))
    assert repr(f"{section}.{key}" if section else key) in message
    assert message.endswith(f"Known here: {', '.join(known)}")


def test_the_keys_of_one_source_are_unknown_to_the_other() -> None:
    assert "unknown key 'source.paths'" in refusal("source: {kind: microphone, paths: [a]}")
    assert "unknown key 'source.device'" in refusal("source: {kind: recordings, paths: [a], device: x}")


@pytest.mark.parametrize(
    ("text", "key", "value", "allowed"),
    [
        ("station: a/b", "station", "'a/b'", "matching regex"),
        ("station: two words", "station", "'two words'", "matching regex"),
        ("station: ''", "station", "''", "matching regex"),
        ("station: 7", "station", "7", "Expected `str`"),
        ("station: null", "station", "None", "Expected `str`"),
        ("model: 7", "model", "7", "Expected `str | array | null`"),
        ("model: [a, 1]", "model[1]", "1", "Expected `str`"),
        ("species: {include: rook}", "species.include", "'rook'", "Expected `array`"),
        ("species: {week: 49}", "species.week", "49", "<= 48"),
        ("log: verbose", "log", "'verbose'", "one of debug, info, warning, error"),
        ("log: off", "log", "False", "one of debug, info, warning, error"),
        ("detection: 5", "detection", "5", "Expected `object`"),
        ("detection: {step_s: 0}", "detection.step_s", "0", "> 0.0"),
        ("detection: {step_s: .nan}", "detection.step_s", "nan", "> 0.0"),
        ("detection: {step_s: fast}", "detection.step_s", "'fast'", "Expected `float`"),
        ("detection: {threshold: 1.1}", "detection.threshold", "1.1", "<= 1.0"),
        ("detection: {threshold: -0.1}", "detection.threshold", "-0.1", ">= 0.0"),
        ("detection: {thresholds: {Parus major: 7}}", "detection.thresholds", "{'Parus major': 7}", "<= 1.0"),
        ("detection: {hysteresis: 2}", "detection.hysteresis", "2", "<= 1.0"),
        ("detection: {max_duration_s: -1}", "detection.max_duration_s", "-1", "> 0.0"),
        ("store: {outbox_rows: 0}", "store.outbox_rows", "0", ">= 1"),
        ("store: {outbox_rows: 1.5}", "store.outbox_rows", "1.5", "Expected `int`"),
        ("mqtt: {host: ''}", "mqtt.host", "''", "length >= 1"),
        ("mqtt: {port: 70000}", "mqtt.port", "70000", "<= 65535"),
        ("mqtt: {port: '1883'}", "mqtt.port", "'1883'", "Expected `int`"),
        ("mqtt: {prefix: a/#}", "mqtt.prefix", "'a/#'", "matching regex"),
        ("mqtt: {tls: 1}", "mqtt.tls", "1", "Expected `bool`"),
        ("mqtt: {keepalive_s: 4}", "mqtt.keepalive_s", "4", ">= 5"),
        ("source: microphone", "source", "'microphone'", "Expected `object`"),
        ("source: {kind: microphone, sample_rate: 100}", "source.sample_rate", "100", ">= 4000"),
        ("source: {kind: recordings, paths: a.wav}", "source.paths", "'a.wav'", "Expected `array`"),
        ("source: {kind: recordings, paths: [a.wav, 1]}", "source.paths[1]", "1", "Expected `str`"),
        ("source: {kind: recordings, paths: [], speed: 0}", "source.speed", "0", "> 0.0"),
        ("source: {kind: recordings}", "source", "{'kind': 'recordings'}", "required field `paths`"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(
    text: str, key: str, value: str, allowed: str
) -> None:
    message = refusal(text)
    assert message.startswith(key)
    assert allowed in message
    assert message.endswith(f"got {value}")


@pytest.mark.parametrize(
    ("text", "found", "nearest"),
    [
        ("source: {kind: microfone}", "'microfone'", "microphone"),
        ("source: {kind: recording, paths: [a]}", "'recording'", "recordings"),
        ("source: {paths: [a]}", "None", "microphone"),
    ],
)
def test_an_unknown_kind_of_source_is_refused_with_the_nearest(text: str, found: str, nearest: str) -> None:
    message = refusal(text)
    assert message.startswith(f"source.kind is {found}: expected microphone or pipe or network or recordings")
    assert message.endswith(f"did you mean {nearest!r}?")


@pytest.mark.parametrize("text", ["- a", "just words", "7", "[]"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert "expected keys and values, got " in refusal(text)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tstation: x", "station: !!python/name:os.system", "? [a]\n: b"])
def test_what_is_no_yaml_is_refused_with_the_line(text: str) -> None:
    assert re.search(r"^not YAML: .*line 1, column \d", refusal(text))


@modest
@given(text=st.text(alphabet="abk:{}[],'\"!&*|>%@#-? \n\t0123456789.\0é", max_size=40))
def test_no_text_gives_anything_but_settings_or_a_refusal(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text), Config)


@modest
@given(
    key=st.sampled_from([f"{section}.{key}" for section, of in SECTIONS.items() for key in of.__struct_fields__]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner),
        max_leaves=4,
    ),
)
def test_no_value_gives_anything_but_settings_or_a_refusal(key: str, value: object) -> None:
    section, _, name = key.partition(".")
    text = yaml.safe_dump({section: {name: value}} if section else {name: value})
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text), Config)


@pytest.mark.parametrize("text", ["station: 2026-13-45", "station: 2026-02-30 25:00:00"])
def test_a_date_that_is_none_is_refused(text: str) -> None:
    assert "not YAML" in refusal(text)


@pytest.mark.parametrize("key", ["step_s", "max_duration_s"])
def test_a_length_without_end_is_refused(key: str) -> None:
    assert refusal(f"detection: {{{key}: .inf}}").startswith(f"detection.{key}")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().station = "other"  # type: ignore[misc]


def test_the_schema_is_a_json_schema_and_accepts_the_template_and_every_setting() -> None:
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema())
    for text in (TEMPLATE, EXAMPLE, "{}"):
        validator(schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "station: a/b",
        "log: verbose",
        "detection: {threshold: 1.1}",
        "mqtt: {port: 70000}",
        "source: {kind: microfone}",
        "source: {kind: recordings}",
    ],
)
def test_the_schema_refuses_the_values_that_the_program_refuses(text: str) -> None:
    refusal(text)
    assert not jsonschema.Draft202012Validator(schema()).is_valid(yaml.safe_load(text))


def test_the_schema_knows_every_key_and_its_default() -> None:
    definitions = schema()["$defs"]
    for struct in (Config, Detecting, Store, Mqtt, MicrophoneSource, RecordingsSource):
        assert set(struct.__struct_fields__) <= set(definitions[struct.__name__]["properties"])
    assert definitions["Mqtt"]["properties"]["port"]["default"] == 1883


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("station: Häuschen", encoding="utf-8")
    assert load(path) == Config(station="Häuschen")


@pytest.mark.parametrize("content", [b"station: \xff", b"sation: x", b"a: ["])
def test_a_file_that_is_refused_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"configuration {path}")):
        load(path)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_without_a_file_the_systems_counts_or_else_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    monkeypatch.setattr(configuration, "SYSTEM_FILE", path)
    assert load(None) == Config()
    path.write_text("station: system", encoding="utf-8")
    assert load(None) == Config(station="system")


def test_the_state_lies_where_it_is_configured_or_where_systemd_says_or_at_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/bird")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert state_directory(Config()) == Path("/home/bird/.local/state/dawnchorus")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/bird/state")
    assert state_directory(Config()) == Path("/home/bird/state/dawnchorus")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/dawnchorus:/var/lib/other")
    assert state_directory(Config()) == Path("/var/lib/dawnchorus")
    assert state_directory(Config(store=Store("/srv/birds"))) == Path("/srv/birds")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_log_level_is_one_of_pythons(level: str) -> None:
    assert parse(f"log: {level}").log == level
    assert isinstance(logging.getLevelName(level.upper()), int)

"""What is published against what was promised: the schemas are frozen, and every message fits its own."""

import copy
import json
import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from command import dawnchorus
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import ROOT, Broker, Daemon, Subscriber, configure, kept, recordings, song, until
from test_store import built, opened

from monitor.errors import MonitorError
from monitor.messages import SCHEMA
from monitor.messages import published as module
from monitor.messages.asyncapi import document
from monitor.messages.channels import CHANNELS, Channel
from monitor.messages.published import ASYNCAPI, generated, incompatible, published, renew
from monitor.messages.schemas import UTC_PATTERN, schema

VALIDATORS = {channel.level: jsonschema.Draft202012Validator(published()[channel.level]) for channel in CHANNELS}

modest = settings(derandomize=True, deadline=None, max_examples=100)


def test_the_schemas_are_those_that_were_published() -> None:
    """Types that say something else were changed without `python -m monitor.messages.published`, or break a promise."""
    now, before = generated(), published()
    assert [what for name, one in before.items() for what in incompatible(one, now.get(name))] == []
    assert now == before, "added to: write the schemas anew with: python -m monitor.messages.published"


def test_every_version_that_ever_was_is_still_there() -> None:
    assert {path.name for path in module.FOLDER.iterdir()} == {str(number + 1) for number in range(SCHEMA)}


BEFORE = {
    "title": "Tit",
    "properties": {"id": {"type": "string"}, "size_m": {"type": "number"}, "colour": {"type": "string", "default": ""}},
    "required": ["id", "size_m"],
    "$defs": {"Nest": {"title": "Nest", "properties": {"eggs": {"type": "integer"}}}},
}

Change = tuple[str, Any]
"""where, with dots, and what stands there then; None takes it away"""


def changed(*changes: Change) -> dict[str, Any]:
    """The schema with changes."""
    after = copy.deepcopy(BEFORE)
    for path, value in changes:
        *way, last = path.split(".")
        place: Any = after
        for key in way:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return after


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ([], []),
        ([("properties.sex", {"type": "string"})], []),
        ([("properties.id.description", "explained at last")], []),
        ([("$defs.Egg", {"title": "Egg", "properties": {}})], []),
        (
            [("properties.sex", {"type": "string"}), ("required", ["id", "size_m", "sex"])],
            ["Tit.sex is no longer or newly required"],
        ),
        ([("properties.colour", None)], ["Tit.colour is gone"]),
        ([("properties.size_m.type", "integer")], ["Tit.size_m is another"]),
        ([("properties.colour.default", "blue")], ["Tit.colour is another"]),
        ([("required", ["id"])], ["Tit.size_m is no longer or newly required"]),
        ([("$defs.Nest.properties.eggs", {"type": "string"})], ["Nest.eggs is another"]),
        ([("$defs", None)], ["Nest is gone"]),
    ],
)
def test_a_field_may_be_added_that_need_not_be_there_and_nothing_else_may_change(
    changes: list[Change], broken: list[str]
) -> None:
    assert incompatible(BEFORE, changed(*changes)) == broken


def test_a_message_that_is_gone_is_a_broken_promise() -> None:
    assert incompatible(BEFORE, None) == ["it is gone"]


def test_a_topic_may_be_added_but_none_may_be_retained_or_delivered_otherwise() -> None:
    now = document(CHANNELS)
    assert incompatible(document(CHANNELS[1:]), now) == []
    status, *others = CHANNELS
    assert incompatible(now, document(others)) == ["send_status is another"]
    assert incompatible(now, document([replace(status, retained=False), *others])) == ["send_status is another"]


def test_additions_are_written_and_what_would_break_a_promise_is_refused(tmp_path: Path) -> None:
    renew(tmp_path)
    assert published(tmp_path) == generated()
    path = tmp_path / str(SCHEMA) / "detections.json"
    frozen = json.loads(path.read_text(encoding="utf-8"))

    del frozen["properties"]["backfilled"]
    path.write_text(json.dumps(frozen), encoding="utf-8")
    renew(tmp_path)
    assert published(tmp_path) == generated()

    frozen["properties"]["colour"] = {"type": "string"}
    path.write_text(json.dumps(frozen), encoding="utf-8")
    with pytest.raises(MonitorError, match=r"detections: DetectionMessage\.colour is gone; raise SCHEMA"):
        renew(tmp_path)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.level)
def test_each_schema_says_which_it_is_and_explains_itself(channel: Channel) -> None:
    own = schema(channel.message)
    jsonschema.Draft202012Validator.check_schema(own)
    assert own["properties"]["schema"]["const"] == SCHEMA
    assert "schema" in own["required"]
    assert f"<prefix>/<station>/{channel.level}" in own["description"]
    for part in (own, *own.get("$defs", {}).values()):
        for name, one in part["properties"].items():
            described = one.get("description", "")
            assert described.startswith("seconds") == name.endswith("_s"), name
            assert (one.get("pattern") == UTC_PATTERN) == name.endswith("_utc")


def test_an_inherited_field_is_explained_as_the_message_means_it() -> None:
    fields = published()["corrections"]["properties"]
    assert fields["id"]["description"] == "of the message that was published with another time, or none"
    assert fields["sequence"] == published()["detections"]["properties"]["sequence"]


def any_of(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401
    """Values of a type; times as they are written."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return messages(hint)
    if hint is msgspec.Raw:
        return st.just(msgspec.Raw(b"{}"))
    if typing.get_origin(hint) is list:
        return st.lists(any_of(typing.get_args(hint)[0]), max_size=2)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(st.text(), any_of(typing.get_args(hint)[1]), max_size=2)
    if typing.get_args(hint) and typing.get_origin(hint) is not typing.Literal:
        return st.one_of([any_of(one) for one in typing.get_args(hint)])
    return st.floats(allow_nan=False, allow_infinity=False) if hint is float else st.from_type(hint)


def messages(struct: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Messages of a type, with any values in their fields."""
    hints = typing.get_type_hints(struct)
    times = st.just("2026-05-01T04:12:07.250Z")
    return st.builds(
        struct,
        **{name: times if name.endswith("_utc") else any_of(hint) for name, hint in hints.items() if name != "schema"},
    )


@modest
@given(message=st.one_of([messages(channel.message) for channel in CHANNELS if not channel.heard]))
def test_whatever_the_fields_hold_a_message_fits_its_schema_and_reads_back(message: msgspec.Struct) -> None:
    level = next(channel.level for channel in CHANNELS if channel.message is type(message))
    text = msgspec.json.encode(message)
    VALIDATORS[level].validate(json.loads(text))
    assert msgspec.json.decode(text, type=type(message)) == message


@pytest.mark.parametrize(
    "change",
    [{"onset_utc": "2026-05-01 04:12:07"}, {"confidence": "0.9"}, {"schema": SCHEMA + 1}, {"sequence": 1.5}],
)
def test_a_schema_refuses_another_message(change: dict[str, Any]) -> None:
    own = {
        "schema": SCHEMA,
        "id": "0d9f4b0e-8a5e-5a0a-9a39-9ed7c40ab0c5",
        "station": "valley",
        "sequence": 1,
        "recording": "garden.wav",
        "onset_utc": None,
        "offset_utc": None,
        "clock_quality": "unknown",
        "onset_s": 1.0,
        "offset_s": 4.0,
        "label": "parus_major",
        "scientific_name": "Parus major",
        "common_name": "Great Tit",
        "confidence": 0.9,
        "model": "starter",
    }
    assert VALIDATORS["detections"].is_valid(own)
    assert not VALIDATORS["detections"].is_valid(own | change)


def resolved(whole: dict[str, Any], part: object) -> int:
    """How many references there are, each of which leads somewhere."""
    if isinstance(part, list):
        return sum(resolved(whole, one) for one in part)
    if not isinstance(part, dict):
        return 0
    if "$ref" in part:
        place: Any = whole
        for key in part["$ref"].removeprefix("#/").split("/"):
            place = place[key]
        return 1
    return sum(resolved(whole, one) for one in part.values())


def test_the_asyncapi_document_holds_each_topic_with_its_promise_and_its_schema() -> None:
    whole = published()[ASYNCAPI]
    assert whole["asyncapi"] == "3.0.0"
    assert resolved(whole, whole) >= 4 * len(CHANNELS)
    for channel in CHANNELS:
        operation = whole["operations"][f"{'receive' if channel.heard else 'send'}_{channel.level}"]
        bindings = operation["bindings"]["mqtt"]
        assert (bindings["qos"], bindings["retain"]) == (channel.qos, channel.retained)
        address = whole["channels"][channel.level]["address"]
        assert address == f"{{prefix}}/{{station}}/{channel.level}"
        alone = published()[channel.level]["properties"]
        within = whole["components"]["schemas"][channel.message.__name__]["properties"]
        assert json.dumps(alone).replace("#/$defs", "#/components/schemas") == json.dumps(within)


def test_what_a_real_daemon_publishes_fits_the_schemas(tmp_path: Path, broker: Broker, subscriber: Subscriber) -> None:
    mqtt = {"host": "127.0.0.1", "port": broker.port, "lifecycle": True, "live": {"floor": 0.0}}
    source = recordings(song(tmp_path / "20260501_041200.wav"), speed=3.0)
    with Daemon(configure(tmp_path, source, broker.port, mqtt=mqtt)) as daemon:
        assert daemon.ended() == 0
    until(lambda: "offline" in subscriber.states(), "the station's last word")
    received = [message for message in subscriber.received() if message.level in VALIDATORS]
    for message in received:
        VALIDATORS[message.level].validate(message.content)
    levels = {message.level for message in received}
    assert levels == {"status", "detections", "effort", "lifecycle", "live", "health"}


def test_what_a_full_outbox_holds_fits_the_schemas(tmp_path: Path) -> None:
    store = opened(tmp_path, 3)
    for number in range(9):
        store.add(built(number))
    store.close()
    rows = kept(tmp_path)["outbox"]
    for row in rows:
        VALIDATORS[row["topic"]].validate(json.loads(row["payload"]))
    assert {row["topic"] for row in rows} == {"detections", "dropped"}


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.level)
def test_each_example_of_the_documentation_fits_its_schema(channel: Channel) -> None:
    page = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {channel.level}\n")[1]
    VALIDATORS[channel.level].validate(json.loads(section.split("```json\n")[1].split("```")[0]))


def test_the_command_prints_what_is_published(tmp_path: Path) -> None:
    assert json.loads(dawnchorus("messages", "effort").stdout) == published()["effort"]
    listed = dawnchorus("messages").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [f"<prefix>/<station>/{channel.level}" for channel in CHANNELS]
    assert dawnchorus("messages", "--output", str(tmp_path / "schemas")).returncode == 0
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "schemas").iterdir()}
    assert written == published()


def test_the_command_says_what_there_is_and_where_it_cannot_write(tmp_path: Path) -> None:
    refused = dawnchorus("messages", "birds")
    assert refused.returncode == 78
    assert "'birds' is none; expected asyncapi, " in refused.stderr
    (tmp_path / "file").touch()
    assert "cannot be written" in dawnchorus("messages", "-o", str(tmp_path / "file")).stderr

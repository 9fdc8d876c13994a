"""Detections that are told of while they last: what is worth telling, when, and what of it reaches a consumer."""

import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import LONGEST_STOP_S, Broker, Daemon, Subscriber, configure, kept, recordings, song, until
from test_store import TIT, opened

from monitor.classifier import Classifier
from monitor.clock import Quality, SampleClock
from monitor.effort import Minutes
from monitor.messages import DetectionMessage, LifecycleMessage
from monitor.records import Detection
from monitor.sinks.keeping import StoreSink, detection_message
from monitor.sinks.lifecycle import EVERY_S, RISE, Change, Lifecycle
from monitor.sinks.origin import Origin

RATE = 100
START = datetime(2026, 5, 1, 4, 30, tzinfo=UTC)
ORIGIN = Origin("valley", "mic", SampleClock(RATE, START, Quality.NTP), "starter")

modest = settings(derandomize=True, deadline=None, max_examples=100)


def so_far(offset_s: float, confidence: float = 0.6, number: int = 1) -> Detection:
    """A great tit that began at 0 s."""
    return Detection(str(uuid.UUID(int=number)), "parus_major", TIT, 0, round(offset_s * RATE), confidence)


def told(lifecycle: Lifecycle, *steps: Sequence[Detection]) -> list[list[str]]:
    """What is told of at each step."""
    return [[change.type for change in lifecycle.lasting(detections)] for detections in steps]


def test_an_update_is_told_when_the_confidence_rose_enough_or_after_every_ten_seconds_and_not_each_window() -> None:
    lifecycle = Lifecycle(RATE)
    offsets_s = range(3, 26)
    steps = [[so_far(offset_s, 0.6 if offset_s < 8 else 0.71)] for offset_s in offsets_s]
    said = dict(zip(offsets_s, told(lifecycle, *steps), strict=True))
    assert {offset_s: types for offset_s, types in said.items() if types} == {3: ["new"], 8: ["update"], 18: ["update"]}


@modest
@given(
    steps=st.lists(
        st.lists(st.tuples(st.integers(1, 3), st.integers(0, 400), st.integers(0, 16)), max_size=3), max_size=30
    )
)
def test_each_message_says_what_the_one_before_it_said_and_no_change_worth_telling_is_kept_back(
    steps: list[list[tuple[int, int, int]]],
) -> None:
    lifecycle, last = Lifecycle(RATE), dict[str, Detection]()
    now: dict[int, Detection] = {}
    for step in steps:
        for number, longer, higher in step:
            before = now.get(number, so_far(0, 0.0, number))
            offset_s, confidence = (before.offset_sample + longer) / RATE, max(before.confidence, higher / 16)
            now[number] = so_far(offset_s, confidence, number)
        changes = list(lifecycle.lasting(list(now.values())))
        for change in changes:
            assert change.before == last.get(change.after.id)
            assert change.type == ("update" if change.before else "new")
            last[change.after.id] = change.after
        for detection in now.values():
            assert detection.confidence < last[detection.id].confidence + RISE
            assert detection.offset_sample < last[detection.id].offset_sample + EVERY_S * RATE
    for detection in now.values():
        assert lifecycle.complete(detection) == Change("end", last[detection.id], detection)


def test_a_message_that_is_tried_again_has_the_same_id_and_no_two_messages_share_one() -> None:
    changes = [
        Change("new", None, so_far(3)),
        Change("update", so_far(3), so_far(4, 0.8)),
        Change("end", so_far(4, 0.8), so_far(4, 0.8)),
    ]
    first, again = ([change.message(ORIGIN)(number).id for change in changes] for number in (1, 5))
    assert first == again
    assert len(set(first)) == len(changes)


def messages(rows: Sequence[dict[str, Any]]) -> list[DetectionMessage | LifecycleMessage]:
    """What waits in an outbox, in order."""
    types = {"detections": DetectionMessage, "lifecycle": LifecycleMessage}
    return [msgspec.json.decode(row["payload"], type=types[row["topic"]]) for row in rows if row["topic"] in types]


def test_the_end_is_kept_with_the_detection_right_behind_it_and_says_the_same(tmp_path: Path) -> None:
    store = opened(tmp_path)
    sink = StoreSink(store, ORIGIN, Minutes(RATE, lambda sample: sample + 60 * RATE), Lifecycle(RATE))
    sink.lasting([so_far(3)])
    sink.lasting([so_far(5)])
    sink.handle(so_far(5, 0.62))
    store.close()
    new, detection, end = messages(kept(tmp_path)["outbox"])
    assert [message.sequence for message in (new, detection, end)] == [1, 2, 3]
    assert isinstance(new, LifecycleMessage)
    assert isinstance(detection, DetectionMessage)
    assert isinstance(end, LifecycleMessage)
    assert (new.type, new.before, end.type) == ("new", None, "end")
    assert end.before == new.after
    said = msgspec.structs.asdict(end.after)
    assert {name: getattr(detection, name) for name in said} == said
    assert (end.after.onset_utc, end.after.offset_s) == ("2026-05-01T04:30:00.000Z", 5.0)


def test_a_detection_and_its_end_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    store, end = opened(tmp_path), Change("end", so_far(3), so_far(5)).message(ORIGIN)
    full = True

    def told_end(sequence: int) -> LifecycleMessage:
        if full:
            msg = "database or disk is full"
            raise sqlite3.OperationalError(msg)
        return end(sequence)

    store.add(lambda sequence: detection_message(ORIGIN, so_far(5), sequence), None, told_end)
    tables = kept(tmp_path)
    assert (tables["detections"], tables["outbox"]) == ([], [])
    full = False
    store.close()
    tables = kept(tmp_path)
    assert len(tables["detections"]) == 1
    assert [row["topic"] for row in tables["outbox"]] == ["detections", "lifecycle"]


def test_nothing_is_told_where_nobody_asked(tmp_path: Path) -> None:
    store = opened(tmp_path)
    sink = StoreSink(store, ORIGIN, Minutes(RATE, lambda sample: sample + 60 * RATE))
    sink.lasting([so_far(3)])
    sink.handle(so_far(5))
    store.close()
    assert [row["topic"] for row in kept(tmp_path)["outbox"]] == ["detections"]


def test_a_consumer_hears_of_a_call_while_it_lasts_and_of_its_pieces_one_after_the_other(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    """The great tit sings from 1.0 to 5.5 s; a detection is cut after 4 s."""
    window_s, step_s = Classifier().contract.window_s, 1.0
    config = configure(
        tmp_path,
        recordings(song(tmp_path / "song.wav", 3, 12), speed=2.0),
        broker.port,
        mqtt={"host": "127.0.0.1", "port": broker.port, "lifecycle": True},
        detection={"step_s": step_s, "threshold": 0.5, "max_duration_s": 4.0},
    )
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    detections = {row["id"]: row for row in kept(tmp_path / "store")["detections"]}
    until(lambda: len([m for m in subscriber.received() if m.level == "detections"]) == len(detections), "all")
    levels = [m.level for m in subscriber.received()]
    lives = [
        msgspec.json.decode(m.payload, type=LifecycleMessage) for m in subscriber.received() if m.level == "lifecycle"
    ]
    assert lives[0].type == "new"
    assert lives[0].after.offset_s <= 1.0 + window_s + step_s, "the first window that holds the beginning is enough"
    assert levels.index("lifecycle") < levels.index("detections")
    assert len(detections) > 1
    by_id = {life.after.id: [one for one in lives if one.after.id == life.after.id] for life in lives}
    assert by_id.keys() == detections.keys()
    for detection_id, life in by_id.items():
        assert [one.type for one in life] == ["new", *["update"] * (len(life) - 2), "end"]
        end = life[-1].after
        assert (end.onset_s, end.offset_s, end.confidence) == pytest.approx(
            tuple(detections[detection_id][name] for name in ("onset_s", "offset_s", "confidence"))
        )
    ends = [(one.type, one.after.id) for one in lives if one.type != "update"]
    assert ends == [(type_, detection_id) for detection_id in by_id for type_ in ("new", "end")], "never two at once"


def test_a_daemon_that_dies_leaves_a_beginning_and_says_offline_and_a_consumer_that_comes_back_knows(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    config = configure(
        tmp_path,
        recordings(song(tmp_path / "song.wav", 3, 9), speed=1.0),
        broker.port,
        mqtt={"host": "127.0.0.1", "port": broker.port, "lifecycle": True},
        detection={"threshold": 0.5},
    )
    with Daemon(config) as daemon:
        until(lambda: [m for m in subscriber.received() if m.level == "lifecycle"], "the beginning")
        daemon.process.kill()
    until(lambda: subscriber.states()[-1:] == ["offline"], "its last will")
    with Daemon(config) as daemon:
        until(lambda: subscriber.states()[-1:] == ["online"], "it is back")
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    started = [m.content["started_utc"] for m in subscriber.received() if m.level == "status"]
    assert len(set(started)) == 2, "what was open when this changed is over"

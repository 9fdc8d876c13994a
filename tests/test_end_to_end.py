"""The whole line as a user runs it: the installed command, a real broker, a subscriber, real recordings."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rigs import (
    LONGEST_STOP_S,
    STATION,
    TABLES,
    Broker,
    Daemon,
    Received,
    Subscriber,
    Supervisor,
    configure,
    free_port,
    kept,
    recordings,
    retained_status,
    run,
    song,
    until,
)

from monitor.sinks.rows import MOMENTS_COLUMNS

SINGERS = {
    "sylvia_atricapilla": "Sylvia atricapilla",
    "athene_noctua": "Athene noctua",
    "corvus_frugilegus": "Corvus frugilegus",
}


def first_recording(folder: Path) -> Path:
    """The first one by name."""
    return min(folder.glob("*.ogg"))


def same_as_kept(received: list[Received], tables: dict[str, list[dict[str, Any]]]) -> None:
    """Fail unless a subscriber received each row once, in order, without a hole, and nothing else."""
    rows = {table: {row["id"]: row for row in tables[table]} for table in TABLES}
    assert [message.content["sequence"] for message in received] == list(range(1, len(received) + 1))
    assert len(received) == sum(len(tables[table]) for table in TABLES)
    for message in received:
        content = message.content
        assert message.topic == f"dawnchorus/{STATION}/{message.level}"
        assert (content.pop("schema"), content.pop("station")) == (1, STATION)
        del content["backfilled"]
        row = rows[message.level].pop(content["id"])
        assert content == {name: cell for name, cell in row.items() if name not in MOMENTS_COLUMNS}
    assert not any(rows.values())


def test_a_subscriber_receives_of_real_recordings_exactly_what_the_store_holds(
    real_recordings: Path, broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    birds = {name: first_recording(real_recordings / "birds" / "recordings" / name) for name in SINGERS}
    rain = first_recording(real_recordings / "negatives" / "rain")
    config = configure(tmp_path, recordings(*birds.values(), rain), broker.port)
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()

    tables = kept(tmp_path / "store")
    until(lambda: "offline" in subscriber.states(), "the station says offline")
    same_as_kept(subscriber.records(), tables)
    assert subscriber.states() == ["online", "offline"]
    assert retained_status(broker.port, tmp_path / "late") == ["offline"]
    assert tables["outbox"] == []
    for name, species in SINGERS.items():
        found = {row["scientific_name"] for row in tables["detections"] if row["recording"] == str(birds[name])}
        assert species in found
    assert [row["scientific_name"] for row in tables["detections"] if row["recording"] == str(rain)] == []
    assert {row["recording"] for row in tables["effort"]} == {*map(str, birds.values()), str(rain)}
    assert all(row["heard_s"] > 0 and row["lost_s"] == 0 for row in tables["effort"])


def test_a_subscriber_receives_of_the_synthesised_song_exactly_what_the_store_holds(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    songs = [song(tmp_path / name) for name in ("first.wav", "second.wav")]
    with Daemon(configure(tmp_path, recordings(*songs), broker.port)) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    until(lambda: "offline" in subscriber.states(), "the station says offline")
    same_as_kept(subscriber.records(), tables)
    assert [row["common_name"] for row in tables["detections"]] == ["Great Tit", "Great Tit"]
    assert [row["recording"] for row in tables["effort"]] == [str(path) for path in songs]
    assert tables["outbox"] == []


SAME = ("onset_s", "offset_s", "scientific_name", "common_name", "confidence")


def detections_of_run(recording: Path, folder: Path, broker: Broker, speed: float | None) -> list[tuple[Any, ...]]:
    """What `run` keeps of a recording."""
    folder.mkdir()
    with Daemon(configure(folder, recordings(recording, speed=speed), broker.port)) as daemon:
        assert daemon.ended() == 0, daemon.said()
    return sorted(tuple(row[column] for column in SAME) for row in kept(folder / "store")["detections"])


def detections_of_analyze(recording: Path, folder: Path) -> list[tuple[Any, ...]]:
    """What `analyze` writes of a recording."""
    assert run("analyze", recording, "--output", folder, "--format", "jsonl").returncode == 0
    lines = (folder / "detections.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted(tuple(json.loads(line)[column] for column in SAME) for line in lines)


@pytest.mark.parametrize("speed", [None, 20.0])
def test_run_and_analyze_detect_the_same_in_the_synthesised_soundscape(
    speed: float | None, broker: Broker, tmp_path: Path
) -> None:
    recording = song(tmp_path / "soundscape.wav", 0, 30)
    found = detections_of_analyze(recording, tmp_path / "tables")
    assert len(found) == 3
    assert detections_of_run(recording, tmp_path / "run", broker, speed) == found


@pytest.mark.parametrize("name", SINGERS)
def test_run_and_analyze_detect_the_same_in_a_real_recording(
    name: str, real_recordings: Path, broker: Broker, tmp_path: Path
) -> None:
    recording = first_recording(real_recordings / "birds" / "recordings" / name)
    found = detections_of_analyze(recording, tmp_path / "tables")
    assert found
    assert detections_of_run(recording, tmp_path / "run", broker, None) == found


def test_a_signal_finishes_what_is_heard_and_ends_the_daemon_in_time(
    broker: Broker, subscriber: Subscriber, supervisor: Supervisor, tmp_path: Path
) -> None:
    playing = recordings(song(tmp_path / "song.wav", 4, 26), speed=1.0)
    with Daemon(configure(tmp_path, playing, broker.port), supervisor.environment) as daemon:
        until(lambda: supervisor.heard("listening to"), "a window, full of song")
        assert kept(tmp_path / "store")["detections"] == []
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert [row["common_name"] for row in tables["detections"]] == ["Great Tit"]
    assert tables["detections"][0]["offset_s"] <= tables["effort"][0]["end_s"] < 22
    until(lambda: "offline" in subscriber.states(), "the station says offline")
    same_as_kept(subscriber.records(), tables)
    assert tables["outbox"] == []


def test_without_a_broker_the_daemon_keeps_all_and_the_next_run_delivers_it(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    lonely = configure(tmp_path, recordings(song(tmp_path / "monday.wav")), free_port())
    with Daemon(lonely) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert [row["common_name"] for row in tables["detections"]] == ["Great Tit"]
    assert [row["sequence"] for row in tables["outbox"]] == [1, 2]
    assert "2 messages wait in the outbox for the next start" in daemon.said()

    with Daemon(configure(tmp_path, recordings(song(tmp_path / "tuesday.wav")), broker.port)) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert len(tables["detections"]) == 2
    assert tables["outbox"] == []
    until(lambda: len(subscriber.records()) >= 4, "four messages")
    same_as_kept(subscriber.records(), tables)


def test_a_broker_killed_and_started_again_receives_everything(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    songs = [song(tmp_path / f"{number}.wav") for number in range(10)]
    store = tmp_path / "store"
    with Daemon(configure(tmp_path, recordings(*songs, speed=8.0), broker.port)) as daemon:
        until(lambda: len(subscriber.records()) >= 4, "the first messages")
        broker.kill()
        before = last_sequence(store)
        until(lambda: last_sequence(store) >= before + 6, "messages while the broker is away")
        assert len(kept(store)["outbox"]) >= 6
        broker.start()
        assert daemon.ended() == 0, daemon.said()
    tables = kept(store)
    assert len(tables["detections"]) == 10
    assert tables["outbox"] == []
    until(lambda: len(ids(subscriber.records())) >= 20, "all messages")
    # what was on its way when the broker was killed may come twice, with the same id
    same_as_kept(once_each(subscriber.records()), tables)


def last_sequence(store: Path) -> int:
    """The number of messages that a store has made, sent or not."""
    with closing(sqlite3.connect(store / "detections.sqlite", timeout=10)) as connection:
        return int(connection.execute("SELECT last_sequence FROM outbox_totals").fetchone()[0])


def ids(messages: list[Received]) -> set[str]:
    """What a consumer tells messages apart by."""
    return {message.content["id"] for message in messages}


def once_each(messages: list[Received]) -> list[Received]:
    """Messages by sequence number, those that came again dropped, as a consumer would."""
    known = {message.content["sequence"]: message for message in messages}
    assert len(ids(messages)) == len(known)
    return [known[sequence] for sequence in sorted(known)]

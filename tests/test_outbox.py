"""The outbox: what is given up is told of, what is refused is set aside, what was sent can be had once more."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import STATION, kept, short_folder
from test_store import ALL, RIGHT, WRONG, built, live, opened, sequences

from monitor.messages import (
    DroppedMessage,
    EffortMessage,
    LifecycleMessage,
    Occurrence,
    OutboxHealth,
)
from monitor.sinks.archive import Archive
from monitor.sinks.database import FILE, MIGRATIONS
from monitor.sinks.outbox import FIRST_WAIT_S, LONGEST_WAIT_S, Build, Outbox, OutboxRow
from monitor.sinks.store import Store


def tombstones(folder: Path) -> list[tuple[int, int, int, str]]:
    """What the outbox tells of messages that were given up."""
    told = [msgspec.json.decode(r["payload"], type=DroppedMessage) for r in kept(folder)["outbox"] if is_tombstone(r)]
    return [(message.first_sequence, message.last_sequence, message.count, message.reason) for message in told]


def is_tombstone(row: dict[str, Any]) -> bool:
    """Whether a row of the outbox tells of others."""
    return bool(row["topic"] == "dropped")


def totals_agree(folder: Path) -> None:
    """Fail unless the account of the outbox is what adding up gives."""
    tables = kept(folder)
    (totals,), rows = tables["outbox_totals"], tables["outbox"]
    assert (totals["rows"], totals["bytes"]) == (len(rows), sum(len(row["payload"]) for row in rows))
    assert {row["sequence"] for row in tables["refused"]} <= {row["sequence"] for row in rows}


def test_a_full_outbox_tells_of_what_it_gave_up_in_one_message_that_grows(tmp_path: Path) -> None:
    store = opened(tmp_path, outbox_rows=3)
    for number in range(5):
        store.add(built(number))
    assert tombstones(tmp_path) == [(1, 3, 3, "rows")]
    assert sequences(tmp_path) == [4, 5, 6]
    for number in range(5, 12):
        store.add(built(number))
    store.close()
    assert len(tombstones(tmp_path)) == 1
    assert len(sequences(tmp_path)) <= 4
    totals_agree(tmp_path)


def test_a_message_of_what_was_given_up_that_is_given_up_itself_lives_on_in_the_next_one(tmp_path: Path) -> None:
    store = opened(tmp_path, outbox_rows=2)
    for number in range(40):
        store.add(built(number))
    store.close()
    ((first, last, count, _),) = tombstones(tmp_path)
    present = sequences(tmp_path)
    assert first == 1
    assert count == last, "all of them were given up, older messages of this kind among them"
    assert set(range(1, max(present) + 1)) == set(range(1, last + 1)) | set(present)


def test_a_bound_of_bytes_holds_too(tmp_path: Path) -> None:
    store = Store(tmp_path, STATION, 1000, outbox_mb=0.003)
    for number in range(20):
        store.add(built(number))
        assert kept(tmp_path)["outbox_totals"][0]["bytes"] < 3000 + 600
    store.close()
    ((first, _, count, reason),) = tombstones(tmp_path)
    assert (first, reason) == (1, "bytes")
    assert 10 < count < 20
    totals_agree(tmp_path)


def test_a_bound_that_was_lowered_is_reached_in_steps(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as many:
        many.executemany("INSERT INTO outbox VALUES (?, 'detections', X'7B7D')", [(n,) for n in range(1, 2501)])
        many.commit()
    store.close()
    again = opened(tmp_path, outbox_rows=100)
    left = []
    for number in range(4):
        again.add(built(number))
        left.append(len(sequences(tmp_path)))
    again.close()
    assert left == [1502, 503, 99, 100]
    assert tombstones(tmp_path) == [(1, 2405, 2405, "rows")]
    assert Outbox(tmp_path / FILE).health().dropped == 2405


STEPS = st.lists(st.sampled_from(["add", "add", "add", "send", "acknowledge", "refuse", "send all"]), max_size=40)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(STEPS, st.integers(1, 6), st.integers(0, 99))
def test_whatever_happens_a_consumer_can_account_for_every_sequence_number(
    steps: list[str], bound: int, seed: int
) -> None:
    chance, number, travelling, told = random.Random(seed), 0, dict[int, bytes](), list[bytes]()  # noqa: S311
    with short_folder() as folder:
        store, outbox = opened(folder, outbox_rows=bound), Outbox(folder / FILE)
        for step in [*steps, "send all", "send what is due", "acknowledge"]:
            match step:
                case "add":
                    store.add(built(number))
                    number += 1
                case "send" | "send all":
                    rows = outbox.between(0, ALL, 2 if step == "send" else 100)
                    travelling |= {row.sequence: row.payload for row in rows}
                case "send what is due":
                    travelling |= {row.sequence: row.payload for row in outbox.due(1e9, 100)}
                case "acknowledge":
                    told += travelling.values()
                    outbox.settle(list(travelling), {}, 0.0)
                    travelling.clear()
                case "refuse" if travelling:
                    sequence = chance.choice(list(travelling))
                    del travelling[sequence]
                    outbox.settle([], {sequence: "no"}, 0.0)
            assert outbox.count() <= bound + 2
        totals_agree(folder)
        last = outbox.last_sequence()
        outbox.close()
        store.close()
    messages = [msgspec.json.decode(payload) for payload in told]
    came = {message["sequence"] for message in messages}
    covered = [range(m["first_sequence"], m["last_sequence"] + 1) for m in messages if "first_sequence" in m]
    lacking = set(range(1, last + 1)) - came
    assert lacking <= {sequence for span in covered for sequence in span}
    assert len(lacking) <= sum(m["count"] for m in messages if "count" in m)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Five messages that wait."""
    store = opened(tmp_path)
    for number in range(5):
        store.add(built(number))
    store.close()
    return Outbox(tmp_path / FILE)


def numbers(rows: list[OutboxRow]) -> list[int]:
    """Of rows."""
    return [row.sequence for row in rows]


def test_what_was_refused_is_due_after_half_a_minute_and_then_ever_later_up_to_six_hours(outbox: Outbox) -> None:
    waits, now = [], 1_000_000.0
    for _ in range(14):
        outbox.settle([], {3: "no", 99: "not in the outbox"}, now)
        assert numbers(outbox.between(0, ALL, 9)) == [1, 2, 4, 5]
        wait_s = next(s for s in range(0, LONGEST_WAIT_S + 1, FIRST_WAIT_S) if outbox.due(now + s, 9))
        assert numbers(outbox.due(now + wait_s, 9)) == [3]
        assert outbox.due(now + wait_s, 9, ["detections"]) == []
        waits.append(wait_s)
        now += wait_s
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600, 21600, 21600]


def test_what_was_refused_by_a_clock_that_was_far_ahead_is_due_at_once(outbox: Outbox) -> None:
    outbox.settle([], {3: "no"}, 2e9)
    assert numbers(outbox.due(1e9, 9)) == [3]


def test_a_topic_is_tried_with_its_newest_message_and_only_then_with_one_that_was_refused(outbox: Outbox) -> None:
    outbox.settle([], {5: "no"}, 0.0)
    assert outbox.candidate("effort", 1e9) is None
    assert outbox.candidate("detections", 1e9).sequence == 4  # type: ignore[union-attr]
    outbox.settle([1, 2, 3, 4], {}, 0.0)
    assert outbox.candidate("detections", FIRST_WAIT_S - 1) is None
    assert outbox.candidate("detections", FIRST_WAIT_S).sequence == 5  # type: ignore[union-attr]


def test_health_says_what_waits_what_was_refused_and_how_old_the_oldest_is(tmp_path: Path, outbox: Outbox) -> None:
    outbox.settle([1], {2: "Not authorized", 3: "Quota exceeded"}, 0.0)
    payloads = sum(len(row["payload"]) for row in kept(tmp_path)["outbox"])
    assert outbox.health() == OutboxHealth(
        rows=4,
        bytes=payloads,
        refused=2,
        refused_reason="Quota exceeded",
        dropped=0,
        oldest_utc="2026-05-01T12:00:01.000Z",
        last_sequence=5,
    )
    outbox.settle([2, 3, 4, 5], {}, 0.0)
    empty = outbox.health()
    assert (empty.rows, empty.bytes, empty.refused, empty.refused_reason, empty.oldest_utc) == (0, 0, 0, None, None)


def test_a_record_that_is_kept_already_is_neither_kept_nor_sent_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number in (1, 2, 1, 3):
        store.add(built(number))
    store.close()
    assert [row["id"] for row in kept(tmp_path)["detections"]] == ["id-000001", "id-000002", "id-000003"]
    assert sequences(tmp_path) == [1, 2, 3]


def effort(sequence: int) -> EffortMessage:
    """An account of an hour."""
    return EffortMessage(
        id="account",
        station="valley",
        sequence=sequence,
        recording="mic",
        start_utc="2026-05-01T12:00:00.000Z",
        end_utc="2026-05-01T13:00:00.000Z",
        clock_quality="ntp",
        clock_error_s=0.02,
        start_s=0.0,
        end_s=3600.0,
        heard_s=3590.0,
        lost_s=10.0,
        lost_device_s=10.0,
        noise_dbfs={"1000": -60.1, "2000": -63.0},
        model="starter",
    )


def began(sequence: int) -> LifecycleMessage:
    """A detection begins."""
    occurrence = Occurrence(
        id="id-000007",
        recording="mic",
        onset_utc=None,
        offset_utc=None,
        clock_quality="ntp",
        onset_s=7.0,
        offset_s=10.0,
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.9,
        model="starter",
    )
    return LifecycleMessage(id="began", station="valley", sequence=sequence, type="new", before=None, after=occurrence)


def archived(folder: Path, *builds: Build[Any]) -> dict[int, bytes]:
    """Messages that have been sent and acknowledged, by sequence number."""
    store = opened(folder)
    for build in builds:
        store.send(build) if build is began else store.add(build)
    store.close()
    with closing(Outbox(folder / FILE)) as outbox:
        rows = outbox.between(0, ALL, 100)
        outbox.settle(numbers(rows), {}, 0.0)
    return {row.sequence: row.payload.replace(b'"backfilled":false', b'"backfilled":true') for row in rows}


def test_what_was_sent_is_made_again_from_the_tables_byte_for_byte(tmp_path: Path) -> None:
    sent = archived(tmp_path, built(1), effort, began, built(2))
    with closing(Archive(tmp_path / FILE, "valley")) as archive:
        assert archive.clip(0, None) == (1, 4)
        again = archive.messages((1, 4), 10)
        assert archive.messages((2, 4), 1) == again[1:2]
    assert {row.sequence: row.payload for row in again} == {n: sent[n] for n in (1, 2, 4)}
    assert [row.topic for row in again] == ["detections", "effort", "detections"]


def test_of_what_is_kept_nowhere_a_replay_says_that_it_will_not_come(tmp_path: Path) -> None:
    archived(tmp_path, built(1), began, effort, built(2))
    with closing(Archive(tmp_path / FILE, "valley")) as archive:
        archive.conclude((1, 4), 3)
        archive.conclude((3, 4), 2)
    assert tombstones(tmp_path) == [(1, 4, 1, "unkept")]


def test_a_replay_leaves_out_what_waits_in_the_outbox_and_does_not_call_it_lost(tmp_path: Path) -> None:
    archived(tmp_path, built(1), built(2))
    store = opened(tmp_path)
    store.add(built(3))
    store.close()
    with closing(Archive(tmp_path / FILE, "valley")) as archive:
        assert numbers(archive.messages((1, 3), 10)) == [1, 2]
        archive.conclude((1, 3), 2)
    assert sequences(tmp_path) == [3]


def test_a_replay_shows_the_times_that_were_corrected_since_and_the_corrections(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add(*live(5, WRONG))
    store.correct("boot", RIGHT)
    store.close()
    with closing(Outbox(tmp_path / FILE)) as outbox:
        outbox.settle([1, 2], {}, 0.0)
    with closing(Archive(tmp_path / FILE, "valley")) as archive:
        detection, correction = [msgspec.json.decode(row.payload) for row in archive.messages((1, 2), 10)]
    assert detection["onset_utc"] == correction["onset_utc"] == "2026-05-01T12:00:05.000Z"
    assert (correction["sequence"], correction["id"], correction["of"]) == (2, detection["id"], "detections")
    assert correction["clock_error_s"] == pytest.approx(0.0205)


def version_2(path: Path) -> None:
    """A database as version 2 left it: three messages were sent, two wait."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript("".join(MIGRATIONS[:2]))
        old.execute("PRAGMA user_version = 2")
        for number in range(1, 4):
            old.execute(
                "INSERT INTO detections VALUES (?, 'mic', 'parus_major', 'Parus major', 'Great Tit', 0.9, 0.0, 3.0, "
                "NULL, NULL, 'unsynced', 'old', NULL)",
                (f"old-{number}",),
            )
            old.execute("INSERT INTO moments VALUES (?, 'boot', ?, ?)", (f"old-{number}", 1000.0 + number, 1003.0))
            payload = msgspec.json.encode({"id": f"old-{number}", "sequence": number, "backfilled": False})
            old.execute("INSERT INTO outbox (topic, payload) VALUES ('detections', ?)", (payload,))
        old.execute(
            "INSERT INTO effort (id, recording, start_s, end_s, heard_s, lost_s, clock_quality, model) "
            "VALUES ('hour', 'mic', 0.0, 60.0, 60.0, 0.0, 'unsynced', 'old')"
        )
        old.execute("DELETE FROM outbox WHERE sequence < 3")
        old.commit()


def test_a_database_of_version_2_goes_on_counting_where_it_was(tmp_path: Path) -> None:
    version_2(tmp_path / FILE)
    store = opened(tmp_path)
    store.add(built(7))
    store.correct("boot", RIGHT)
    store.close()
    tables = kept(tmp_path)
    totals_agree(tmp_path)
    assert [row["sequence"] for row in tables["outbox"]] == [3, 4, 5, 6, 7]
    assert [(row["sequence"], row["id"]) for row in tables["detections"]] == [
        (-2, "old-1"),
        (-1, "old-2"),
        (0, "old-3"),
        (4, "id-000007"),
    ]
    corrected = [row["onset_utc"] for row in tables["detections"][:3]]
    assert corrected == [f"2026-05-01T12:00:0{number}.000Z" for number in (1, 2, 3)]
    assert [(row["sequence"], row["id"]) for row in tables["effort"]] == [(0, "hour")]
    assert "moments" not in tables


def test_a_database_of_version_2_that_had_sent_everything_goes_on_counting_too(tmp_path: Path) -> None:
    version_2(tmp_path / FILE)
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.execute("DELETE FROM outbox")
        old.commit()
    store = opened(tmp_path)
    store.add(built(7))
    store.close()
    assert sequences(tmp_path) == [4]
    with closing(Archive(tmp_path / FILE, "valley")) as archive:
        assert archive.messages((1, 3), 10) == [], "nobody knows which of the old ones had which number"

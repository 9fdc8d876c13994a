"""SQLite on real disks: full ones, read-only ones, and with the process killed in the middle."""

import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import kept, need_root, short_folder, until

from monitor.clock import Quality, SampleClock
from monitor.clock.reference import Reference
from monitor.errors import StoreError
from monitor.messages import CorrectionMessage, DetectionMessage
from monitor.records import Detection, Taxon
from monitor.sinks import store as module
from monitor.sinks.database import FILE, MIGRATIONS, VERSION
from monitor.sinks.keeping import detection_message
from monitor.sinks.origin import Origin
from monitor.sinks.outbox import Build, Outbox
from monitor.sinks.rows import MOMENTS_COLUMNS, Minute, Moments
from monitor.sinks.store import Store

RATE = 24_000
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORIGIN = Origin("valley", "garden.wav", SampleClock(RATE, NOON, Quality.RECORDER), "starter")
ALL = 1 << 40
"""beyond every sequence number"""
TIT = Taxon("Parus major", "Great Tit")


def detection(number: int = 0) -> Detection:
    """Three seconds of great tit."""
    return Detection(f"id-{number:06d}", "parus_major", TIT, number * RATE, (number + 3) * RATE, 0.87654321)


def built(number: int = 0) -> Build[DetectionMessage]:
    """What makes the message of a detection."""
    return lambda sequence: detection_message(ORIGIN, detection(number), sequence)


def opened(directory: Path, outbox_rows: int = 1000) -> Store:
    """A store of the station."""
    return Store(directory, "valley", outbox_rows)


def sequences(directory: Path) -> list[int]:
    """The sequence numbers in the outbox."""
    return [row["sequence"] for row in kept(directory)["outbox"]]


def consistent(tables: dict[str, list[dict[str, Any]]]) -> None:
    """Fail unless the outbox counts from 1 without a hole and holds just what the tables hold."""
    assert [row["sequence"] for row in tables["outbox"]] == list(range(1, len(tables["outbox"]) + 1))
    sent = [msgspec.json.decode(row["payload"]) for row in tables["outbox"]]
    assert [message["sequence"] for message in sent] == [row["sequence"] for row in tables["outbox"]]
    assert sorted(m["id"] for m in sent) == sorted(r["id"] for t in ("detections", "effort") for r in tables[t])


@contextmanager
def disk(options: str) -> Iterator[Path]:
    """A file system of the test's own."""
    with short_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take all the space that is left on a disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_detection_and_its_message_are_kept_together(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add(built())
    store.close()
    tables = kept(tmp_path)
    consistent(tables)
    (row,), (sent,) = tables["detections"], tables["outbox"]
    assert row == {
        "id": "id-000000",
        "recording": "garden.wav",
        "label": "parus_major",
        "scientific_name": "Parus major",
        "common_name": "Great Tit",
        "confidence": 0.8765,
        "onset_s": 0.0,
        "offset_s": 3.0,
        "onset_utc": "2026-05-01T12:00:00.000Z",
        "offset_utc": "2026-05-01T12:00:03.000Z",
        "clock_quality": "recorder",
        "clock_error_s": None,
        "model": "starter",
        "sequence": 1,
        "boot": None,
        "start_monotonic": None,
        "end_monotonic": None,
    }
    assert sent["topic"] == "detections"
    told = {name: cell for name, cell in row.items() if name not in MOMENTS_COLUMNS}
    assert msgspec.json.decode(sent["payload"]) == {"schema": 1, "station": "valley", "backfilled": False, **told}


def test_neither_is_kept_when_one_of_them_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    store.add(built(0))
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
        store.add(built(1))
        store.add(built(2))
        assert [row["id"] for row in kept(tmp_path)["detections"]] == ["id-000000"]
        assert [r.levelname for r in caplog.records if "no room" in r.getMessage()] == ["ERROR"]
        other.execute("DROP TRIGGER refuse")
    assert store.flush()
    consistent(kept(tmp_path))
    assert [row["id"] for row in kept(tmp_path)["detections"]] == ["id-000000", "id-000001", "id-000002"]
    store.close()


WRITER = """
import sys
from pathlib import Path
from test_store import built, opened
store = opened(Path(sys.argv[1]), 1_000_000)
number = 0
while True:
    store.add(built(number))
    number += 1
"""


@pytest.mark.parametrize("rows", [1, 20, 60])
def test_a_process_killed_while_it_writes_leaves_no_detection_without_its_message(rows: int, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], env=environment)
    try:
        until(lambda: len(kept(tmp_path).get("detections", [])) >= rows, "rows are written")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = opened(tmp_path)
    consistent(kept(tmp_path))
    store.add(built(-1))
    consistent(kept(tmp_path))
    store.close()


PROMISING_WRITER = """
import os, sys
from pathlib import Path
from test_store import built, opened
store = opened(Path(sys.argv[1]), 1_000_000)
for number in range(1_000_000):
    store.add(built(number))
    os.pwrite(1, b"%9d" % (number + 1), 0)
"""


def copied(store: Path, copy: Path) -> Path:
    """The files of a store as they lie there, the log and its index among them."""
    copy.mkdir()
    for path in store.iterdir():
        shutil.copyfile(path, copy / path.name)
    return copy


def test_copies_of_the_files_at_random_instants_are_sound_and_hold_all_that_was_promised(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    store, progress, chance = tmp_path / "store", tmp_path / "progress", random.Random(1)  # noqa: S311
    with progress.open("wb") as notes:
        command = [sys.executable, "-c", PROMISING_WRITER, str(store)]
        process = subprocess.Popen(command, env=environment, stdout=notes)
    try:
        until(progress.read_bytes, "the first detection is kept")
        for cut in range(15):
            time.sleep(chance.uniform(0.01, 0.2))
            process.send_signal(signal.SIGSTOP)
            promised, copy = int(progress.read_bytes()), copied(store, tmp_path / f"copy{cut}")
            process.send_signal(signal.SIGCONT)
            with closing(sqlite3.connect(copy / FILE)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            tables = kept(copy)
            consistent(tables)
            assert promised <= len(tables["detections"]) <= promised + 1
    finally:
        process.kill()
        process.wait()


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(st.one_of(st.just("add"), st.just("open again"), st.integers(1, 9)), max_size=25))
def test_sequence_numbers_have_no_hole_whatever_is_acknowledged_or_opened_again(steps: list[str | int]) -> None:
    with short_folder() as folder:
        store, outbox = opened(folder), Outbox(folder / FILE)
        added: list[int] = []
        for step in steps:
            if step == "add":
                store.add(lambda sequence: added.append(sequence) or built(sequence)(sequence))  # type: ignore[func-returns-value]
            elif step == "open again":
                store.close()
                store = opened(folder)
            else:
                outbox.settle([row.sequence for row in outbox.between(0, ALL, int(step))], {}, 0.0)
        assert added == list(range(1, len(added) + 1))
        assert len(kept(folder)["detections"]) == len(added)
        outbox.close()
        store.close()


def test_an_acknowledged_message_leaves_the_outbox_and_its_detection_stays(tmp_path: Path) -> None:
    store, outbox = opened(tmp_path), Outbox(tmp_path / FILE)
    for number in range(5):
        store.add(built(number))
    assert [(row.sequence, row.topic) for row in outbox.between(2, ALL, 2)] == [(3, "detections"), (4, "detections")]
    outbox.settle([1, 2, 4], {}, 0.0)
    assert outbox.count() == 2
    assert sequences(tmp_path) == [3, 5]
    assert len(kept(tmp_path)["detections"]) == 5
    outbox.close()
    store.close()


def test_a_full_outbox_gives_up_the_oldest_messages_and_says_so_but_keeps_the_detections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path, outbox_rows=3)
    for number in range(5):
        store.add(built(number))
    store.close()
    assert [row["topic"] for row in kept(tmp_path)["outbox"]] == ["detections", "dropped", "detections"]
    assert len(kept(tmp_path)["detections"]) == 5
    assert "outbox is full: 1 messages were given up since the start" in caplog.text


def test_who_publishes_is_woken_only_after_the_message_is_on_the_disk(tmp_path: Path) -> None:
    seen: list[list[int]] = []
    store = Store(tmp_path, "valley", 1000, lambda: seen.append(sequences(tmp_path)))
    store.add(built(0))
    store.add(built(1))
    store.close()
    assert seen == [[1], [1, 2]]


def test_a_database_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
        other.commit()
    with pytest.raises(StoreError, match=rf"knows version {VERSION + 1}, .* knows {VERSION}: install"):
        opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StoreError, match=rf"^store in {path} cannot be written: File exists; choose another"):
        opened(path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match=rf"^store in {tmp_path} cannot be written: file is not a database"):
        opened(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"garbage" * 1000


@contextmanager
def unwritable() -> Iterator[Path]:
    """A folder that nobody, or for want of root at least this user, can write into."""
    if os.geteuid() == 0:
        with disk("size=1m") as folder:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            yield folder
    else:
        with short_folder() as folder:
            folder.chmod(0o500)
            yield folder
            folder.chmod(0o700)


@pytest.mark.parametrize("below", ["", "new/store"])
def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(below: str) -> None:
    with unwritable() as folder, pytest.raises(StoreError, match=rf"^store in {folder / below} cannot be written: "):
        opened(folder / below)


def test_a_database_on_a_disk_that_became_read_only_is_refused() -> None:
    need_root()
    with disk("size=4m") as folder:
        opened(folder).close()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(StoreError, match=rf"^store in {folder} cannot be written: "):
            opened(folder)


def test_records_wait_in_memory_for_a_full_disk_and_are_written_in_order_when_there_is_space(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    need_root()
    with disk("size=1m") as folder:
        store, outbox = opened(folder / "store"), Outbox(folder / "store" / FILE)
        store.add(built(0))
        fill(folder / "filler")
        for number in range(1, 11):
            store.add(built(number))
        assert len(kept(folder / "store")["detections"]) < 11
        with suppress(sqlite3.OperationalError):  # must not leave the database locked
            outbox.settle([1], {}, 0.0)
        assert not store.flush()
        (folder / "filler").unlink()
        assert store.flush()
        tables = kept(folder / "store")
        assert [row["id"] for row in tables["detections"]] == [f"id-{number:06d}" for number in range(11)]
        outbox.settle([1], {}, 0.0)
        assert sequences(folder / "store") == list(range(2, 12))
        outbox.close()
        store.close()
    complaints = [record for record in caplog.records if "records wait in memory" in record.getMessage()]
    assert len(complaints) == 1
    assert "store writes again; 0 records were dropped meanwhile" in caplog.text


def test_a_full_disk_is_tried_again_every_few_seconds_while_audio_is_heard() -> None:
    need_root()
    with disk("size=1m") as folder:
        store = opened(folder / "store")
        fill(folder / "filler")
        for number in range(10):
            store.add(built(number))
        failed = store._failing_since
        assert failed is not None
        (folder / "filler").unlink()
        store.retry(failed + module.RETRY_S / 2)
        assert len(kept(folder / "store")["detections"]) < 10
        store.retry(failed + module.RETRY_S + 0.1)
        assert len(kept(folder / "store")["detections"]) == 10
        consistent(kept(folder / "store"))
        store.close()


def test_memory_is_bounded_while_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "HELD_RECORDS", 3)
    store = opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
        for number in range(5):
            store.add(built(number))
        other.execute("DROP TRIGGER refuse")
    store.close()
    tables = kept(tmp_path)
    consistent(tables)
    assert [row["id"] for row in tables["detections"]] == ["id-000002", "id-000003", "id-000004"]
    assert "2 records were dropped meanwhile" in caplog.text


def test_what_could_not_be_written_until_the_end_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
    store.add(built(0))
    store.add(built(1))
    store.close()
    assert "2 records could not be written and are lost" in caplog.text


OLD_DETECTION = ("a", "garden", "parus_major", "Parus major", "Great Tit", 0.9, 0.0, 3.0, None, None, "unknown", "old")
OLD_EFFORT = ("b", "garden", 0.0, 60.0, 50.0, 10.0, None, None, "unknown", "old")


def test_a_database_of_version_1_is_brought_up_to_date_with_all_that_it_holds(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(MIGRATIONS[0])
        old.execute("PRAGMA user_version = 1")
        old.execute(f"INSERT INTO detections VALUES ({', '.join('?' * len(OLD_DETECTION))})", OLD_DETECTION)  # noqa: S608
        old.execute(f"INSERT INTO effort VALUES ({', '.join('?' * len(OLD_EFFORT))})", OLD_EFFORT)  # noqa: S608
        old.execute("INSERT INTO outbox (topic, payload) VALUES ('detections', X'7B7D')")
        old.commit()
    store = opened(tmp_path)
    store.add(built(7))
    store.close()
    tables = kept(tmp_path)
    first, second = tables["detections"]
    assert (first["id"], first["confidence"], first["clock_error_s"]) == ("a", 0.9, None)
    assert second["id"] == "id-000007"
    (effort,) = tables["effort"]
    assert {k: v for k, v in effort.items() if k in {"heard_s", "lost_s", "lost_unknown_s", "paused_s"}} == {
        "heard_s": 50.0,
        "lost_s": 10.0,
        "lost_unknown_s": 10.0,
        "paused_s": 0.0,
    }
    assert effort["noise_dbfs"] == {}
    assert sequences(tmp_path) == [1, 2]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(MIGRATIONS[0])
        old.execute("CREATE TABLE moments (id TEXT)")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    with pytest.raises(StoreError, match="table moments already exists"):
        opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        columns = [row[1] for row in other.execute("PRAGMA table_info(detections)")]
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
    assert "clock_error_s" not in columns


BOOT_S = 1000.0
"""monotonic second at which the detections of a boot begin to count"""


def reference(offset_s: float, quality: Quality, error_s: float | None) -> Reference:
    """What the monotonic clock shows."""
    return Reference(offset_s, quality, error_s, BOOT_S, BOOT_S)


WRONG = reference(NOON.timestamp() - BOOT_S - 3600, Quality.UNSYNCED, None)
RIGHT = reference(NOON.timestamp() - BOOT_S, Quality.NTP, 0.02)


def live(number: int, believed: Reference | None) -> tuple[Build[DetectionMessage], Moments]:
    """A detection of this boot, at the time that is believed."""
    start_s = BOOT_S + number
    times = [None if believed is None else believed.at(s).utc for s in (start_s, start_s + 3)]
    texts = [None if t is None else t.isoformat(timespec="milliseconds").replace("+00:00", "Z") for t in times]

    def build(sequence: int) -> DetectionMessage:
        message = detection_message(ORIGIN, detection(number), sequence)
        return msgspec.structs.replace(
            message, onset_utc=texts[0], offset_utc=texts[1], clock_quality=believed.quality if believed else "unsynced"
        )

    return build, Moments("boot", start_s, start_s + 3)


def minute(number: int, boot: str) -> Minute:
    """A minute of this boot, of which nobody knows the time."""
    start_s = BOOT_S + 60 * number
    counts = {"elapsed": 60 * RATE, "heard": 60 * RATE, "paused": 0, "withheld": 0, "lost_device": 0}
    return Minute(
        "mic",
        "starter",
        None,
        None,
        "unsynced",
        None,
        boot,
        start_s,
        start_s + 60,
        60.0 * number,
        RATE,
        **counts,
        lost_overrun=0,
        lost_overload=0,
        lost_damaged=0,
        lost_unknown=0,
        clipped_s=0.0,
        noise_dbfs="{}",
    )


@pytest.mark.parametrize("believed", [WRONG, None], ids=["an hour wrong", "unknown"])
def test_once_the_clock_is_known_all_times_of_this_boot_are_corrected_and_published(
    believed: Reference | None, tmp_path: Path
) -> None:
    store = opened(tmp_path)
    store.add(built(0))
    for number in (5, 7, 30):
        store.add(*live(number, believed))
    store.add_minutes(lambda: [minute(0, "boot"), minute(1, "boot"), minute(0, "another boot")])
    before = kept(tmp_path)
    store.correct("boot", RIGHT)
    store.close()
    after = kept(tmp_path)

    assert after["detections"][0] == before["detections"][0], "a recording's own time stays"
    moved = after["detections"][1:]
    assert [row["onset_utc"] for row in moved] == [f"2026-05-01T12:00:{s}.000Z" for s in ("05", "07", "30")]
    assert [row["offset_utc"] for row in moved] == [f"2026-05-01T12:00:{s}.000Z" for s in ("08", "10", "33")]
    assert {row["clock_quality"] for row in moved} == {"ntp"}
    assert [row["clock_error_s"] for row in moved] == pytest.approx([0.0205, 0.0207, 0.023])
    assert [row["start_utc"] for row in after["minutes"]] == [
        "2026-05-01T12:00:00.000Z",
        "2026-05-01T12:01:00.000Z",
        None,
    ]
    assert after["outbox"][:4] == before["outbox"], "what waits to be sent keeps its place"
    sent = [msgspec.json.decode(row["payload"], type=CorrectionMessage) for row in after["outbox"][4:]]
    assert [row["topic"] for row in after["outbox"][4:]] == ["corrections"] * 3
    assert [(m.sequence, m.id, m.of, m.station) for m in sent] == [
        (5, "id-000005", "detections", "valley"),
        (6, "id-000007", "detections", "valley"),
        (7, "id-000030", "detections", "valley"),
    ]
    for message, row in zip(sent, moved, strict=True):
        assert {k: row[k] for k in ("onset_utc", "offset_utc", "clock_quality", "clock_error_s")} == {
            k: getattr(message, k) for k in ("onset_utc", "offset_utc", "clock_quality", "clock_error_s")
        }


def test_a_correction_is_made_once_and_the_next_start_in_the_same_boot_knows_the_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add(*live(5, WRONG))
    store.correct("boot", RIGHT)
    store.correct("boot", RIGHT)
    assert sequences(tmp_path) == [1, 2]
    store.close()
    again = opened(tmp_path)
    assert again.reference("boot") == RIGHT
    assert again.reference("another boot") is None
    again.close()


def test_a_correction_waits_for_a_disk_that_refuses_and_what_was_kept_before_it_comes_first(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
        store.add(*live(5, WRONG))
        store.correct("boot", RIGHT)
        store.add(*live(9, RIGHT))
        assert kept(tmp_path)["detections"] == []
        other.execute("DROP TRIGGER refuse")
    store.close()
    tables = kept(tmp_path)
    assert [row["topic"] for row in tables["outbox"]] == ["detections", "corrections", "detections"]
    assert [row["onset_utc"] for row in tables["detections"]] == [
        "2026-05-01T12:00:05.000Z",
        "2026-05-01T12:00:09.000Z",
    ]


def test_a_minute_that_does_not_add_up_is_refused_by_the_database_itself(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        columns = (
            "recording, model, clock_quality, start_s, sample_rate, elapsed, heard, paused, withheld, lost_device, "
        )
        columns += "lost_overrun, lost_overload, lost_damaged, lost_unknown, clipped_s, noise_dbfs"
        values = "'mic', 'starter', 'ntp', 0.0, 24000, 100, 50, 0, 0, 0, 0, 0, 0, 49, 0.0, '{}'"
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute(f"INSERT INTO minutes ({columns}) VALUES ({values})")  # noqa: S608


def test_many_threads_write_at_once_and_no_number_is_used_twice(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def write(first: int) -> None:
        for number in range(first, first + 25):
            store.add(built(number))
            store.add_minutes(lambda: [minute(0, "boot")])

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    store.close()
    tables = kept(tmp_path)
    consistent(tables)
    assert len(tables["detections"]) == len(tables["minutes"]) == 100


def test_where_the_receiver_is_is_kept(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.locate(47.0, 8.0)
    store.locate(47.5, 8.5)
    store.close()
    assert kept(tmp_path)["position"] == [{"receiver": "gps", "latitude": 47.5, "longitude": 8.5}]


def test_one_thread_writes_while_another_reads_and_acknowledges(tmp_path: Path) -> None:
    store, taken = opened(tmp_path), list[int]()

    def send() -> None:
        outbox = Outbox(tmp_path / FILE)
        while len(taken) < 100:
            rows = outbox.between(taken[-1] if taken else 0, ALL, 7)
            outbox.settle([row.sequence for row in rows], {}, 0.0)
            taken.extend(row.sequence for row in rows)
        outbox.close()

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    for number in range(100):
        store.add(built(number))
    sending.join(20)
    assert taken == list(range(1, 101))
    assert sequences(tmp_path) == []
    assert len(kept(tmp_path)["detections"]) == 100
    store.close()

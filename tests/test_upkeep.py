"""What the store needs once a day: nothing that anybody waits for is lost, and nobody is locked out."""

import os
import sqlite3
import subprocess
import threading
import time
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import BIN, dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import ROOT, need_root, required

from monitor.clock import rfc3339
from monitor.errors import StoreError
from monitor.messages import DetectionMessage
from monitor.sinks.database import FILE, connect
from monitor.sinks.outbox import Outbox
from monitor.sinks.rows import Minute
from monitor.sinks.store import Store
from monitor.upkeep import ROWS, look_after

NOW = datetime(2026, 7, 1, tzinfo=UTC)
KEEP = timedelta(days=30)
MINUTE = Minute(
    recording="mic",
    model="starter",
    start_utc=None,
    end_utc=None,
    clock_quality="ntp",
    clock_error_s=0.1,
    boot=None,
    start_monotonic=None,
    end_monotonic=None,
    start_s=0.0,
    sample_rate=10,
    elapsed=600,
    heard=600,
    paused=0,
    withheld=0,
    lost_device=0,
    lost_overrun=0,
    lost_overload=0,
    lost_damaged=0,
    lost_unknown=0,
    clipped_s=0.0,
    noise_dbfs="{}",
)
UNITS = ("dawnchorus-upkeep", "dawnchorus-upkeep@")


def detection(sequence: int, onset: datetime | None) -> DetectionMessage:
    """At some time."""
    utc = rfc3339(onset)
    return DetectionMessage(
        id=str(uuid.uuid4()),
        station="valley",
        sequence=sequence,
        recording="mic",
        onset_utc=utc,
        offset_utc=utc,
        clock_quality="ntp",
        clock_error_s=0.1,
        onset_s=0.0,
        offset_s=1.0,
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.9,
        model="starter",
    )


def filled(folder: Path, ages_days: list[float | None], delivered: int) -> list[str]:
    """A store with detections so old, the first of which the broker has, and a minute of each age; all ids."""
    store, ids = Store(folder, "valley", 100_000), list[str]()
    for age in ages_days:
        when = None if age is None else NOW - timedelta(days=age)
        store.add(lambda sequence, when=when: _noted(ids, detection(sequence, when)))
        store.add_minutes(lambda when=when: [replace(MINUTE, start_utc=rfc3339(when), end_utc=rfc3339(when))])
    store.add_minutes(lambda: [replace(MINUTE, start_utc=rfc3339(NOW), end_utc=rfc3339(NOW))])
    store.close()
    with closing(Outbox(folder / FILE)) as outbox:
        outbox.settle(range(1, delivered + 1), {}, 0.0)
    return ids


def _noted(ids: list[str], message: DetectionMessage) -> DetectionMessage:
    ids.append(message.id)
    return message


def held(folder: Path, query: str) -> list[object]:
    """A column of the store."""
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return [row[0] for row in connection.execute(query)]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_only_what_is_old_and_delivered_goes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("store")
    ages = data.draw(st.lists(st.none() | st.floats(0, 60).filter(lambda age: abs(age - 30) > 0.01), max_size=8))
    delivered = data.draw(st.integers(0, len(ages)))
    ids = filled(folder, ages, delivered)
    done = look_after(folder, KEEP, NOW)
    gone = [age is not None and age > 30 and index < delivered for index, age in enumerate(ages)]
    kept = [one for one, is_gone in zip(ids, gone, strict=True) if not is_gone]
    assert held(folder, "SELECT id FROM detections ORDER BY sequence") == kept
    assert done.removed["detections"] == sum(gone)
    assert done.removed["minutes"] == sum(age is not None and age > 30 for age in ages)
    assert held(folder, "SELECT sequence FROM outbox ORDER BY sequence") == list(range(delivered + 1, len(ages) + 1))


def test_without_a_limit_all_is_kept_and_the_log_is_emptied(tmp_path: Path) -> None:
    ids = filled(tmp_path, [1000.0, 40.0, 1.0], 3)
    with closing(connect(tmp_path / FILE)) as beside:
        beside.execute("UPDATE outbox_totals SET dropped = dropped + 1")
        assert (tmp_path / f"{FILE}-wal").stat().st_size > 0
        done = look_after(tmp_path, None, NOW)
        assert done.log_emptied
        assert (tmp_path / f"{FILE}-wal").stat().st_size == 0
    assert held(tmp_path, "SELECT id FROM detections ORDER BY sequence") == ids
    assert str(done).startswith("the store is sound; nothing taken out; ")


def test_a_clock_that_was_set_years_ahead_does_not_empty_the_store(tmp_path: Path) -> None:
    filled(tmp_path, [20.0, 10.0], 2)
    done = look_after(tmp_path, KEEP, NOW + timedelta(days=10_000))
    assert done.removed == {"detections": 0, "effort": 0, "minutes": 0, "corrections": 0, "clips": 0}


def test_who_reads_meanwhile_only_keeps_the_log_from_being_emptied(tmp_path: Path) -> None:
    filled(tmp_path, [40.0], 1)
    with closing(connect(tmp_path / FILE)) as writer, closing(connect(tmp_path / FILE)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM detections").fetchone()
        writer.execute("UPDATE outbox_totals SET dropped = dropped + 1")
        done = look_after(tmp_path, KEEP, NOW)
    assert (done.log_emptied, done.removed["detections"]) == (False, 1)


def test_a_station_writes_on_while_its_store_is_looked_after(tmp_path: Path) -> None:
    folder, old = tmp_path, 6 * ROWS
    filled(folder, [], 0)
    with closing(connect(folder / FILE)) as connection:
        row = connection.execute("SELECT * FROM minutes").fetchone()
        many = [(*row[:2], rfc3339(NOW - KEEP - timedelta(minutes=n + 1)), *row[3:]) for n in range(old)]
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO minutes VALUES ({', '.join('?' * len(row))})", many)  # noqa: S608
        connection.execute("COMMIT")
    store, stop, written = Store(folder, "valley", 100_000), threading.Event(), list[int]()

    def station() -> None:
        while not stop.is_set():
            store.add(lambda sequence: detection(written.append(sequence) or sequence, NOW))
            assert store.failing_s is None
            time.sleep(0.001)

    thread = threading.Thread(target=station)
    thread.start()
    try:
        done = look_after(folder, KEEP, NOW)
    finally:
        stop.set()
        thread.join()
    store.close()
    assert done.removed["minutes"] == old
    assert held(folder, "SELECT count(*) FROM detections") == [len(written)]
    assert len(written) > 0


def test_a_damaged_store_is_named_and_nothing_is_taken_out(tmp_path: Path) -> None:
    filled(tmp_path, [40.0] * 200, 200)
    with (tmp_path / FILE).open("r+b") as file:
        for page in range(20, 40):
            file.seek(page * 1024)
            file.write(os.urandom(1024))
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        look_after(tmp_path, KEEP, NOW)
    assert (tmp_path / FILE).read_bytes() == before


def test_the_command_says_it_in_one_line_or_why_it_could_not_look(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"store: {{directory: {tmp_path}/store, keep_days: 30}}\n", encoding="utf-8")
    assert "no store in this folder" in sentence(dawnchorus("upkeep", "--config", config), 1)
    filled(tmp_path / "store", [40.0, 1.0], 2)
    result = dawnchorus("upkeep", "--config", config)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("the store is sound; 1 detections, 1 minutes taken out; ")


def test_a_disk_that_runs_full_is_the_exit_code(tmp_path: Path) -> None:
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        filled(disk, [1.0], 1)
        config = tmp_path / "config.yaml"
        config.write_text(f"store: {{directory: {disk}}}\n", encoding="utf-8")
        assert "little space is left" in sentence(dawnchorus("upkeep", "--config", config), 1)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_the_timer_and_little_exposed(tmp_path: Path, unit: str) -> None:
    parts = [(ROOT / "systemd" / name).read_text(encoding="utf-8") for name in (f"{unit}.service", "upkeep.conf")]
    service, timer = tmp_path / f"{unit}.service", tmp_path / f"{unit}.timer"
    service.write_text("\n".join(parts).replace("/opt/dawnchorus/bin", str(BIN)), encoding="utf-8")
    timer.write_text((ROOT / "systemd" / timer.name).read_text(encoding="utf-8"), encoding="utf-8")
    for words in (
        ["verify", "--recursive-errors=yes", *(str(path).replace("@.", "@meadow.") for path in (service, timer))],
        ["security", "--offline=true", "--threshold=15", str(service)],
    ):
        said = subprocess.run([required("systemd-analyze"), *words], capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, ""), said.stdout[-300:]

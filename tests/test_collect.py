"""`dawnchorus collect`: all messages of a fleet, each once, whatever comes in between."""

import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import psycopg
import pyarrow.dataset
import pytest
from fleet import (
    Cluster,
    CollectorProcess,
    air,
    cluster,
    correction,
    detection,
    disordered,
    dropped,
    effort,
    health,
    mixed,
    status,
    topic,
)
from hypothesis import given
from hypothesis import strategies as st
from rigs import ROOT, Broker, need_root, run, until

from monitor.config.mqtt import Mqtt
from monitor.delivery.batches import pack
from monitor.delivery.publication import Connected, Lost
from monitor.errors import StoreError
from monitor.fleet import folder, postgres
from monitor.fleet.archive import Archive
from monitor.fleet.folder import Folder
from monitor.fleet.gaps import Account, Holdings, account, total, united, without
from monitor.fleet.letters import Item, Letter, Number, Unread, read
from monitor.fleet.parquet import corrected
from monitor.fleet.postgres import Postgres
from monitor.fleet.receipts import Receipts
from monitor.fleet.subscription import Subscription
from monitor.messages import DeliveredMessage

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KILLS = 4
SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))))


def items(*messages: Any) -> list[Item]:  # noqa: ANN401
    """What a collector reads when these arrive."""
    return [item for message in messages for item in read(topic(message), msgspec.json.encode(message))]


class Kept(Protocol):
    """An archive under test, and how it is looked at from outside."""

    @property
    def target(self) -> str:
        """What a collector is told."""

    def open(self) -> Archive:
        """The archive, to be written to."""

    def look(self) -> Holdings:
        """What it says that it holds."""

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""

    def times(self, table: str) -> list[dict[str, Any]]:
        """Its rows with the times in force."""


class KeptFolder:
    """A folder, read as anybody reads Parquet."""

    def __init__(self, path: Path) -> None:
        self.path, self.target = path, str(path)

    def open(self) -> Archive:
        """The archive, to be written to."""
        return Folder(self.path, HOUR)

    def look(self) -> Holdings:
        """What it says that it holds."""
        return folder.look(self.path)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        path = self.path / table
        return pyarrow.dataset.dataset(path, partitioning="hive").to_table().to_pylist() if path.exists() else []

    def times(self, table: Literal["detections", "effort"]) -> list[dict[str, Any]]:
        """Its rows with the times in force."""
        return corrected([self.path], table).to_pylist()


class KeptDatabase:
    """A database, read with SQL."""

    def __init__(self, database: Cluster) -> None:
        self._database, self.target = database, database.url
        with psycopg.connect(database.url) as connection:
            connection.execute("DROP SCHEMA IF EXISTS dawnchorus CASCADE")

    def open(self) -> Archive:
        """The archive, to be written to."""
        return Postgres(self._database.url)

    def look(self) -> Holdings:
        """What it says that it holds."""
        return postgres.look(self._database.url)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        return self._database.rows(f"SELECT * FROM {table}")  # noqa: S608

    def times(self, table: str) -> list[dict[str, Any]]:
        """Its rows with the times in force."""
        return self.rows(f"{table}_times")


def keep(kept: Kept, *batches: Sequence[Item]) -> None:
    """Write batches, each in its own life of the archive."""
    for batch in batches:
        archive = kept.open()
        archive.write(batch, NOON)
        archive.close(NOON)


def ids(kept: Kept, table: str = "detections") -> list[tuple[str, str]]:
    """Station and id of all rows of a table."""
    return sorted((row["station"], row["id"]) for row in kept.rows(table))


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """A PostgreSQL."""
    with cluster() as running:
        yield running


@pytest.fixture(params=["folder", "database"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """An empty archive of either kind."""
    if request.param == "folder":
        return KeptFolder(tmp_path / "fleet")
    return KeptDatabase(request.getfixturevalue("database"))


@given(SPANS, SPANS)
def test_spans_are_sets_of_numbers(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    def numbers(spans: list[tuple[int, int]]) -> set[int]:
        return {number for first, last in spans for number in range(first, last + 1)}

    whole, left = united(some), without(some, others)
    assert numbers(whole) == numbers(some)
    assert numbers(left) == numbers(some) - numbers(others)
    assert total(whole) == len(numbers(some))
    assert all(a[1] + 1 < b[0] for a, b in pairwise(whole))


@given(st.lists(st.integers(1, 40)), st.integers(1, 7))
def test_each_id_is_new_once_in_any_order_and_over_any_transactions(arrivals: list[int], size: int) -> None:
    held: dict[Number, int] = {}
    new: list[int] = []
    for start in range(0, len(arrivals), size):
        receipts = Receipts(held.items(), {"hill": 1} if held else {})
        for sequence in arrivals[start : start + size]:
            receipt = receipts.receive(Number("hill", sequence, b"%d" % sequence))
            new += [sequence] if receipt.new else []
            held[receipt.number] = receipt.generation
    assert sorted(new) == sorted(set(arrivals))
    assert set(held.values()) <= {1}


def test_a_number_that_another_id_has_taken_is_of_a_new_store() -> None:
    receipts = Receipts([(Number("hill", n, b"old%d" % n), 1) for n in range(1, 6)], {"hill": 1})
    found = [receipts.receive(Number("hill", n, b"new%d" % n)) for n in range(1, 8)]
    again = receipts.receive(Number("hill", 3, b"old3"))
    assert [receipt.generation for receipt in found] == [2] * 7
    assert all(receipt.new for receipt in found)
    assert (again.generation, again.fresh, again.new) == (1, False, False)


def test_an_id_that_is_here_counts_its_other_number_as_received_and_is_not_kept_again() -> None:
    receipts = Receipts([(Number("hill", 1, b"same"), 1)], {"hill": 1})
    found = receipts.receive(Number("hill", 9, b"same"))
    assert (found.fresh, found.new) == (True, False)


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode), st.sampled_from(["detections", "batches", "x"]))
def test_nothing_that_arrives_stops_a_collector(payload: bytes, level: str) -> None:
    found = read(f"dawnchorus/hill/{level}", payload)
    assert all(isinstance(item, Unread) and item.payload == payload for item in found)
    assert bool(found) == bool(payload)


@pytest.mark.parametrize("level", ["detections", "batches"])
def test_a_message_of_a_hundred_thousand_brackets_is_kept_as_it_came(level: str) -> None:
    payload = b'{"schema":1,"station":"hill","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (found,) = read(f"dawnchorus/hill/{level}", zlib.compress(payload) if level == "batches" else payload)
    assert isinstance(found, Unread)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(list(detection("hill", 1).__struct_fields__)), JSON)
def test_a_message_with_one_strange_field_is_a_letter_or_is_kept_as_it_came(field: str, value: Any) -> None:  # noqa: ANN401
    strange = msgspec.to_builtins(detection("hill", 1)) | {field: value}
    (found,) = read("dawnchorus/hill/detections", msgspec.json.encode(strange))
    assert isinstance(found, Letter | Unread)
    if isinstance(found, Letter):
        assert msgspec.to_builtins(found.message)[field] == pytest.approx(value, nan_ok=True)


def rejected(message: Any, **changes: Any) -> Unread:  # noqa: ANN401
    """What becomes of a message with other fields, which cannot be read."""
    changed = msgspec.to_builtins(message) | changes
    (found,) = read(topic(message), msgspec.json.encode(changed))
    assert isinstance(found, Unread)
    return found


def test_a_newer_schema_is_kept_as_it_came_and_counts_as_received() -> None:
    found = rejected(detection("hill", 7), schema=99, melody="upwards")
    assert "99" in found.reason
    assert found.number is not None
    assert (found.number.station, found.number.sequence) == ("hill", 7)


def test_a_message_about_another_station_is_not_believed() -> None:
    found = rejected(detection("hill", 7), station="valley")
    assert "valley" in found.reason
    assert found.number is None


@pytest.mark.parametrize(
    "changes",
    [
        {"onset_utc": "yesterday"},
        {"onset_utc": "2026-05-01T04:12:07"},
        {"onset_utc": "2026-W18-5T04:12:07Z"},
        {"onset_utc": "2026-02-30T04:12:07Z"},
        {"sequence": 0},
        {"sequence": 2**63},
        {"common_name": "a\0b"},
        {"confidence": "high"},
    ],
)
def test_what_no_database_could_hold_is_kept_as_it_came(changes: dict[str, Any], kept: Kept) -> None:
    keep(kept, [rejected(detection("hill", 7), **changes)])
    (row,) = kept.rows("rejected")
    assert msgspec.json.decode(row["payload"])["id"] == "a-7"
    assert kept.rows("detections") == []
    assert kept.look().rejected == 1


@pytest.mark.parametrize(
    "word",
    [
        msgspec.structs.replace(status("hill"), started_utc="yesterday"),
        msgspec.structs.replace(status("hill"), version="1\0"),
        health("hill", outbox=msgspec.structs.replace(health("hill").outbox, rows=2**63)),
    ],
)
def test_how_a_station_fares_is_not_believed_where_it_cannot_be_so(word: Any, kept: Kept) -> None:  # noqa: ANN401
    keep(kept, items(word))
    assert kept.look().heard == {}
    assert kept.look().rejected == 1


def test_a_batch_is_its_messages_and_a_broken_one_is_kept_as_it_came(kept: Kept) -> None:
    batch = pack([("detections", msgspec.json.encode(detection("hill", n))) for n in (1, 2, 3)])
    where = "dawnchorus/hill/batches"
    keep(kept, read(where, batch), read(where, batch[:-5]), read(where, batch), read(where, batch[:-5]))
    assert ids(kept) == [("hill", f"a-{n}") for n in (1, 2, 3)]
    assert [row["payload"] for row in kept.rows("rejected")] == [batch[:-5]]


def test_a_batch_speaks_for_its_own_station_only(kept: Kept) -> None:
    payload = msgspec.json.encode(detection("wood", 1))
    found = read(
        "dawnchorus/hill/batches", pack([("wood/detections", payload), ("a\0b", payload), ("batches", payload)])
    )
    keep(kept, found)
    assert kept.rows("detections") == []
    assert kept.look().rejected == 1
    assert {row["topic"] for row in kept.rows("rejected")} == {"dawnchorus/hill/batches"}


def test_disorder_and_repetition_leave_each_message_once(kept: Kept) -> None:
    chance = random.Random(7)  # noqa: S311
    messages = [message for station in ("hill", "valley", "wood") for message in mixed(station, 200)]
    arriving = items(*disordered(messages, chance))
    cuts = sorted(chance.sample(range(len(arriving)), 6))
    keep(kept, *(arriving[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)))
    of = {"detections": lambda n: n % 10, "effort": lambda n: not n % 10}
    for table, wanted in of.items():
        expected = sorted((s, f"a-{n}") for s in ("hill", "valley", "wood") for n in range(1, 201) if wanted(n))
        assert ids(kept, table) == expected
    assert [(one.first, one.last, one.received, one.missing) for one in account([kept.look()])] == [
        (1, 200, 200, [])
    ] * 3


def test_rows_say_what_the_message_said(kept: Kept) -> None:
    keep(kept, items(detection("hill", 1, onset_utc=None), effort("hill", 2)))
    (heard,) = kept.rows("detections")
    (hour,) = kept.rows("effort")
    assert heard["onset_utc"] is None
    assert heard["offset_utc"] == datetime(2026, 5, 1, 4, 12, 10, 250_000, tzinfo=UTC)
    assert (heard["confidence"], heard["backfilled"], heard["generation"]) == (0.93, False, 1)
    assert hour["received_utc"] == NOON
    noise = hour["noise_dbfs"]
    assert (msgspec.json.decode(noise) if isinstance(noise, str) else noise) == {"1000": -61.5}


def test_holes_are_reported_until_they_are_filled_or_declared_lost(kept: Kept) -> None:
    keep(kept, items(*(detection("hill", n) for n in (3, 4, 8, 9, 12))))
    (found,) = account([kept.look()])
    assert (found.first, found.missing, found.complete) == (3, [(5, 7), (10, 11)], False)
    keep(kept, items(dropped("hill", 13, 4, 6), detection("hill", 11)))
    (found,) = account([kept.look()])
    assert (found.missing, found.dropped) == ([(7, 7), (10, 10)], [(5, 6)])
    keep(kept, items(dropped("hill", 13, 4, 7), detection("hill", 10), detection("hill", 5)))
    (found,) = account([kept.look()])
    assert (found.missing, found.dropped, found.received) == ([], [(6, 7)], 9)


def test_health_says_what_has_not_arrived_yet(kept: Kept) -> None:
    outbox = msgspec.structs.replace(health("hill").outbox, last_sequence=30, rows=4)
    keep(kept, items(status("hill"), detection("hill", 25), health("hill", outbox=outbox), status("wood", "offline")))
    hill, wood = sorted(account([kept.look()]), key=lambda one: one.station)
    assert (hill.awaited, hill.waiting, hill.state) == (5, 4, "online")
    assert hill.heard_utc == "2026-05-01T12:00:00.000Z"
    assert (wood.received, wood.heard_utc, wood.state) == (0, None, "offline")


def test_a_new_store_of_a_station_is_no_repetition_of_the_old_one(kept: Kept) -> None:
    keep(kept, items(*mixed("hill", 30)), items(*mixed("hill", 20, "b")), items(*mixed("hill", 30)))
    first, second = account([kept.look()])
    assert (first.generation, first.received, second.generation, second.received) == (1, 30, 2, 20)
    assert len(ids(kept)) == 27 + 18
    assert {row["generation"] for row in kept.rows("detections") if row["id"].startswith("b")} == {2}


def test_corrected_times_are_in_force_and_those_that_were_published_are_kept(kept: Kept) -> None:
    early = correction("hill", 1, "a-2", "2026-05-02T00:00:00.000Z")
    late = correction("hill", 4, "a-2", "2026-05-03T00:00:00.000Z")
    keep(kept, items(late, early), items(detection("hill", 2), detection("hill", 3)), items(early, late))
    found = {row["id"]: row for row in kept.times("detections")}
    times = ("onset_utc", "clock_quality", "clock_error_s", "corrected")
    assert [found["a-2"][name] for name in times] == [datetime(2026, 5, 3, tzinfo=UTC), "gps", None, True]
    published = datetime(2026, 5, 1, 4, 12, 7, 250_000, tzinfo=UTC)
    assert [found["a-3"][name] for name in times] == [published, "ntp", 0.01, False]
    assert [row["onset_utc"] for row in kept.rows("detections")] == [published] * 2
    assert len(kept.rows("corrections")) == 2


def test_a_folder_that_was_left_between_a_file_and_the_end_of_its_rows_holds_them_once(tmp_path: Path) -> None:
    path, left = tmp_path / "fleet", tmp_path / "left"
    archive = Folder(path, HOUR)
    archive.write(items(*mixed("hill", 50)), NOON)
    archive._begin("detections", 45, NOON)
    shutil.copytree(path, left)
    archive._move("detections")
    shutil.copytree(path / "detections", left / "detections")
    archive.close(NOON)
    reopened = Folder(left, HOUR)
    reopened.write(items(*mixed("hill", 50), detection("hill", 51)), NOON)
    reopened.close(NOON)
    assert sorted(row["sequence"] for row in KeptFolder(left).rows("detections")) == [n for n in range(1, 52) if n % 10]


def test_rows_that_stayed_after_their_file_was_written_get_no_second_one(tmp_path: Path) -> None:
    kept = KeptFolder(tmp_path)
    archive = kept.open()
    archive.write(items(*mixed("hill", 30)), NOON)
    with closing(sqlite3.connect(tmp_path / folder.FILE)) as other:
        other.execute("CREATE TRIGGER stuck BEFORE DELETE ON detections BEGIN SELECT raise(ABORT, 'a bad disk'); END")
        archive.tend(NOON)
        with pytest.raises(StoreError, match="a bad disk"):
            archive.tend(NOON + HOUR)
        other.execute("DROP TRIGGER stuck")
    archive.write(items(detection("hill", 31)), NOON)
    archive.close(NOON + HOUR)
    assert ids(kept) == sorted(("hill", f"a-{n}") for n in range(1, 32) if n % 10)


def test_two_collectors_do_not_write_one_folder(tmp_path: Path) -> None:
    archive = Folder(tmp_path, HOUR)
    with pytest.raises(StoreError, match="another collector"):
        Folder(tmp_path, HOUR)
    archive.close(NOON)
    Folder(tmp_path, HOUR).close(NOON)


@contextmanager
def talking(port: int, messages: Sequence[Any], pause_s: float, parts: int = 1) -> Iterator[Callable[[], None]]:
    """A fleet that publishes all the while, in small portions. What is given begins the next of its parts."""
    asked = threading.Semaphore(1)
    length = -(-len(messages) // parts)

    def talk() -> None:
        with air(port) as client:
            for part in range(0, len(messages), length):
                asked.acquire()
                for start in range(part, min(part + length, len(messages)), 20):
                    client.say(*messages[start : min(start + 20, part + length)])
                    time.sleep(pause_s)

    thread = threading.Thread(target=talk)
    thread.start()
    yield asked.release
    thread.join()


def fleet_of(stations: int, count: int) -> list[DeliveredMessage]:
    """Messages of several stations, each published once: what is lost is lost."""
    rows = zip(*(mixed(f"station{number}", count) for number in range(stations)), strict=True)
    return [message for row in rows for message in row]


def everything(stations: int, count: int) -> list[tuple[str, str]]:
    """All detections of such a fleet, once."""
    return sorted((f"station{s}", f"a-{n}") for s in range(stations) for n in range(1, count + 1) if n % 10)


def complete(accounts: Sequence[Account], stations: int, count: int) -> bool:
    """Whether a report says that all is here."""
    found = [(one.first, one.last, one.received, one.missing) for one in accounts]
    return found == [(1, count, count, [])] * stations


def test_a_collector_that_is_killed_again_and_again_has_all_once(kept: Kept, tmp_path: Path, broker: Broker) -> None:
    chance = random.Random(11)  # noqa: S311
    collector = CollectorProcess(tmp_path / "collector", broker.port, kept.target, "--every", "0.01").start()
    with talking(broker.port, fleet_of(4, 200), 0.1, KILLS + 1) as go_on:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.4))  # a part takes 0.8 s: it goes on when nobody collects
            collector.kill()
            collector.start()
            go_on()
    until(lambda: complete(account([kept.look()]), 4, 200), "all is collected")
    assert collector.stop() == 0
    assert ids(kept) == everything(4, 200)


def test_what_waits_for_a_fallen_database_outlives_a_killed_collector(
    tmp_path: Path, broker: Broker, database: Cluster
) -> None:
    kept = KeptDatabase(database)
    collector = CollectorProcess(tmp_path / "collector", broker.port, kept.target).start()
    with talking(broker.port, fleet_of(3, 100), 0.05):
        until(lambda: kept.rows("detections"), "the first detection")
        database.stop()
        until(lambda: "the broker waits" in collector.said(), "the collector notices")
        time.sleep(0.3)  # an acknowledgement that came too early would be on its way by now
        collector.kill()
        database.start()
        collector.start()
    until(lambda: complete(account([kept.look()]), 3, 100), "all is collected")
    assert collector.stop() == 0
    assert ids(kept) == everything(3, 100)


def test_a_broker_that_ends_each_connection_soon_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    subscription = Subscription(Mqtt(), "hill-collector", durable=True)
    for _ in range(3):
        assert "hill-collector" not in caplog.text
        subscription._tell(Connected("192.0.2.7:1883"))
        subscription._tell(Lost("the connection broke"))
    assert "does somebody else listen as hill-collector?" in caplog.text


def test_a_disk_that_fills_is_waited_for(tmp_path: Path, broker: Broker) -> None:
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    kept = KeptFolder(disk / "fleet")
    collector = CollectorProcess(tmp_path / "collector", broker.port, kept.target)
    try:
        collector.start()
        (disk / "filling").write_bytes(b"0" * 300_000)
        with air(broker.port) as client:
            client.say(*fleet_of(3, 400))
        until(lambda: "the broker waits" in collector.said(), "the collector notices")
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        until(lambda: complete(account([kept.look()]), 3, 400), "all is collected")
        assert collector.stop() == 0
        assert ids(kept) == everything(3, 400)
    finally:
        collector.kill()
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_report_is_of_all_folders_that_share_a_fleet(tmp_path: Path) -> None:
    messages = items(*mixed("hill", 100))
    for name, part in (("one", messages[::2]), ("two", messages[1::2])):
        keep(KeptFolder(tmp_path / name), part)
    assert run("collect", "--report", tmp_path / "one").returncode == 1
    report = run("collect", "--report", tmp_path / "one", tmp_path / "two")
    assert report.returncode == 0
    assert "100 messages here, 0 missing" in report.stderr


def test_the_report_names_what_is_missing_and_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Folder(tmp_path, HOUR)
    archive.write(items(detection("hill", 1), detection("hill", 5), detection("hill", 7)), NOON)
    archive.close(NOON)
    report = run("collect", "--report", tmp_path)
    assert report.returncode == 1
    assert report.stdout.startswith("hill: 3 messages, 1 to 7; 4 missing: 2-4, 6")
    monkeypatch.chdir(tmp_path)
    (line,) = run("collect", "--report", "--json", ".").stdout.splitlines()
    assert msgspec.json.decode(line)["missing"] == [[2, 4], [6, 6]]


def test_a_folder_in_which_nothing_was_collected_has_no_report(tmp_path: Path) -> None:
    report = run("collect", "--report", tmp_path)
    assert report.returncode == 1
    assert "nothing was ever collected here" in report.stderr


def test_a_database_that_cannot_be_reached_stops_the_start_without_telling_the_password() -> None:
    found = run("collect", "postgresql://birds:s3cret@127.0.0.1:1/birds")
    assert found.returncode == 1
    assert "database 127.0.0.1/birds cannot be reached" in found.stderr
    assert "s3cret" not in found.stderr + found.stdout


@pytest.mark.parametrize(("library", "target"), [("pyarrow", "fleet"), ("psycopg", "postgresql://db/birds")])
def test_without_the_extra_one_sentence_says_how_to_get_it(library: str, target: str) -> None:
    code = f"import sys; sys.modules['{library}'] = None; from monitor.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code, "collect", target], capture_output=True, text=True, check=False, timeout=30
    )
    assert found.returncode == 78
    assert "pip install 'dawnchorus[fleet]'" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_fleet_of_fifty_stations_is_whole_in_two_collectors() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "fleet.py", "--stations", "50", "--messages", "40"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "50 of 50 stations complete, 2000 messages kept" in found.stdout, found.stderr

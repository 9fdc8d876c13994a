"""A store goes from program to program, in both directions: what fits is used, what does not is refused and kept."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rigs import Broker, Daemon, Subscriber, configure, kept, need_root, recordings, short_folder, song, until

from monitor.errors import StoreError
from monitor.sinks.database import ADDITIVE, FILE, LEAST, MIGRATIONS, VERSION, connect, migrate
from monitor.sinks.reading import open_read_only
from monitor.sinks.store import Store
from monitor.upkeep import look_after

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def of_version(folder: Path, version: int) -> Path:
    """A store as the program of that version made it, with one message that waits."""
    path = folder / FILE
    with closing(connect(path)) as connection:
        connection.executescript("".join(MIGRATIONS[:version]))
        connection.execute(f"PRAGMA user_version = {min(version, LEAST)}")
        if version > LEAST:
            connection.execute("INSERT INTO made VALUES (?, '0.1.0')", (version,))
        connection.execute("INSERT INTO outbox VALUES (1, 'detections', X'7B7D')")
    return path


def of_the_future(folder: Path, *, additive: bool) -> Path:
    """A store that a much newer program made, with a table that nobody here knows."""
    path = of_version(folder, VERSION)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE whales (sequence INTEGER PRIMARY KEY, song TEXT NOT NULL) STRICT")
        connection.execute("INSERT INTO whales VALUES (7, 'humpback')")
        connection.execute("UPDATE made SET version = 99, program = '9.0.0'")
        if not additive:
            connection.execute("PRAGMA user_version = 99")
    return path


def schema(path: Path) -> dict[str, str]:
    """What each table, index and trigger is made of."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql NOTNULL"))


def dumped(path: Path) -> list[str]:
    """All that a database holds."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_version_that_only_adds_leaves_all_that_was_there_as_it_was(tmp_path: Path) -> None:
    for version in sorted(ADDITIVE):
        folder = tmp_path / str(version)
        folder.mkdir()
        path = of_version(folder, version - 1)
        before = schema(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(MIGRATIONS[version - 1])
        after = schema(path)
        assert before.items() <= after.items()
        tables = set(after) - set(before)
        assert not [name for name in tables if after[name].startswith("CREATE TRIGGER")]


def test_a_store_from_before_an_addition_is_added_to_without_a_copy_and_its_program_can_go_on(tmp_path: Path) -> None:
    path = of_version(tmp_path, LEAST)
    Store(tmp_path, "valley", 1000).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LEAST,)
        assert connection.execute("SELECT version FROM made").fetchall() == [(VERSION,)]
    assert sorted(name.name for name in tmp_path.iterdir() if "before" in name.name) == []
    assert [row["sequence"] for row in kept(tmp_path)["outbox"]] == [1]


def test_an_older_program_keeps_and_publishes_in_a_store_that_a_newer_one_only_added_to(
    tmp_path: Path, broker: Broker, new_subscriber: Callable[..., Subscriber]
) -> None:
    (tmp_path / "store").mkdir()
    of_the_future(tmp_path / "store", additive=True)
    subscriber = new_subscriber(broker.port)
    with Daemon(configure(tmp_path, recordings(song(tmp_path / "song.wav")), broker.port)) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert [row["scientific_name"] for row in tables["detections"]] == ["Parus major"]
    assert tables["outbox"] == []
    assert tables["whales"] == [{"sequence": 7, "song": "humpback"}]
    assert tables["made"] == [{"version": 99, "program": "9.0.0"}]
    until(lambda: [m for m in subscriber.records() if m.content.get("label") == "parus_major"], "it is published")
    assert str(look_after(tmp_path / "store", None, NOW)).startswith("the store is sound")


def test_an_older_program_refuses_what_a_newer_one_changed_and_says_what_to_do(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "store").mkdir()
    path = of_the_future(tmp_path / "store", additive=False)
    before = dumped(path)
    with Daemon(configure(tmp_path, recordings(song(tmp_path / "song.wav")), broker.port)) as daemon:
        assert daemon.ended() == 1
    (line,) = [line for line in daemon.said().splitlines() if "version 99" in line]
    assert f"knows {VERSION}: install dawnchorus 9.0.0 or newer, or put {FILE}.before-99 in its place" in line
    assert dumped(path) == before
    for look in (lambda: open_read_only(path).close(), lambda: look_after(path.parent, None, NOW)):
        with pytest.raises((StoreError, sqlite3.DatabaseError), match=r"install dawnchorus 9\.0\.0 or newer"):
            look()


@pytest.mark.parametrize("version", range(1, LEAST))
def test_before_tables_change_a_copy_is_kept_that_the_earlier_program_can_use(tmp_path: Path, version: int) -> None:
    path = of_version(tmp_path, version)
    before = dumped(path)
    Store(tmp_path, "valley", 1000).close()
    copy = tmp_path / f"{FILE}.before-{LEAST}"
    assert dumped(copy) == before
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert sorted(one.name for one in tmp_path.iterdir()) == [FILE, copy.name]
    assert dumped(path) != before
    copy.replace(path)  # the way back, and forth again
    Store(tmp_path, "valley", 1000).close()
    assert dumped(copy) == before


def test_without_room_for_the_copy_nothing_is_changed() -> None:
    need_root()
    with short_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
        try:
            path = of_version(folder, LEAST - 1)
            before = dumped(path)
            with pytest.raises(StoreError, match=rf"MB are needed to keep the copy {FILE}\.before-{LEAST}"):
                Store(folder, "valley", 1000)
            assert dumped(path) == before
            assert [one.name for one in folder.iterdir() if "before" in one.name] == []
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_copy_that_breaks_off_leaves_no_part_and_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = of_version(tmp_path, LEAST - 1)
    before = dumped(path)

    def fails(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreError, match="Input/output error"):
        Store(tmp_path, "valley", 1000)
    assert dumped(path) == before
    assert [one.name for one in tmp_path.iterdir() if "before" in one.name] == []


def test_a_store_of_an_earlier_version_is_read_as_if_what_it_lacks_were_empty(tmp_path: Path) -> None:
    path = of_version(tmp_path, LEAST)
    before = dumped(path)
    with closing(connect(tmp_path / "new.sqlite")) as connection:
        migrate(connection)
    with closing(open_read_only(path)) as connection:
        for table in (name for name, sql in schema(tmp_path / "new.sqlite").items() if sql.startswith("CREATE TABLE")):
            expected = 1 if table in ("outbox", "outbox_totals") else 0
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (expected,), table  # noqa: S608
    assert dumped(path) == before


def test_a_store_that_is_too_old_to_be_read_says_who_brings_it_up_to_date(tmp_path: Path) -> None:
    path = of_version(tmp_path, LEAST - 1)
    with pytest.raises(StoreError, match=rf"database version {LEAST - 1}, {VERSION} expected: the daemon brings it up"):
        open_read_only(path)

"""A folder of Parquet files: `<table>/received=<day>/<number>.parquet`, made on that day of what came before.

Messages go into a SQLite database in the folder first, which makes them durable and single; from there they move into
files of a size that readers like. A batch of rows gets its number and its end before its file is written, and its rows
go after the file has its name: a collector that is killed in between writes the same rows into the same file again.
The database stays small beside the files and belongs to them: without it nobody knows what is here.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from monitor.clock import rfc3339
from monitor.errors import StoreError
from monitor.fleet.columns import TABLES, Kind
from monitor.fleet.dialect import Dialect
from monitor.fleet.gaps import Holdings
from monitor.fleet.letters import Item
from monitor.fleet.parquet import write_file
from monitor.fleet.tables import AT_ONCE, holdings, write
from monitor.sinks.tables.parquet import require

FILE = "collected.sqlite"
MOST_ROWS = 100_000
"""of a table that wait before they become a file, whatever the time"""

_DIALECT = Dialect(
    mark="?",
    types={
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "INTEGER",
        Kind.REAL: "REAL",
        Kind.BOOLEAN: "INTEGER",
        Kind.TIME: "TEXT",
        Kind.JSON: "TEXT",
        Kind.BYTES: "BLOB",
    },
    place="place INTEGER PRIMARY KEY AUTOINCREMENT",
    clustered="WITHOUT ROWID",
)
_BATCHES = """
CREATE TABLE IF NOT EXISTS batches (
    of TEXT PRIMARY KEY, number INTEGER NOT NULL, received TEXT NOT NULL, last_place INTEGER
)
"""
"""the last of each table, and up to which row it is still on its way into its file"""


class Folder:
    """The archive in a folder, written by one collector at a time.

    Raises StoreError where it cannot be opened and written, and ConfigError where pyarrow is missing.
    """

    def __init__(self, path: Path, every: timedelta) -> None:
        """`every`: how long rows wait before they become files."""
        require()
        self.path, self._every = path, every
        self._due: datetime | None = None
        with _reporting(path, "written"):
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path)
            self._connection = _open(path)
            for table in TABLES:
                self._move(table)

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    def write(self, items: Sequence[Item], now: datetime) -> None:
        """Commit what is new. StoreError where the disk refuses."""
        with _reporting(self.path, "written"):
            for start in range(0, len(items), AT_ONCE):
                with _transaction(self._connection) as cursor:
                    write(cursor, _DIALECT, items[start : start + AT_ONCE], str(rfc3339(now)))

    def tend(self, now: datetime) -> None:
        """Make files of what has waited long enough, or is much."""
        self._due = self._due or now + self._every
        late = now >= self._due
        with _reporting(self.path, "written"):
            for table in TABLES:
                self._move(table)  # what has failed before, and may have its file
                first, last = self._waiting(table)
                if last is not None and (late or last - first >= MOST_ROWS):
                    self._begin(table, last, now)
                    self._move(table)
        if late:
            self._due = now + self._every

    def close(self, now: datetime) -> None:
        """Make files of all that waits."""
        self._due = now
        try:
            self.tend(now)
        finally:
            self._connection.close()
            os.close(self._lock)

    def _waiting(self, table: str) -> tuple[int, int | None]:
        """The first and the last row of a table that is in no file."""
        first, last = self._connection.execute(f"SELECT min(place), max(place) FROM {table}").fetchone()  # noqa: S608
        return first, last

    def _begin(self, table: str, last: int, now: datetime) -> None:
        """Say which rows the next file gets."""
        with _transaction(self._connection) as cursor:
            cursor.execute(
                "INSERT INTO batches VALUES (?, 1, ?, ?) ON CONFLICT (of) DO UPDATE SET "
                "number = number + 1, received = excluded.received, last_place = excluded.last_place",
                (table, f"{now:%Y-%m-%d}", last),
            )

    def _move(self, table: str) -> None:
        """Write the rows that are on their way into their file, and let go of them."""
        query = "SELECT number, received, last_place FROM batches WHERE of = ? AND last_place IS NOT NULL"
        for number, received, last in self._connection.execute(query, (table,)).fetchall():
            columns = TABLES[table]
            names = ", ".join(f'"{column.name}"' for column in columns)
            order = "place" if table == "rejected" else "station, generation, sequence"
            rows = self._connection.execute(
                f"SELECT {names} FROM {table} WHERE place <= ? ORDER BY {order}",  # noqa: S608
                (last,),
            )
            write_file(self.path / table / f"received={received}" / f"{number:06d}.parquet", columns, rows)
            with _transaction(self._connection) as cursor:
                cursor.execute(f"DELETE FROM {table} WHERE place <= ?", (last,))  # noqa: S608
                cursor.execute("UPDATE batches SET last_place = NULL WHERE of = ?", (table,))


def look(path: Path) -> Holdings:
    """What is in a folder, in files or on its way into one. StoreError where nobody can look."""
    if not (path / FILE).is_file():
        msg = f"folder {path}: nothing was ever collected here, {FILE} expected"
        raise StoreError(msg)
    with (
        _reporting(path, "read"),
        closing(sqlite3.connect(f"{(path / FILE).resolve().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        return holdings(connection.cursor())


def _lock(path: Path) -> int:
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        msg = f"folder {path}: another collector writes it; give each a folder of its own"
        raise StoreError(msg) from error
    return descriptor


def _open(path: Path) -> sqlite3.Connection:
    """The database, with tables for all that this program knows."""
    connection = sqlite3.connect(path / FILE, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with _transaction(connection) as cursor:
        for statement in (_BATCHES, *_DIALECT.tables()):
            cursor.execute(statement)
        for table, columns in TABLES.items():
            there = {row[1] for row in cursor.execute(f"PRAGMA table_info({table})")}
            for column in columns:
                if column.name not in there:
                    cursor.execute(f"ALTER TABLE {table} ADD COLUMN {_DIALECT.defined(column)}")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """All of it or nothing."""
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
        cursor.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise


@contextmanager
def _reporting(path: Path, what: str) -> Iterator[None]:
    """Say what the disk or the database refuses as StoreError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        msg = f"folder {path} cannot be {what}: {getattr(error, 'strerror', None) or error}"
        raise StoreError(msg) from error

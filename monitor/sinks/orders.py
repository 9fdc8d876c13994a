"""What a station was ordered, as far as it outlasts a restart: marks, thresholds, and which commands were obeyed."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TypeVar

from monitor.errors import StoreError
from monitor.sinks.database import connect

T = TypeVar("T")

MOST_TAKEN = 10_000
"""commands that are remembered, as long as they have not expired or nobody knows"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A remark about the deployment, such as `microphone changed`."""

    id: str
    at_utc: str | None
    """by the station's clock"""
    clock_quality: str
    issued_utc: str
    """by the clock of who sent it"""
    text: str


MARK_COLUMNS = tuple(field.name for field in fields(Mark))


class Orders:
    """A connection of its own to the store, for any number of threads.

    Each method raises StoreError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """`path`: of a store that has been opened before, and so has the tables."""
        self._path, self._connection, self._lock = path, connect(path), threading.Lock()

    def taken(self, command_id: str) -> bool:
        """Whether a command was obeyed before."""
        query = "SELECT 1 FROM commands WHERE id = ?"
        return self._run(lambda c: c.execute(query, (command_id,)).fetchone() is not None)

    def newest(self) -> str | None:
        """When the newest command was issued of those whose time was vouched for, when they were obeyed or since."""
        query = "SELECT max(issued_utc) FROM commands WHERE vouched"
        return self._run(lambda c: c.execute(query).fetchone()[0])

    def take(self, command_id: str, issued_utc: str, until_utc: str, *, vouched: bool) -> None:
        """Remember a command before it is obeyed. StoreError also where too many are remembered already."""

        def write(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT count(*) FROM commands").fetchone()[0] >= MOST_TAKEN:
                msg = f"{MOST_TAKEN} commands are remembered, of which none is known to have expired"
                raise StoreError(msg)
            row = (command_id, issued_utc, until_utc, vouched)
            connection.execute("INSERT INTO commands VALUES (?, ?, ?, ?)", row)

        self._run(write)

    def forget(self, utc: str) -> None:
        """Forget commands that have expired by a time that is vouched for, but for the one that `newest` tells of."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE commands SET vouched = TRUE WHERE until_utc < ?", (utc,))
            newest = connection.execute("SELECT id FROM commands WHERE vouched ORDER BY issued_utc DESC").fetchone()
            expired = connection.execute("SELECT id FROM commands WHERE until_utc < ?", (utc,)).fetchall()
            connection.executemany("DELETE FROM commands WHERE id = ?", [row for row in expired if row != newest])

        self._run(write)

    def mark(self, mark: Mark) -> None:
        """Keep a mark."""
        statement = f"INSERT INTO marks ({', '.join(MARK_COLUMNS)}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        self._run(lambda c: c.execute(statement, astuple(mark)))

    def thresholds(self) -> dict[str, float]:
        """The thresholds that were ordered, by species."""
        return dict(self._run(lambda c: c.execute("SELECT species, threshold FROM thresholds").fetchall()))

    def set_threshold(self, species: str, threshold: float | None) -> None:
        """Keep a threshold for a species; None: there is no order any more."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM thresholds WHERE species = ?", (species,))
            if threshold is not None:
                connection.execute("INSERT INTO thresholds VALUES (?, ?)", (species, threshold))

        self._run(write)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """All of it or nothing."""
        try:
            with self._lock, self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                return work(connection)
        except sqlite3.Error as error:
            msg = f"store {self._path} cannot be read or written: {error}"
            raise StoreError(msg) from error

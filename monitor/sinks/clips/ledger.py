"""The store's table of clips: a row for each that was ever kept, whether it is still there, and if not, why.

A row is written before its file, so that no file of ours is without one, whenever the power goes. A clip is marked,
and stays, where its row is pinned or the last verdict on its detection was not a rejection.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from monitor.clock import Quality, rfc3339
from monitor.errors import StoreError
from monitor.sinks.clips.clip import About
from monitor.sinks.clips.retention import Holding, Why
from monitor.sinks.database import connect

T = TypeVar("T")

AT_ONCE = 50
"""clips deleted in one transaction, for which other writers wait: some hundred milliseconds on a slow card"""

_MARKED = """(pinned OR EXISTS (
    SELECT 1 FROM verdicts v WHERE v.detection = clips.detection AND v.verdict <> 'rejected'
        AND v.sequence = (SELECT max(sequence) FROM verdicts WHERE detection = clips.detection)
))"""
_TIMELESS = f"('{Quality.UNSYNCED}', '{Quality.UNKNOWN}')"
_HELD = f"""
SELECT number, file, species, clips.confidence,
    CASE WHEN coalesce(d.clock_quality, clips.clock_quality) NOT IN {_TIMELESS}
        THEN coalesce(d.onset_utc, start_utc) END,
    bytes, {_MARKED}
FROM clips LEFT JOIN detections d ON d.id = clips.detection WHERE state = 'kept' AND folder = ?
"""  # noqa: S608
"""a detection's time may have been corrected since"""
_MAY_GO = f"SELECT 1 FROM clips WHERE number = ? AND state = 'kept' AND NOT {_MARKED}"  # noqa: S608
_NEWEST = f"SELECT max(start_utc) FROM minutes WHERE clock_quality NOT IN {_TIMELESS}"  # noqa: S608
_DELETED = "UPDATE clips SET state = 'deleted', why = ?, at_utc = ? WHERE number = ?"

Going = tuple[Holding, Why]


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip that is going to be written."""

    file: str
    """below the folder"""
    about: About
    length_s: float
    size: int
    """bytes, with its picture"""


class Ledger:
    """A connection of its own to the store, for any number of threads.

    Each method raises StoreError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """`path`: of a store that has been opened before, and so has the tables."""
        self._path, self._connection, self._lock = path, connect(path), threading.Lock()
        self._since = int(self._read("SELECT coalesce(max(sequence), 0) FROM detections")[0][0])
        self._detections: dict[str, int] | None = None

    def detections(self, species: str) -> int:
        """How many of a species the store held when this was opened."""
        if self._detections is None:
            query = (
                "SELECT CASE scientific_name WHEN '' THEN label ELSE scientific_name END, count(*) FROM detections "
                "WHERE sequence <= ? GROUP BY 1"
            )
            self._detections = dict(self._read(query, self._since))
        return self._detections.get(species, 0)

    def clips(self, species: str) -> int:
        """How many of a species were ever kept, in whatever folder."""
        return int(self._read("SELECT count(*) FROM clips WHERE species = ?", species)[0][0])

    def of_day(self, day: str) -> dict[str, int]:
        """How many were ever kept on a day, by species."""
        query = "SELECT species, count(*) FROM clips WHERE file >= ? || '/' AND file < ? || '0' GROUP BY species"
        return dict(self._read(query, day, day))

    def receiver(self) -> tuple[float, float] | None:
        """Latitude and longitude of the satellite receiver, in degrees; None where there was none."""
        rows = self._read("SELECT latitude, longitude FROM position")
        return (rows[0][0], rows[0][1]) if rows else None

    def newest(self) -> datetime | None:
        """When the newest minute began whose time somebody vouches for."""
        return _time(self._read(_NEWEST)[0][0])

    def held(self, folder: str) -> list[Holding]:
        """All that should be in a folder."""
        return self._run(lambda: _held(self._connection, folder))

    def vanished(self, folder: str) -> dict[str, int]:
        """The rows by file of those that somebody else took out of a folder."""
        query = "SELECT file, max(number) FROM clips WHERE folder = ? AND state = 'deleted' AND why = ? GROUP BY file"
        return dict(self._read(query, folder, Why.VANISHED))

    def add(self, folder: str, entry: Entry) -> int:
        """Keep a row; its number."""
        about = entry.about
        cells = (folder, entry.file, about.detection, about.species, about.confidence, rfc3339(about.start))
        statement = (
            "INSERT INTO clips (folder, file, detection, species, confidence, start_utc, clock_quality, length_s,"
            " bytes, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'kept')"
        )
        more = (about.clock_quality, round(entry.length_s, 3), entry.size)
        return int(self._write(lambda c: c.execute(statement, (*cells, *more)).lastrowid) or 0)

    def withdraw(self, number: int) -> None:
        """Take a row back whose file could not be written."""
        self._write(lambda c: c.execute("DELETE FROM clips WHERE number = ?", (number,)))

    def delete(self, going: Sequence[Going], at: datetime, remove: Callable[[str], None]) -> list[Going]:
        """Delete by `remove`, which takes a file, what is still here and unmarked, and say why; what was deleted.

        Nobody can mark one in between. Where `remove` raises OSError the clip stays; that is raised when those before
        it have their reasons.
        """
        done: list[Going] = []
        for first in range(0, len(going), AT_ONCE):
            batch = going[first : first + AT_ONCE]
            gone, refusal = self._write(lambda c, batch=batch: _delete(c, batch, at, remove))  # type: ignore[misc]
            done += gone
            if refusal is not None:
                raise refusal
        return done

    def lose(self, numbers: Iterable[int], at: datetime) -> None:
        """Say of clips that somebody else took them away."""
        cells = [(Why.VANISHED, rfc3339(at), number) for number in numbers]
        if cells:
            self._write(lambda c: c.executemany(_DELETED, cells))

    def regain(self, numbers: Iterable[int]) -> None:
        """Say of clips that they are there again."""
        cells = [(number,) for number in numbers]
        statement = "UPDATE clips SET state = 'kept', why = NULL, at_utc = NULL WHERE number = ?"
        if cells:
            self._write(lambda c: c.executemany(statement, cells))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(lambda: self._connection.execute(query, values).fetchall())

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """All of it or nothing."""

        def transaction() -> T:
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                return work(connection)

        return self._run(transaction)

    def _run(self, work: Callable[[], T]) -> T:
        try:
            with self._lock:
                return work()
        except sqlite3.Error as error:
            msg = f"store {self._path} cannot be read or written: {error}"
            raise StoreError(msg) from error


def _held(connection: sqlite3.Connection, folder: str) -> list[Holding]:
    """Clips that are kept in a folder."""
    rows = connection.execute(_HELD, (folder,))
    return [
        Holding(number, file, species, confidence, _time(utc), size, bool(marked))
        for number, file, species, confidence, utc, size, marked in rows
    ]


def _delete(
    connection: sqlite3.Connection, going: Sequence[Going], at: datetime, remove: Callable[[str], None]
) -> tuple[list[Going], OSError | None]:
    done: list[Going] = []
    for clip, why in going:
        if connection.execute(_MAY_GO, (clip.number,)).fetchone() is None:
            continue
        try:
            remove(clip.file)
        except OSError as error:
            return done, error
        connection.execute(_DELETED, (why, rfc3339(at), clip.number))
        done.append((clip, why))
    return done, None


def _time(utc: str | None) -> datetime | None:
    return None if utc is None else datetime.fromisoformat(utc)

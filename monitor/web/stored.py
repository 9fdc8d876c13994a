"""What the store of this device knows, read while the daemon writes. By key only: it may have a million rows."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from monitor.errors import StoreError
from monitor.sinks import verdicts
from monitor.sinks.database import FILE
from monitor.sinks.reading import open_read_only
from monitor.web.files import ClipFolder
from monitor.web.knowing import Asked, Change, Found, Hour, Judgement, Sheet

LOOKED_AT = 2_000
"""rows for one sheet at most, where only some are wanted; the next sheet goes on from there"""
AT_ONCE = 200
"""new detections told at once"""

_COLUMNS = tuple(name for name in Found.__struct_fields__ if name not in {"verdict", "clip"})
_NAMES = ", ".join(_COLUMNS)
_HOUR = ", ".join(Hour.__struct_fields__)
_LAST = "SELECT last_sequence FROM outbox_totals"
BEYOND = 2**62


@dataclass(frozen=True, slots=True)
class Stored:
    """A store and its clips."""

    folder: Path
    clips: ClipFolder | None

    @property
    def path(self) -> Path:
        """The database."""
        return self.folder / FILE

    def sheet(self, before: int | None, limit: int, species: str, asked: Asked) -> Sheet:
        """Detections before a sequence number."""
        start = BEYOND if before is None else before
        with self._opened() as connection:
            if not species and asked == "any":
                query = f"SELECT {_NAMES} FROM detections WHERE sequence < ? ORDER BY sequence DESC LIMIT ?"  # noqa: S608
                rows = connection.execute(query, (start, limit)).fetchall()
                more = rows[-1][0] if len(rows) == limit else None
            else:
                rows, more = _some(connection, start, limit, species, asked)
            return Sheet(self._found(connection, rows), more)

    def one(self, detection: str) -> Found | None:
        """A detection by its id."""
        with self._opened() as connection:
            query = f"SELECT {_NAMES} FROM detections WHERE id = ?"  # noqa: S608
            found = self._found(connection, connection.execute(query, (detection,)).fetchall())
            return found[0] if found else None

    def effort(self, hours: int) -> list[Hour]:
        """The last accounts, the newest first."""
        with self._opened() as connection:
            query = f"SELECT {_HOUR} FROM effort ORDER BY sequence DESC LIMIT ?"  # noqa: S608
            return [Hour(*row) for row in connection.execute(query, (hours,))]

    def since(self, last: int | None) -> Change:
        """What came after a sequence number."""
        with self._opened() as connection:
            if last is None:
                return Change(connection.execute(_LAST).fetchone()[0], [], [])
            connection.execute("BEGIN")  # all of it at one moment
            newest = connection.execute(_LAST).fetchone()[0]
            if newest == last:
                return Change(last, [], [])
            query = f"SELECT {_NAMES} FROM detections WHERE sequence > ? ORDER BY sequence DESC LIMIT ?"  # noqa: S608
            rows = connection.execute(query, (last, AT_ONCE)).fetchall()[::-1]
            judged = connection.execute("SELECT detection FROM verdicts WHERE sequence > ? LIMIT ?", (last, AT_ONCE))
            return Change(newest, self._found(connection, rows), [row[0] for row in judged])

    def _found(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[Found]:
        """Rows with their verdicts, and whether they have a clip."""
        bare = [Found(*row) for row in rows]
        said = verdicts.on(connection, [one.id for one in bare])
        heard = set() if self.clips is None else self.clips.have(bare)
        return [
            msgspec.structs.replace(one, verdict=_judgement(said.get(one.id)), clip=one.id in heard) for one in bare
        ]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if not self.path.is_file():
            msg = f"{self.folder}: no store in this folder: {FILE} expected"
            raise StoreError(msg)
        try:
            with closing(open_read_only(self.path)) as connection:
                yield connection
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise StoreError(msg) from error


def _some(
    connection: sqlite3.Connection, before: int, limit: int, species: str, asked: Asked
) -> tuple[list[tuple[Any, ...]], int | None]:
    """Those that are wanted among the next rows, and where to go on."""
    query = f"""
        SELECT {_NAMES}, coalesce((SELECT verdict FROM verdicts v WHERE v.detection = d.id ORDER BY v.sequence DESC LIMIT 1), 'open')
        FROM detections d WHERE sequence < ? ORDER BY sequence DESC LIMIT ?
    """  # noqa: S608, E501
    wanted: list[tuple[Any, ...]] = []
    at, looked = before, 0
    for row in connection.execute(query, (before, LOOKED_AT)):
        at, looked = row[0], looked + 1
        of_species = not species or species in row[2:4]
        if of_species and asked in {"any", row[-1]}:
            wanted.append(row[:-1])
            if len(wanted) == limit:
                return wanted, at
    return wanted, at if looked == LOOKED_AT else None


def _judgement(verdict: verdicts.Verdict | None) -> Judgement | None:
    if verdict is None:
        return None
    return Judgement(verdict.verdict, verdict.scientific_name, verdict.who, verdict.at_utc, verdict.note)

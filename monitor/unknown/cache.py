"""What was embedded before, in a file beside the recordings: asking once more takes seconds, not hours.

A recording is known by its path below the folder, its size, when it was written, and the network. Each is written when
it is done, so that what was ended goes on from there.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from monitor.unknown.collection import Windows
from monitor.unknown.embedding import Embedded

logger = logging.getLogger(__name__)

FILE = ".dawnchorus-embeddings.sqlite"
VERSION = 1
_SCHEMA = """CREATE TABLE recordings(
path TEXT NOT NULL, model TEXT NOT NULL, stamp TEXT NOT NULL, start_utc TEXT, count INTEGER NOT NULL,
starts_s BLOB NOT NULL, levels_dbfs BLOB NOT NULL,
standings_db BLOB NOT NULL, scores BLOB NOT NULL, labels BLOB NOT NULL, vectors BLOB NOT NULL,
PRIMARY KEY (path, model)) STRICT"""
_TYPES = {
    "starts_s": np.float64,
    "levels_dbfs": np.float32,
    "standings_db": np.float32,
    "scores": np.float32,
    "labels": np.int64,
    "vectors": np.float16,
}
"""columns of windows, as they lie in the file"""


class Cache:
    """Of one folder and one network. It never stands in the way: where it cannot be used, that is said, once."""

    def __init__(self, folder: Path, model: str) -> None:
        self.path, self._model = folder / FILE, model
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = self._opened()
        except sqlite3.DatabaseError as error:
            self._give_up(error)

    def find(self, path: str, stamp: str) -> Embedded | None:
        """What a recording came to; None where that is not known, or it was written to since."""
        columns = ", ".join(_TYPES)
        query = f"SELECT start_utc, count, {columns} FROM recordings WHERE path = ? AND model = ? AND stamp = ?"  # noqa: S608
        with self._use() as connection:
            row = connection.execute(query, (path, self._model, stamp)).fetchone() if connection else None
            return None if row is None else _read(*row)
        return None

    def keep(self, path: str, stamp: str, embedded: Embedded) -> None:
        """Remember what a recording came to, in the place of what it was."""
        windows = embedded.windows
        blobs = [getattr(windows, name).astype(kind).tobytes() for name, kind in _TYPES.items()]
        row = (path, self._model, stamp, embedded.start_utc, len(windows), *blobs)
        with self._use() as connection:
            if connection:
                marks = ", ".join("?" * len(row))
                with connection:
                    connection.execute(f"INSERT OR REPLACE INTO recordings VALUES ({marks})", row)  # noqa: S608

    def forget_others(self, paths: Iterable[str]) -> None:
        """Of recordings that are no longer there."""
        there = set(paths)
        with self._use() as connection:
            known = connection.execute("SELECT DISTINCT path FROM recordings").fetchall() if connection else []
            gone = [row for row in known if row[0] not in there]
            if connection and gone:
                with connection:
                    connection.executemany("DELETE FROM recordings WHERE path = ?", gone)

    def close(self) -> None:
        """Leave one file."""
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return _connected(self.path)
        except sqlite3.OperationalError:  # not ours to write, or another is writing
            raise
        except sqlite3.DatabaseError:  # damaged, or of another version: all in it can be had again
            self.path.unlink()
            return _connected(self.path)

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection | None]:
        try:
            yield self._connection
        except sqlite3.DatabaseError as error:
            self._give_up(error)

    def _give_up(self, error: sqlite3.DatabaseError) -> None:
        logger.warning("%s: %s; what is found here is not remembered for the next time", self.path, error)
        self.close()
        self._connection = None


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30)
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                msg = f"version {version}"
                raise sqlite3.DatabaseError(msg)
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error), closing(connection):
            connection.rollback()
        raise
    return connection


def _read(start_utc: str | None, count: int, *blobs: bytes) -> Embedded | None:
    columns = {name: np.frombuffer(blob, kind) for blob, (name, kind) in zip(blobs, _TYPES.items(), strict=True)}
    return Embedded(start_utc, Windows(**columns | {"vectors": columns["vectors"].reshape(count, -1)}))

"""Outcomes on the disk as they come, so that an analysis that was ended, however, goes on from there.

A SQLite file beside the tables, one transaction a recording: killed at any moment it holds each outcome whole or not
at all. It is flushed to the disk once a second, so that a power cut costs the work of the last second and nothing is
ever wrong. It stays when all is done: the same call again has nothing to do, and further recordings or other formats
cost no more than themselves.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from monitor.batch.found import Recording
from monitor.batch.outcome import Outcome
from monitor.errors import ConfigError, StoreError

NAME = ".analysis.journal"
FLUSHED_S = 1.0
_PRIMARY = 0xFF
"""of an extended error code of SQLite"""

_TABLES = """
CREATE TABLE IF NOT EXISTS terms (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS complete (yes INTEGER PRIMARY KEY) STRICT;
"""
_OUTCOMES = """
CREATE TABLE IF NOT EXISTS outcomes (
    paths BLOB PRIMARY KEY, stamp TEXT NOT NULL, failed INTEGER NOT NULL, outcome TEXT NOT NULL, scores BLOB NOT NULL
) STRICT
"""


class Journal:
    """The journal of one folder, for one process at a time."""

    def __init__(
        self,
        directory: Path,
        signature: Mapping[str, str],
        *,
        fresh: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on with what is there, or begin where there is nothing or `fresh` says so.

        ConfigError where an unfinished analysis by another signature is there; a finished one is begun anew.
        StoreError where the folder cannot be written, is in use, or holds a damaged journal.
        """
        self.path = directory / NAME
        self._monotonic, self._flushed = monotonic, monotonic()
        with self._failing():
            directory.mkdir(parents=True, exist_ok=True)
            if fresh:
                for suffix in ("", "-wal", "-journal"):
                    self.path.with_name(NAME + suffix).unlink(missing_ok=True)
            self._database = sqlite3.connect(self.path, timeout=0.5, isolation_level=None)
        try:
            self.replaced = self._begin(signature)
        except BaseException:
            self.close()
            raise

    def knows(self, recording: Recording) -> bool:
        """Whether a recording was analysed as it is now; one that failed is worth another look."""
        with self._failing():
            row = self._database.execute(
                "SELECT 1 FROM outcomes WHERE paths = ? AND stamp = ? AND NOT failed",
                (_key(recording), recording.stamp),
            ).fetchone()
        return row is not None

    def add(self, recording: Recording, outcome: Outcome) -> None:
        """Keep what a recording came to. StoreError where the disk refuses."""
        told = (bool(outcome.failures), outcome.text(), outcome.scores)
        with self._failing():
            self._database.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?)", (_key(recording), recording.stamp, *told)
            )
        if self._monotonic() - self._flushed >= FLUSHED_S:
            self.flush()

    def flush(self) -> None:
        """Have the disk write what it holds back."""
        with self._failing():
            self._database.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        self._flushed = self._monotonic()

    def outcome(self, recording: Recording) -> Outcome:
        """What a recording came to that is in here. StoreError where it is not."""
        with self._failing():
            row = self._database.execute(
                "SELECT outcome, scores FROM outcomes WHERE paths = ?", (_key(recording),)
            ).fetchone()
            return Outcome.read(*row)

    def complete(self) -> None:
        """The tables are written: other terms may replace this."""
        with self._failing():
            self._database.execute("INSERT OR REPLACE INTO complete VALUES (1)")
        self.flush()

    def close(self) -> None:
        """Leave the file to others."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _begin(self, signature: Mapping[str, str]) -> list[str]:
        """Which terms of a finished analysis were replaced."""
        with self._failing():
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                self._database.execute(f"PRAGMA {pragma}").fetchall()
            self._database.executescript(_TABLES)
            kept = dict(self._database.execute("SELECT name, value FROM terms"))
            complete = self._database.execute("SELECT 1 FROM complete").fetchone() is not None
        changed = [name for name in {**kept, **signature} if kept and kept.get(name) != signature.get(name)]
        if changed and not complete:
            raise ConfigError(_unfinished(self.path.parent, changed, kept, signature))
        with self._failing(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM complete")
            self._database.execute("DELETE FROM terms")
            self._database.executemany("INSERT INTO terms VALUES (?, ?)", signature.items())
            if changed:
                self._database.execute("DROP TABLE IF EXISTS outcomes")  # which another version made
            self._database.execute(_OUTCOMES)
        return changed

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError, TypeError, ValueError) as error:
            msg = f"{self.path}: {_reason(error)}"
            raise StoreError(msg) from error


def _key(recording: Recording) -> bytes:
    """A name need not be UTF-8, and holds no zero byte."""
    return b"\0".join(os.fsencode(str(path)) for path in recording.paths)


def _reason(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & _PRIMARY == sqlite3.SQLITE_BUSY:
        return "another analysis is writing into this folder: wait for it, or give another --output"
    if isinstance(error, sqlite3.OperationalError | OSError):
        return f"the journal of the analysis cannot be written: {getattr(error, 'strerror', None) or error}"
    return f"the journal of the analysis is damaged, --fresh begins anew: {error}"


def _unfinished(directory: Path, changed: Sequence[str], kept: Mapping[str, str], now: Mapping[str, str]) -> str:
    differences = [f"{name} {kept.get(name, 'none')}, now {now.get(name, 'none')}" for name in changed]
    return (
        f"{directory}: an analysis on other terms is not finished there ({'; '.join(differences)}): give the same to "
        "go on with it, or --fresh to begin anew"
    )

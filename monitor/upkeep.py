"""What a store needs once a day: to be found sound, that what is old goes, that its log is short and there is room.

The service may run beside it: it waits for no transaction of ours longer than for one of its own. What has not been
delivered yet is never taken out, and neither is what nobody knows the time of.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor import hardware
from monitor.clock import rfc3339
from monitor.config.clips import Clips
from monitor.errors import StoreError
from monitor.sinks.clips.ledger import Ledger
from monitor.sinks.clips.retention import Why
from monitor.sinks.clips.room import Reconciled, Room
from monitor.sinks.database import FILE, VERSION, connect, version_of

ROWS = 500
"""in one transaction, which takes some milliseconds"""
CHECKPOINT_MS = 500
"""for which it may wait for who reads, and who writes waits for it"""
LEAST_FREE_BYTES = 50_000_000
"""ten busy days of detections and effort"""

_NEWEST = "SELECT max(start_utc) FROM minutes WHERE clock_quality <> 'unsynced'"
_DELIVERED = "sequence NOT IN (SELECT sequence FROM outbox)"
_OLD = {
    "detections": f"onset_utc < ? AND {_DELIVERED}",
    "effort": f"start_utc < ? AND {_DELIVERED}",
    "minutes": "start_utc < ?",
    # of whatever time: what they correct is gone
    "corrections": f"? NOTNULL AND NOT EXISTS (SELECT 1 FROM detections d WHERE d.id = corrections.id) "  # noqa: S608
    f"AND NOT EXISTS (SELECT 1 FROM effort e WHERE e.id = corrections.id) AND {_DELIVERED}",
    "clips": "state = 'deleted' AND at_utc < ?",
}
"""table -> which of its rows are older than a time"""


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a store after it was looked after."""

    removed: dict[str, int]
    """rows by table that were too old; empty where nothing grows old"""
    store_bytes: int
    log_emptied: bool
    """False where somebody reads it just now: the next time will do"""
    free_bytes: int | None
    """None where the system does not say"""
    clips: str = ""
    """what became of them, in some words; empty where none are kept"""
    clips_failed: str | None = None
    """why they could not be looked at; None: they could"""

    @property
    def short_of_space(self) -> bool:
        """Whether somebody should come."""
        return self.free_bytes is not None and self.free_bytes < LEAST_FREE_BYTES

    def __str__(self) -> str:
        """In one line."""
        removed = ", ".join(f"{count} {table}" for table, count in self.removed.items() if count)
        told = [
            "the store is sound",
            f"{removed or 'nothing'} taken out",
            f"{self.store_bytes / 1e6:.1f} MB{'' if self.log_emptied else ' and a log that is in use'}",
            "free space unknown" if self.free_bytes is None else f"{self.free_bytes / 1e9:.2f} GB free",
        ]
        return "; ".join(filter(None, [*told, self.clips, self.clips_failed]))


def look_after(directory: Path, keep: timedelta | None, now: datetime, clips: Clips | None = None) -> Condition:
    """Look after the store in a folder; rows older than `keep` go, None: nothing does. And after `clips`, if any.

    StoreError where there is none, it is of another version or damaged, or the disk refuses.
    """
    path = directory / FILE
    if not path.is_file():
        msg = f"{directory}: no store in this folder: {FILE} expected"
        raise StoreError(msg)
    try:
        with closing(connect(path)) as connection:
            _check(connection, path)
            removed = {} if keep is None else prune(connection, keep, now)
            connection.execute("PRAGMA optimize")
            connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_MS}")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        condition = Condition(removed, path.stat().st_size, not busy, hardware.free_bytes(directory))
    except (OSError, sqlite3.Error) as error:
        msg = f"store {path} cannot be looked after: {error}"
        raise StoreError(msg) from error
    return condition if clips is None else _with_clips(condition, path, clips, now)


def _with_clips(condition: Condition, path: Path, clips: Clips, now: datetime) -> Condition:
    """Compare the clips with their rows, and delete what is too much."""
    folder = Path(clips.directory).absolute()
    try:
        with closing(Ledger(path)) as ledger:
            room = Room(ledger, folder, lambda: now)
            found = room.reconcile()
            newest = ledger.newest()
            room.make(clips.keep, None, newest and min(newest, now))
    except (OSError, StoreError) as error:
        reason = getattr(error, "strerror", None) or error
        return replace(condition, clips_failed=f"clips in {folder} could not be looked at: {reason}")
    return replace(condition, clips=_told(room.deleted, found))


def _told(deleted: Counter[Why], found: Reconciled) -> str:
    reasons = ", ".join(f"{count} for {why}" for why, count in sorted(deleted.items()))
    told = [f"{deleted.total()} clips deleted" + (f" ({reasons})" if reasons else "")]
    told += [f"{found.vanished} taken away by others"] if found.vanished else []
    told += [f"{found.returned} there again"] if found.returned else []
    files = "1 file" if found.unknown == 1 else f"{found.unknown} files"
    return "; ".join([*told, *([f"{files} there that nobody knows"] if found.unknown else [])])


def prune(connection: sqlite3.Connection, keep: timedelta, now: datetime) -> dict[str, int]:
    """Take out what is older, in small transactions; return rows by table. sqlite3.Error where the disk refuses.

    Age counts from the newest minute of the ledger where that is before `now`: a clock that was set years ahead must
    not empty a store.
    """
    (newest,) = connection.execute(_NEWEST).fetchone()
    if newest is None:
        return {}
    before = str(rfc3339(min(datetime.fromisoformat(newest), now) - keep))
    return {table: _remove(connection, table, before) for table in _OLD}


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version < VERSION:
        msg = f"{path}: database version {version}, {VERSION} expected: the daemon brings it up to date"
        raise StoreError(msg)
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        msg = f"{path} is damaged, and nothing was changed: {' '.join(str(said).split())}"
        raise StoreError(msg)


def _remove(connection: sqlite3.Connection, table: str, before: str) -> int:
    """Rows of a table. What is to go is found without a lock, and goes piece by piece."""
    query = f"SELECT rowid FROM {table} WHERE {_OLD[table]} LIMIT {ROWS}"  # noqa: S608
    removed = 0
    while old := connection.execute(query, (before,)).fetchall():
        _delete(connection, table, old)
        removed += len(old)
    return removed


def _delete(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[int]]) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", rows)  # noqa: S608

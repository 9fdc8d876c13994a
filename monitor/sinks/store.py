"""SQLite on the device: detections, effort, and the outbox of what the broker has not yet acknowledged.

A detection and its outbox row are one transaction. While the disk refuses to write, records wait in
memory, in order and bounded, and every window is an occasion to try again.
"""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from monitor.errors import StoreError
from monitor.messages import DetectionMessage, EffortMessage
from monitor.sinks.database import FILE, SCHEMA, VERSION, connect

logger = logging.getLogger(__name__)

HELD_RECORDS = 10_000
"""records that wait in memory for a disk that does not write; then the oldest goes, counted"""
RETRY_S = 5.0

Message = DetectionMessage | EffortMessage
Build = Callable[[int], Message]
"""sequence number -> message"""


class Store:
    """The database, written by one thread.

    Raises StoreError, naming the folder, where it cannot be opened and written when it is made.
    """

    def __init__(
        self, directory: Path, station: str, outbox_rows: int, wake: Callable[[], None] = lambda: None
    ) -> None:
        """`wake` is called when the outbox got a row."""
        self.path = directory / FILE
        self._station, self._outbox_rows, self._wake = station, outbox_rows, wake
        self._waiting: deque[Build] = deque()
        self._dropped = 0
        self._failing_since: float | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = connect(self.path)
            self._create()
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"store in {directory} cannot be written: {reason}; choose another with store.directory"
            raise StoreError(msg) from error

    def add(self, build: Build) -> None:
        """Keep a message together with its outbox row, now or as soon as the disk takes it."""
        if len(self._waiting) >= HELD_RECORDS:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(build)
        self.flush()

    def flush(self) -> bool:
        """Write what waits; False while the disk refuses."""
        while self._waiting:
            try:
                self._write(self._waiting[0])
            except sqlite3.Error as error:
                self._report(error)
                return False
            self._waiting.popleft()
        if self._failing_since is not None:
            logger.info("store writes again; %d records were dropped meanwhile", self._dropped)
            self._failing_since = None
        return True

    def retry(self, monotonic: float) -> None:
        """An occasion to write what waits, taken every few seconds."""
        if self._failing_since is not None and monotonic - self._failing_since > RETRY_S:
            self._failing_since = monotonic
            self.flush()

    def close(self) -> None:
        """Write what waits and close."""
        if not self.flush():
            logger.error("store: %d records could not be written and are lost", len(self._waiting))
        self._connection.close()

    def _create(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            msg = f"database version {version} is newer than this program's {VERSION}"
            raise sqlite3.DatabaseError(msg)
        if version == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("UPDATE outbox SET topic = topic WHERE FALSE")
        self._connection.execute("COMMIT")

    def _write(self, build: Build) -> None:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            last = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            message = build(last[0] + 1 if last else 1)
            table = "detections" if isinstance(message, DetectionMessage) else "effort"
            row = msgspec.structs.asdict(message)
            columns = [name for name in row if name not in {"schema", "station", "sequence"}]
            names, places = ", ".join(columns), ", ".join("?" * len(columns))
            cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", [row[c] for c in columns])  # noqa: S608
            payload = msgspec.json.encode(message)
            cursor.execute("INSERT INTO outbox (topic, payload) VALUES (?, ?)", (table, payload))
            bound = message.sequence - self._outbox_rows
            if cursor.execute("DELETE FROM outbox WHERE sequence <= ?", (bound,)).rowcount:
                logger.warning("outbox is full with %d rows: the oldest was dropped", self._outbox_rows)
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        self._wake()

    def _report(self, error: sqlite3.Error) -> None:
        if self._failing_since is None:
            logger.error("store %s cannot be written: %s; records wait in memory", self.path, error)
            self._failing_since = time.monotonic()

"""SQLite on the device: detections, effort, and the outbox of what the broker has not yet acknowledged.

A detection and its outbox row are one transaction. While the disk refuses to write, records wait in
memory, in order and bounded, and every window is an occasion to try again.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.clock.reference import Reference
from monitor.errors import StoreError
from monitor.messages import DetectionMessage, EffortMessage
from monitor.sinks import rows
from monitor.sinks.corrections import correct, held_reference
from monitor.sinks.database import FILE, connect, migrate
from monitor.sinks.outbox import Build, M, enqueue
from monitor.sinks.rows import Minute, Moments

logger = logging.getLogger(__name__)

HELD_RECORDS = 10_000
"""records that wait in memory for a disk that does not write; then the oldest goes, counted"""
RETRY_S = 5.0

Message = DetectionMessage | EffortMessage
Write = Callable[[sqlite3.Cursor], None]
"""what is done within one transaction"""


class Store:
    """The database, written by any number of threads, one at a time.

    Raises StoreError, naming the folder, where it cannot be opened and written when it is made.
    """

    def __init__(
        self, directory: Path, station: str, outbox_rows: int, wake: Callable[[], None] = lambda: None
    ) -> None:
        """`wake` is called when the outbox got a row."""
        self.path = directory / FILE
        self._station, self._outbox_rows, self._wake = station, outbox_rows, wake
        self._waiting: deque[Write] = deque()
        self._dropped = 0
        self._failing_since: float | None = None
        self._lock = threading.RLock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = connect(self.path)
            migrate(self._connection)
            self._transact(lambda cursor: cursor.execute("UPDATE outbox SET topic = topic WHERE FALSE"))
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"store in {directory} cannot be written: {reason}; choose another with store.directory"
            raise StoreError(msg) from error

    def add(self, build: Build[Message], moments: Moments | None = None) -> None:
        """Keep a message together with its outbox row, now or as soon as the disk takes it.

        `moments` says where it lies on this boot's monotonic clock: its times can be corrected later.
        """

        def write(cursor: sqlite3.Cursor) -> None:
            message = self._send(cursor, build)
            rows.insert(cursor, message)
            if moments is not None:
                rows.insert_moments(cursor, message.id, moments)

        self._keep(write)

    def add_minutes(self, build: Callable[[], Sequence[Minute]]) -> None:
        """Keep minutes of the ledger, all in one transaction."""
        self._keep(lambda cursor: rows.insert_minutes(cursor, build()))

    def correct(self, boot: str, reference: Reference) -> None:
        """Give all that was kept in this boot the times of another reference, and publish those that change."""

        def write(cursor: sqlite3.Cursor) -> None:
            corrected = correct(cursor, boot, reference)
            for moved in corrected:
                self._send(cursor, moved.message(self._station))
            if corrected:
                logger.warning("the times of %d earlier records were corrected", len(corrected))

        self._keep(write)

    def locate(self, latitude: float, longitude: float) -> None:
        """Keep where the satellite receiver is, in degrees."""
        self._keep(lambda cursor: rows.locate(cursor, latitude, longitude))

    def reference(self, boot: str) -> Reference | None:
        """What an earlier run in the same boot knew of the time. StoreError where it cannot be read."""
        try:
            with self._lock:
                return held_reference(self._connection, boot)
        except sqlite3.Error as error:
            msg = f"store {self.path} cannot be read: {error}"
            raise StoreError(msg) from error

    def flush(self) -> bool:
        """Write what waits; False while the disk refuses."""
        with self._lock:
            while self._waiting:
                try:
                    self._transact(self._waiting[0])
                except sqlite3.Error as error:
                    self._report(error)
                    return False
                self._waiting.popleft()
                self._wake()
            if self._failing_since is not None:
                logger.info("store writes again; %d records were dropped meanwhile", self._dropped)
                self._failing_since = None
            return True

    def retry(self, monotonic: float) -> None:
        """An occasion to write what waits, taken every few seconds."""
        with self._lock:
            if self._failing_since is not None and monotonic - self._failing_since > RETRY_S:
                self._failing_since = monotonic
                self.flush()

    def close(self) -> None:
        """Write what waits and close."""
        with self._lock:
            if not self.flush():
                logger.error("store: %d records could not be written and are lost", len(self._waiting))
            self._connection.close()

    def _keep(self, write: Write) -> None:
        with self._lock:
            if len(self._waiting) >= HELD_RECORDS:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(write)
            self.flush()

    def _transact(self, write: Callable[[sqlite3.Cursor], object]) -> None:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            write(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise

    def _send(self, cursor: sqlite3.Cursor, build: Build[M]) -> M:
        message, dropped = enqueue(cursor, build, self._outbox_rows)
        if dropped:
            logger.warning("outbox is full with %d rows: the oldest was dropped", self._outbox_rows)
        return message

    def _report(self, error: sqlite3.Error) -> None:
        if self._failing_since is None:
            logger.error("store %s cannot be written: %s; records wait in memory", self.path, error)
            self._failing_since = time.monotonic()

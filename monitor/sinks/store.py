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
from monitor.config.settings import OUTBOX_MB
from monitor.errors import StoreError
from monitor.messages import DeliveredMessage, DetectionMessage, EffortMessage, LifecycleMessage
from monitor.sinks import rows
from monitor.sinks.corrections import correct, held_reference
from monitor.sinks.database import FILE, connect, migrate
from monitor.sinks.outbox import Build, M
from monitor.sinks.queueing import Bounds, built, enqueue, keep_within
from monitor.sinks.rows import Minute, Moments

logger = logging.getLogger(__name__)

HELD_RECORDS = 10_000
"""records that wait in memory for a disk that does not write; then the oldest goes, counted"""
RETRY_S = 5.0

Message = DetectionMessage | EffortMessage
Write = Callable[[sqlite3.Cursor], object]
"""what is done within one transaction"""


class Store:
    """The database, written by any number of threads, one at a time.

    Raises StoreError, naming the folder, where it cannot be opened and written when it is made.
    """

    def __init__(
        self,
        directory: Path,
        station: str,
        outbox_rows: int,
        wake: Callable[[], None] = lambda: None,
        outbox_mb: float = OUTBOX_MB,
    ) -> None:
        """`wake` is called when the outbox got a row."""
        self.path = directory / FILE
        self._station, self._wake = station, wake
        self._bounds, self._given_up = Bounds(outbox_rows, round(outbox_mb * 1_000_000)), 0
        self._waiting: deque[Write] = deque()
        self._dropped = 0
        self._failing_since: float | None = None
        self._tried_at = 0.0
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

    def add(
        self, build: Build[Message], moments: Moments | None = None, end: Build[LifecycleMessage] | None = None
    ) -> None:
        """Keep a message together with its outbox row, now or as soon as the disk takes it.

        `moments` says where it lies on this boot's monotonic clock: its times can be corrected later. `end` goes into
        the outbox with it.
        """

        def write(cursor: sqlite3.Cursor) -> None:
            message = built(cursor, build)
            if not rows.insert(cursor, message, moments):
                # a commit that reported an error may have reached the disk
                logger.info("%s is already in the store", message.id)
                return
            self._enqueue(cursor, message)
            if end is not None:
                self._enqueue(cursor, built(cursor, end))

        self._keep(write)

    def send(self, build: Build[M]) -> None:
        """Put a message into the outbox that is kept nowhere else."""
        self._keep(lambda cursor: self._enqueue(cursor, built(cursor, build)))

    def add_minutes(self, build: Callable[[], Sequence[Minute]]) -> None:
        """Keep minutes of the ledger, all in one transaction."""
        self._keep(lambda cursor: rows.insert_minutes(cursor, build()))

    def correct(self, boot: str, reference: Reference) -> None:
        """Give all that was kept in this boot the times of another reference, and publish those that change."""

        def write(cursor: sqlite3.Cursor) -> None:
            corrected = correct(cursor, boot, reference)
            for moved in corrected:
                message = built(cursor, moved.message(self._station))
                rows.insert_correction(cursor, message)
                self._enqueue(cursor, message)
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
            if self._failing_since is not None and monotonic - self._tried_at > RETRY_S:
                self._tried_at = monotonic
                self.flush()

    @property
    def failing_s(self) -> float | None:
        """For so long the disk has refused what waits, for any thread; None: it takes all."""
        since = self._failing_since
        return None if since is None else time.monotonic() - since

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

    def _enqueue(self, cursor: sqlite3.Cursor, message: DeliveredMessage) -> None:
        enqueue(cursor, message)
        before = self._given_up
        self._given_up += keep_within(cursor, self._bounds, self._station)
        if len(str(self._given_up)) > len(str(before)) or self._given_up > before == 0:
            logger.warning("outbox is full: %d messages were given up since the start", self._given_up)

    def _report(self, error: sqlite3.Error) -> None:
        if self._failing_since is None:
            logger.error("store %s cannot be written: %s; records wait in memory", self.path, error)
            self._failing_since = self._tried_at = time.monotonic()

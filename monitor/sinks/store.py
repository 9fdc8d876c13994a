"""SQLite on the device: detections, effort, and the outbox of what the broker has not yet acknowledged.

A detection and its outbox row are one transaction. While the disk refuses to write, records wait in
memory, in order and bounded, and every window is an occasion to try again.
"""

import logging
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from monitor.clock import SampleClock, rfc3339
from monitor.effort import EffortMeter
from monitor.errors import StoreError
from monitor.features import Floats
from monitor.messages import DetectionMessage, EffortMessage
from monitor.records import Detection, Effort, Window

logger = logging.getLogger(__name__)

FILE = "detections.sqlite"
VERSION = 1
HELD_RECORDS = 10_000
"""records that wait in memory for a disk that does not write; then the oldest goes, counted"""
RETRY_S = 5.0
EFFORT_PERIOD_S = 3600

_SCHEMA = """
CREATE TABLE detections (
    id TEXT PRIMARY KEY, recording TEXT NOT NULL, label TEXT NOT NULL, scientific_name TEXT NOT NULL,
    common_name TEXT NOT NULL, confidence REAL NOT NULL, onset_s REAL NOT NULL, offset_s REAL NOT NULL,
    onset_utc TEXT, offset_utc TEXT, clock_quality TEXT NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE effort (
    id TEXT PRIMARY KEY, recording TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL, heard_s REAL NOT NULL,
    lost_s REAL NOT NULL, start_utc TEXT, end_utc TEXT, clock_quality TEXT NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
"""

Message = DetectionMessage | EffortMessage
Build = Callable[[int], Message]
"""sequence number -> message"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread. FULL: what the broker acknowledged must not vanish in a power cut."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


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
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
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


@dataclass(frozen=True, slots=True)
class Origin:
    """What the records of one recording have in common."""

    station: str
    recording: str
    clock: SampleClock
    """at the model's rate"""
    model: str


class StoreSink:
    """Keeps one recording's detections and effort."""

    def __init__(self, store: Store, origin: Origin) -> None:
        self._store, self._origin = store, origin
        self._meter = EffortMeter(EFFORT_PERIOD_S * origin.clock.sample_rate)

    def heard(self, window: Window, scores: Floats) -> None:
        """Count the window's effort."""
        del scores
        self._store.retry(time.monotonic())
        self._keep(self._meter.heard(window))

    def handle(self, detection: Detection) -> None:
        """Keep a detection."""
        self._store.add(lambda sequence: detection_message(self._origin, detection, sequence))

    def ended(self, end_sample: int) -> None:
        """Keep the account of what is left."""
        self._keep(self._meter.ended(end_sample))

    def _keep(self, effort: Effort | None) -> None:
        if effort is not None:
            effort_id = str(uuid.uuid4())
            self._store.add(lambda sequence: effort_message(self._origin, effort, effort_id, sequence))


def detection_message(origin: Origin, detection: Detection, sequence: int) -> DetectionMessage:
    """A detection as it is kept and published."""
    clock = origin.clock
    return DetectionMessage(
        id=detection.id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        onset_utc=rfc3339(clock.utc(detection.onset_sample)),
        offset_utc=rfc3339(clock.utc(detection.offset_sample)),
        clock_quality=clock.quality,
        onset_s=round(clock.seconds(detection.onset_sample), 3),
        offset_s=round(clock.seconds(detection.offset_sample), 3),
        label=detection.label,
        scientific_name=detection.taxon.scientific_name,
        common_name=detection.taxon.common_name,
        confidence=round(detection.confidence, 4),
        model=origin.model,
    )


def effort_message(origin: Origin, effort: Effort, effort_id: str, sequence: int) -> EffortMessage:
    """An account as it is kept and published."""
    clock = origin.clock
    return EffortMessage(
        id=effort_id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        start_utc=rfc3339(clock.utc(effort.start_sample)),
        end_utc=rfc3339(clock.utc(effort.end_sample)),
        clock_quality=clock.quality,
        start_s=clock.seconds(effort.start_sample),
        end_s=clock.seconds(effort.end_sample),
        heard_s=clock.seconds(effort.heard_samples),
        lost_s=clock.seconds(effort.lost_samples),
        model=origin.model,
    )


def outage_message(origin: Origin, start: datetime, lost_s: float, outage_id: str, sequence: int) -> EffortMessage:
    """The account of a time without any microphone: all of it lost."""
    return EffortMessage(
        id=outage_id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        start_utc=rfc3339(start),
        end_utc=rfc3339(start + timedelta(seconds=lost_s)),
        clock_quality=origin.clock.quality,
        start_s=0.0,
        end_s=lost_s,
        heard_s=0.0,
        lost_s=lost_s,
        model=origin.model,
    )


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way."""

    sequence: int
    topic: str
    payload: bytes


class Outbox:
    """What the broker has not acknowledged, for the one thread that publishes it."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)

    def after(self, sequence: int, limit: int) -> list[OutboxRow]:
        """The oldest rows beyond a sequence number."""
        query = "SELECT sequence, topic, payload FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [OutboxRow(*row) for row in self._connection.execute(query, (sequence, limit))]

    def acknowledge(self, sequences: list[int]) -> None:
        """Forget rows that the broker has taken, all in one transaction."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in sequences])

    def count(self) -> int:
        """Rows still to send."""
        return int(self._connection.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

"""Records as rows of the store."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import msgspec

from monitor.messages import DetectionMessage, EffortMessage
from monitor.sinks.outbox import TOPICS

_ONLY_SENT = frozenset({"schema", "station", "sequence"})


@dataclass(frozen=True, slots=True)
class Moments:
    """Where a record lies on the monotonic clock of a boot, so that its times can be corrected."""

    boot: str
    start_monotonic: float
    end_monotonic: float


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of the ledger. heard + paused + withheld + the five lost = elapsed, in samples of `sample_rate` Hz."""

    recording: str
    model: str
    start_utc: str | None
    end_utc: str | None
    clock_quality: str
    clock_error_s: float | None
    boot: str | None
    start_monotonic: float | None
    end_monotonic: float | None
    start_s: float
    """from the start of the recording"""
    sample_rate: int
    elapsed: int
    heard: int
    paused: int
    withheld: int
    lost_device: int
    lost_overrun: int
    lost_overload: int
    lost_damaged: int
    lost_unknown: int
    clipped_s: float
    noise_dbfs: str
    """JSON: level by nominal centre of an octave band, in Hz"""


MINUTE_COLUMNS = tuple(field.name for field in fields(Minute))


def insert(cursor: sqlite3.Cursor, message: DetectionMessage | EffortMessage) -> None:
    """Keep a message in its table."""
    row = {name: value for name, value in msgspec.structs.asdict(message).items() if name not in _ONLY_SENT}
    cells = [msgspec.json.encode(cell).decode() if isinstance(cell, dict) else cell for cell in row.values()]
    cursor.execute(f"INSERT INTO {TOPICS[type(message)]} ({', '.join(row)}) VALUES ({_places(row)})", cells)  # noqa: S608


def insert_moments(cursor: sqlite3.Cursor, record_id: str, moments: Moments) -> None:
    """Keep where a record lies on the monotonic clock."""
    cursor.execute("INSERT INTO moments VALUES (?, ?, ?, ?)", (record_id, *astuple(moments)))


def insert_minutes(cursor: sqlite3.Cursor, minutes: Sequence[Minute]) -> None:
    """Keep minutes of the ledger."""
    statement = f"INSERT INTO minutes ({', '.join(MINUTE_COLUMNS)}) VALUES ({_places(MINUTE_COLUMNS)})"  # noqa: S608
    cursor.executemany(statement, [astuple(minute) for minute in minutes])


def locate(cursor: sqlite3.Cursor, latitude: float, longitude: float) -> None:
    """Keep where the satellite receiver is, in degrees."""
    cursor.execute("INSERT OR REPLACE INTO position VALUES ('gps', ?, ?)", (latitude, longitude))


def _places(columns: object) -> str:
    return ", ".join("?" * len(columns))  # type: ignore[arg-type]

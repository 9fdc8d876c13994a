"""Records as rows of the store."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import msgspec

from monitor.messages import CorrectionMessage, DetectionMessage, EffortMessage, VerdictMessage
from monitor.sinks.outbox import TOPICS

_ONLY_SENT = frozenset({"schema", "station", "backfilled"})


@dataclass(frozen=True, slots=True)
class Moments:
    """Where a record lies on the monotonic clock of a boot, so that its times can be corrected."""

    boot: str
    start_monotonic: float
    end_monotonic: float


MOMENTS_COLUMNS = tuple(field.name for field in fields(Moments))


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


def columns(message: type[DetectionMessage | EffortMessage | VerdictMessage]) -> list[str]:
    """The fields of a message that are kept; the others are the same for all."""
    return [name for name in message.__struct_fields__ if name not in _ONLY_SENT]


def insert(cursor: sqlite3.Cursor, message: DetectionMessage | EffortMessage, moments: Moments | None) -> bool:
    """Keep a message in its table; False where that has one of this id, which stays as it is."""
    cells = [getattr(message, name) for name in columns(type(message))]
    cells = [msgspec.json.encode(cell).decode() if isinstance(cell, dict) else cell for cell in cells]
    cells += (None, None, None) if moments is None else astuple(moments)
    names = [*columns(type(message)), *MOMENTS_COLUMNS]
    statement = f"INSERT INTO {TOPICS[type(message)]} ({', '.join(names)}) VALUES ({_places(names)})"  # noqa: S608
    return cursor.execute(f"{statement} ON CONFLICT (id) DO NOTHING", cells).rowcount == 1


def insert_correction(cursor: sqlite3.Cursor, message: CorrectionMessage) -> None:
    """Keep what a correction was about; its times stand in the record."""
    cursor.execute("INSERT INTO corrections VALUES (?, ?, ?)", (message.sequence, message.of, message.id))


def insert_minutes(cursor: sqlite3.Cursor, minutes: Sequence[Minute]) -> None:
    """Keep minutes of the ledger."""
    statement = f"INSERT INTO minutes ({', '.join(MINUTE_COLUMNS)}) VALUES ({_places(MINUTE_COLUMNS)})"  # noqa: S608
    cursor.executemany(statement, [astuple(minute) for minute in minutes])


def locate(cursor: sqlite3.Cursor, latitude: float, longitude: float) -> None:
    """Keep where the satellite receiver is, in degrees."""
    cursor.execute("INSERT OR REPLACE INTO position VALUES ('gps', ?, ?)", (latitude, longitude))


def _places(columns: object) -> str:
    return ", ".join("?" * len(columns))  # type: ignore[arg-type]

"""The ledger of a store, read while the daemon may write."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from monitor.clock import rfc3339
from monitor.errors import StoreError
from monitor.sinks.database import FILE, LEAST, VERSION, added, version_of
from monitor.sinks.orders import MARK_COLUMNS, Mark
from monitor.sinks.rows import MINUTE_COLUMNS, Minute

LOST = ("device", "overrun", "overload", "damaged", "unknown")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What became of some time: heard + lost + paused + withheld = elapsed, lost is the sum of its causes."""

    recording: str
    model: str
    start_utc: str | None
    end_utc: str | None
    clock_quality: str
    """the worst of its minutes"""
    clock_error_s: float | None
    start_s: float
    """from the start of the recording"""
    elapsed_s: float
    heard_s: float
    lost_s: float
    paused_s: float
    withheld_s: float
    lost_device_s: float
    lost_overrun_s: float
    lost_overload_s: float
    lost_damaged_s: float
    lost_unknown_s: float
    clipped_s: float
    noise_dbfs: dict[str, float]
    """by nominal centre of the octave in Hz: half of the minutes were quieter"""


STRETCH_COLUMNS = tuple(field.name for field in fields(Stretch))[:-1]
"""without the noise, whose bands differ"""

_WORST_FIRST = ("unknown", "unsynced", "recorder", "rtc", "ntp", "gps")


def open_read_only(path: Path) -> sqlite3.Connection:
    """A store as it is. StoreError where its tables are of another version, sqlite3.Error where it cannot be read.

    A newer program may have added some. Those that an earlier one had not yet are empty, in memory.
    """
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
    try:
        version = version_of(connection)
        if version < LEAST:
            msg = f"{path}: database version {version}, {VERSION} expected: the daemon brings it up to date"
            raise StoreError(msg)
        for table in added(version):
            connection.execute(table.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    except BaseException:
        connection.close()
        raise
    return connection


def worst(qualities: Iterable[str]) -> str:
    """Of the clock: the quality that can be trusted least."""
    return min(qualities, key=_WORST_FIRST.index)


def read_minutes(directory: Path) -> list[Minute]:
    """All minutes of a store, by recording and model, in the order of time. StoreError where there is none to read."""
    query = f"SELECT {', '.join(MINUTE_COLUMNS)} FROM minutes ORDER BY rowid"  # noqa: S608
    return [Minute(*row) for row in _select(directory, query)]


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a minute of known time was."""

    recording: str
    model: str
    start: datetime
    noise_dbfs: dict[str, float]
    """by nominal centre of the octave in Hz; empty where nothing was heard"""


def read_loudness(directory: Path, since: datetime) -> list[Loudness]:
    """The minutes that began at `since` or later, by recording, in the order of time. StoreError as `read_minutes`."""
    query = (
        "SELECT recording, model, start_utc, noise_dbfs FROM minutes WHERE start_utc >= ? ORDER BY recording, start_utc"
    )
    return [
        Loudness(recording, model, datetime.fromisoformat(start_utc), json.loads(noise_dbfs))
        for recording, model, start_utc, noise_dbfs in _select(directory, query, str(rfc3339(since)))
    ]


def read_marks(directory: Path) -> list[Mark]:
    """What was remarked about the deployment, in the order in which it came. StoreError as `read_minutes`."""
    query = f"SELECT {', '.join(MARK_COLUMNS)} FROM marks ORDER BY rowid"  # noqa: S608
    return [Mark(*row) for row in _select(directory, query)]


def read_position(directory: Path) -> tuple[float, float] | None:
    """Latitude and longitude as a satellite receiver gave them, in degrees; None where there was none."""
    rows = _select(directory, "SELECT latitude, longitude FROM position")
    return (rows[0][0], rows[0][1]) if rows else None


def count_detections(directory: Path, since: datetime) -> int:
    """How many detections began at `since` or later. StoreError where they cannot be read."""
    query = "SELECT count(*) FROM detections WHERE onset_utc >= ?"
    return int(_select(directory, query, str(rfc3339(since)))[0][0])


def by_minute(minutes: Sequence[Minute]) -> list[Stretch]:
    """One stretch a minute."""
    return [_sum([minute]) for minute in minutes]


def by_hour(minutes: Sequence[Minute]) -> list[Stretch]:
    """One stretch an hour of UTC, recording and model; of a recording of unknown time one an hour of it."""
    return [_sum(list(hour)) for hour in _grouped(minutes)]


def in_all(minutes: Sequence[Minute]) -> list[Stretch]:
    """One stretch a recording and model, from its first minute to its last."""
    ordered = sorted(minutes, key=lambda minute: (minute.recording, minute.model))
    groups = groupby(ordered, key=lambda minute: (minute.recording, minute.model))
    return [_sum(list(group)) for _, group in groups]


def _grouped(minutes: Sequence[Minute]) -> Iterator[list[Minute]]:
    def hour(minute: Minute) -> tuple[str, str, str | int]:
        when = minute.start_utc[:13] if minute.start_utc else int(minute.start_s // 3600)
        return minute.recording, minute.model, when

    for _, group in groupby(sorted(minutes, key=lambda m: (m.recording, m.model)), key=hour):
        yield list(group)


def _sum(minutes: Sequence[Minute]) -> Stretch:
    first = minutes[0]
    lost = {cause: _seconds(minutes, f"lost_{cause}") for cause in LOST}
    errors = [minute.clock_error_s for minute in minutes]
    noise = [json.loads(minute.noise_dbfs) for minute in minutes]
    heard = [bands for bands in noise if bands]
    return Stretch(
        recording=first.recording,
        model=first.model,
        start_utc=first.start_utc,
        end_utc=minutes[-1].end_utc,
        clock_quality=worst(minute.clock_quality for minute in minutes),
        clock_error_s=None if None in errors else max(error for error in errors if error is not None),
        start_s=first.start_s,
        elapsed_s=_seconds(minutes, "elapsed"),
        heard_s=_seconds(minutes, "heard"),
        lost_s=_seconds(minutes, *(f"lost_{cause}" for cause in LOST)),
        paused_s=_seconds(minutes, "paused"),
        withheld_s=_seconds(minutes, "withheld"),
        **{f"lost_{cause}_s": seconds for cause, seconds in lost.items()},
        clipped_s=sum(minute.clipped_s for minute in minutes),
        noise_dbfs={band: round(median(bands[band] for bands in heard), 1) for band in (heard[0] if heard else ())},
    )


def _seconds(minutes: Sequence[Minute], *columns: str) -> float:
    return sum(getattr(minute, column) for minute in minutes for column in columns) / minutes[0].sample_rate


def _select(directory: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    path = directory / FILE
    if not path.is_file():
        msg = f"{directory}: no store in this folder: {FILE} expected"
        raise StoreError(msg)
    try:
        with closing(open_read_only(path)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        msg = f"{path} cannot be read: {error}"
        raise StoreError(msg) from error

"""An analysis that wrote no store, as one: its detections.csv and effort.csv.

`effort.csv` says how much of a recording was heard, and not when: its share is the same in each of its quarter hours.
"""

import csv
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from monitor.clock import Quality, rfc3339
from monitor.errors import StoreError

DETECTIONS, EFFORT = "detections.csv", "effort.csv"
_QUARTER = timedelta(minutes=15)
_RATE = 1000
"""samples a second of what is made here: milliseconds"""

Cells = Mapping[str, str]


def fill_detections(connection: sqlite3.Connection, folder: Path) -> None:
    """Put an analysis's detections into the empty table of a store. StoreError where they are not as expected."""
    with _expected(folder / DETECTIONS):
        connection.executemany(
            "INSERT INTO detections (sequence, id, recording, label, scientific_name, common_name, confidence, onset_s,"
            " offset_s, onset_utc, offset_utc, clock_quality, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_detection(number, row) for number, row in enumerate(_rows(folder / DETECTIONS))),
        )


def fill_minutes(connection: sqlite3.Connection, folder: Path) -> None:
    """Put an analysis's effort into an empty table of minutes. StoreError where it is not as expected.

    It is said of all models together; here it is the first one's that found something.
    """
    found = connection.execute("SELECT model FROM detections LIMIT 1").fetchone()
    model = found[0] if found else ""
    with _expected(folder / EFFORT):
        for row in _rows(folder / EFFORT):
            connection.executemany(
                "INSERT INTO minutes (recording, model, start_utc, end_utc, clock_quality, start_s, sample_rate,"
                " elapsed, heard, lost_unknown, paused, withheld, lost_device, lost_overrun, lost_overload,"
                " lost_damaged, clipped_s, noise_dbfs)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, '{}')",
                _minutes(row, model),
            )


@contextmanager
def _expected(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, TypeError, csv.Error, sqlite3.IntegrityError) as error:
        msg = f"{path}: not as analyze writes it: {type(error).__name__} {error}"
        raise StoreError(msg) from error


def _detection(number: int, row: Cells) -> tuple[object, ...]:
    text = [row[name] for name in ("label", "scientific_name", "common_name")]
    times = [row[name] or None for name in ("onset_utc", "offset_utc")]
    numbers = [float(row[name]) for name in ("confidence", "onset_s", "offset_s")]
    quality = Quality.UNKNOWN if times[0] is None else Quality.RECORDER
    return number, row["id"], _utf8(row["file"]), *map(_utf8, text), *numbers, *times, quality, row["model"]


def _minutes(row: Cells, model: str) -> Iterator[tuple[object, ...]]:
    start = datetime.fromisoformat(row["start_utc"]) if row["start_utc"] else None
    length_s, heard_s = float(row["length_s"]), float(row["heard_s"])
    quality = Quality.UNKNOWN if start is None else Quality.RECORDER
    for begun_s, ended_s in _cut(start, length_s):
        elapsed = round(ended_s * _RATE) - round(begun_s * _RATE)
        heard = min(elapsed, round(elapsed * heard_s / length_s))
        utc = [None if start is None else rfc3339(start + timedelta(seconds=s)) for s in (begun_s, ended_s)]
        yield _utf8(row["file"]), model, *utc, quality, begun_s, _RATE, elapsed, heard, elapsed - heard


def _cut(start: datetime | None, length_s: float) -> Iterator[tuple[float, float]]:
    """Where quarter hours begin in a recording: no clock differs from UTC by another part of an hour."""
    quarter_s, at_s = _QUARTER.total_seconds(), 0.0
    into_s = 0.0 if start is None else start.timestamp() % quarter_s
    while at_s < length_s:
        end_s = min(length_s, at_s + quarter_s - (into_s + at_s) % quarter_s)
        yield at_s, end_s
        at_s = end_s


def _rows(path: Path) -> Iterator[Cells]:
    """StoreError where it cannot be read, or lacks a column or a number."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as error:
        msg = f"table {path} cannot be read: {error.strerror or error}"
        raise StoreError(msg) from error


def _utf8(text: str) -> str:
    """A file's name need not be UTF-8; what is kept must."""
    return text.encode(errors="surrogateescape").decode(errors="replace")

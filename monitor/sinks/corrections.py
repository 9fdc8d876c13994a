"""Times of one boot that turn out to have been wrong: corrected in the tables, and told to who received them."""

import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Literal

from monitor.clock import Quality, rfc3339
from monitor.clock.reference import Reference
from monitor.messages import CorrectionMessage
from monitor.sinks.outbox import Build

Of = Literal["detections", "effort"]

_TIMES: dict[Of, tuple[str, str]] = {"detections": ("onset_utc", "offset_utc"), "effort": ("start_utc", "end_utc")}

_BELOW_ALL = -(2**63)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A record whose times have moved."""

    of: Of
    id: str
    onset_utc: str
    offset_utc: str
    clock_quality: str
    clock_error_s: float | None

    def message(self, station: str) -> Build[CorrectionMessage]:
        """What is published about it."""
        return lambda sequence: CorrectionMessage(
            id=self.id,
            station=station,
            sequence=sequence,
            of=self.of,
            onset_utc=self.onset_utc,
            offset_utc=self.offset_utc,
            clock_quality=self.clock_quality,
            clock_error_s=self.clock_error_s,
        )


def correct(cursor: sqlite3.Cursor, boot: str, reference: Reference) -> list[Corrected]:
    """Give all records of a boot the times of a reference; return those that were published with other ones."""
    corrected = [moved for of in _TIMES for moved in _moved(cursor, of, boot, reference)]
    for record in corrected:
        start, end = _TIMES[record.of]
        cursor.execute(
            f"UPDATE {record.of} SET {start} = ?, {end} = ?, clock_quality = ?, clock_error_s = ? WHERE id = ?",  # noqa: S608
            (record.onset_utc, record.offset_utc, record.clock_quality, record.clock_error_s, record.id),
        )
    _correct_minutes(cursor, boot, reference)
    cursor.execute("INSERT OR REPLACE INTO boots VALUES (?, ?, ?, ?, ?, ?)", (boot, *astuple(reference)))
    return corrected


def held_reference(connection: sqlite3.Connection, boot: str) -> Reference | None:
    """The reference that the times of a boot were last corrected to."""
    row = connection.execute(
        "SELECT offset_s, quality, error_s, since, until FROM boots WHERE boot = ?", (boot,)
    ).fetchone()
    return None if row is None else Reference(row[0], Quality(row[1]), *row[2:])


def _moved(cursor: sqlite3.Cursor, of: Of, boot: str, reference: Reference) -> Iterator[Corrected]:
    start, end = _TIMES[of]
    # a boot's records lie together at the end of the table, and a table may be long
    query = (
        f"SELECT id, start_monotonic, end_monotonic, {start}, {end}, clock_quality FROM {of} WHERE boot = ? "  # noqa: S608
        f"AND sequence > (SELECT coalesce((SELECT sequence FROM {of} WHERE boot <> ? ORDER BY sequence DESC LIMIT 1), "
        f"{_BELOW_ALL})) ORDER BY start_monotonic"
    )
    for record_id, begun, ended, *before in cursor.execute(query, (boot, boot)).fetchall():
        times = _times(reference, begun, ended)
        if list(times[:3]) != before:
            yield Corrected(of, record_id, *times)


def _correct_minutes(cursor: sqlite3.Cursor, boot: str, reference: Reference) -> None:
    query = "SELECT rowid, start_monotonic, end_monotonic FROM minutes WHERE boot = ?"
    cursor.executemany(
        "UPDATE minutes SET start_utc = ?, end_utc = ?, clock_quality = ?, clock_error_s = ? WHERE rowid = ?",
        [(*_times(reference, a, b), row) for row, a, b in cursor.execute(query, (boot,)).fetchall()],
    )


def _times(reference: Reference, begun: float, ended: float) -> tuple[str, str, str, float | None]:
    """Start, end, quality and error of a record, as they are kept and published."""
    start, end = reference.at(begun), reference.at(ended)
    error_s = None if start.error_s is None else round(start.error_s, 6)
    return str(rfc3339(start.utc)), str(rfc3339(end.utc)), start.quality, error_s

"""How the station fared: when it heard nothing and why, how far its clock could be trusted, what became of clips.

A store keeps no history of temperature, memory or load; what it keeps is the ledger of every minute, and that is told.
Where between two minutes there is no record at all, nothing ran that could have kept one: no power, or no program.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby

from monitor.sinks.reading import LOST, worst

LEAST_S = 90.0
"""without a record are an interruption: a minute is written late or early by some seconds where a clock is set"""
NO_RECORD = "no_record"
_CAUSES = tuple(f"lost_{cause}" for cause in LOST)


@dataclass(frozen=True, slots=True)
class Interruption:
    """A stretch of whole minutes in which a source heard nothing of what it should have."""

    recording: str
    start_utc: str
    end_utc: str
    cause: str
    """`NO_RECORD`, or the column of the cause that took most of it"""

    @property
    def lasting_s(self) -> float:
        """How long."""
        return (datetime.fromisoformat(self.end_utc) - datetime.fromisoformat(self.start_utc)).total_seconds()


@dataclass(frozen=True, slots=True)
class Trust:
    """Days in a row whose times can be trusted as far."""

    first: date
    last: date
    quality: str
    """the worst of each day"""
    error_s: float | None
    """right to so many seconds at least; None where nobody can say"""


@dataclass(frozen=True, slots=True)
class ClipSum:
    """Clips that were kept, or that were and why they are gone."""

    why: str | None
    """None: they are still there"""
    count: int
    size: int
    """bytes"""


@dataclass(frozen=True, slots=True)
class Health:
    """All of it."""

    interruptions: list[Interruption] = field(default_factory=list)
    """the longest first"""
    lost: dict[tuple[date, int], float] = field(default_factory=dict)
    """seconds lost by day and hour of the period's clock, where any were"""
    trust: list[Trust] = field(default_factory=list)
    """in the order of the days"""
    clips: list[ClipSum] = field(default_factory=list)
    """those that are there first"""
    given_up: int = 0
    """messages that the outbox had no room for, in the store's whole life"""
    waiting: int = 0
    """messages that no broker has taken yet"""


def read_health(connection: sqlite3.Connection, start_utc: str | None, end_utc: str | None) -> Health:
    """From what `opened` gives, of clips those that begin between two times. None: no bound."""
    interruptions = sorted(_interruptions(connection), key=lambda one: (-one.lasting_s, one.start_utc, one.recording))
    given_up, waiting = connection.execute("SELECT dropped, rows FROM outbox_totals").fetchone() or (0, 0)
    clips = connection.execute(
        "SELECT why, count(*), sum(bytes) FROM clips "
        "WHERE coalesce(start_utc, '') >= ? AND coalesce(start_utc, '') < ? GROUP BY state, why "
        "ORDER BY state DESC, why",
        (start_utc or "", end_utc or "~"),
    )
    sums = [ClipSum(*row) for row in clips.fetchall()]
    return Health(interruptions, _lost(connection), list(_trust(connection)), sums, given_up, waiting)


def _interruptions(connection: sqlite3.Connection) -> Iterator[Interruption]:
    """Of several models that listen to a source, those of the first: what one lost to overload another may not."""
    causes = ", ".join(f"{cause}_s" for cause in _CAUSES)
    rows = connection.execute(
        f"SELECT recording, start_utc, end_utc, heard_s > 0 OR paused_s > 0 OR withheld_s > 0, {causes} "  # noqa: S608
        "FROM listened JOIN (SELECT recording AS source, min(model) AS first FROM minutes GROUP BY recording) "
        "ON recording = source AND model = first WHERE day IS NOT NULL AND end_utc IS NOT NULL ORDER BY number"
    )
    ends: dict[str, str] = {}
    going: dict[str, Interruption] = {}
    for recording, start_utc, end_utc, well, *lost in rows:
        before = ends.get(recording)
        ends[recording] = end_utc
        if before is not None and _apart_s(before, start_utc) > LEAST_S:
            yield from _ended(going, recording)
            yield Interruption(recording, before, start_utc, NO_RECORD)
        if well or not any(lost):
            yield from _ended(going, recording)
            continue
        cause = _CAUSES[lost.index(max(lost))]
        open_one = going.get(recording)
        if open_one is None or open_one.cause != cause:
            yield from _ended(going, recording)
            open_one = Interruption(recording, start_utc, end_utc, cause)
        going[recording] = replace(open_one, end_utc=end_utc)
    yield from going.values()


def _ended(going: dict[str, Interruption], recording: str) -> Iterator[Interruption]:
    if (one := going.pop(recording, None)) is not None:
        yield one


def _apart_s(end_utc: str, start_utc: str) -> float:
    if start_utc <= end_utc:  # as texts: most minutes follow each other
        return 0.0
    return (datetime.fromisoformat(start_utc) - datetime.fromisoformat(end_utc)).total_seconds()


def _lost(connection: sqlite3.Connection) -> dict[tuple[date, int], float]:
    """Of several models the one that lost least, of several sources that listen side by side all together."""
    by_model = (
        f"SELECT day, hour, recording, sum({' + '.join(f'{cause}_s' for cause in _CAUSES)}) AS lost_s FROM listened "  # noqa: S608
        "WHERE day IS NOT NULL GROUP BY day, hour, recording, model"
    )
    by_source = f"SELECT day, hour, min(lost_s) AS lost_s FROM ({by_model}) GROUP BY day, hour, recording"  # noqa: S608
    rows = connection.execute(f"SELECT day, hour, sum(lost_s) FROM ({by_source}) GROUP BY day, hour")  # noqa: S608
    return {(date.fromisoformat(day), hour): lost_s for day, hour, lost_s in rows if lost_s > 0}


def _trust(connection: sqlite3.Connection) -> Iterator[Trust]:
    rows = connection.execute(
        "SELECT day, clock_quality, max(clock_error_s), count(*) > count(clock_error_s) FROM listened "
        "WHERE day IS NOT NULL GROUP BY day, clock_quality ORDER BY day"
    )
    days = []
    for day, found in groupby(rows.fetchall(), key=lambda row: row[0]):
        qualities = {quality: None if unsaid else error for _day, quality, error, unsaid in found}
        quality = worst(qualities)
        days.append(Trust(date.fromisoformat(day), date.fromisoformat(day), quality, qualities[quality]))
    yield from _in_a_row(days)


def _in_a_row(days: list[Trust]) -> Iterator[Trust]:
    """Days of one quality together, also over days without any record; with the largest error of them."""
    for _quality, found in groupby(days, key=lambda day: day.quality):
        run = list(found)
        errors = [day.error_s for day in run]
        error = None if None in errors else max(one for one in errors if one is not None)
        yield Trust(run[0].first, run[-1].last, run[0].quality, error)

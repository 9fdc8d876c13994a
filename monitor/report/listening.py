"""The effort behind the detections: when was heard, and what was missed and why."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date

MINUTE_S, HOUR_S = 60, 3600
LISTENED_S = 1.0
"""of an hour at least, to say of what was not found in it that it was looked for; how much it was, the effort says"""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of effort: heard + lost + paused + withheld = elapsed; lost by cause."""

    elapsed_s: float = 0.0
    heard_s: float = 0.0
    paused_s: float = 0.0
    withheld_s: float = 0.0
    lost_device_s: float = 0.0
    lost_overrun_s: float = 0.0
    lost_overload_s: float = 0.0
    lost_damaged_s: float = 0.0
    lost_unknown_s: float = 0.0
    clipped_s: float = 0.0
    """of what was heard"""

    @property
    def lost_s(self) -> float:
        """Of whatever cause."""
        return self.elapsed_s - self.heard_s - self.paused_s - self.withheld_s


SPENT_COLUMNS = tuple(one.name for one in fields(Spent))


@dataclass(frozen=True, slots=True)
class Heard:
    """A source or recording, as the model that heard most of it did."""

    recording: str
    start_utc: str | None
    end_utc: str | None
    spent: Spent


@dataclass(frozen=True, slots=True)
class Listening:
    """All effort; several sources that listen side by side add up."""

    hours: dict[tuple[date, int], float] = field(default_factory=dict)
    """seconds heard by day and hour of the period's clock, of those in which there is a record"""
    sources: list[Heard] = field(default_factory=list)
    """the longest heard first"""
    qualities: dict[str, float] = field(default_factory=dict)
    """seconds elapsed by how far their time can be trusted"""

    @property
    def days(self) -> list[date]:
        """On which something was heard, in their order."""
        return sorted({day for (day, _hour), heard_s in self.hours.items() if heard_s >= LISTENED_S})

    @property
    def total(self) -> Spent:
        """Over all sources."""
        return sum_up([source.spent for source in self.sources])


def sum_up(spent: Sequence[Spent]) -> Spent:
    """All together."""
    return Spent(*(sum(getattr(one, name) for one in spent) for name in SPENT_COLUMNS))


def read_listening(connection: sqlite3.Connection) -> Listening:
    """All effort. Of several models that heard the same, the one that heard most counts."""
    return Listening(_hours(connection), _sources(connection), _qualities(connection))


def _hours(connection: sqlite3.Connection) -> dict[tuple[date, int], float]:
    by_model = (
        "SELECT day, hour, recording, sum(heard_s) AS heard_s FROM listened WHERE day IS NOT NULL "
        "GROUP BY day, hour, recording, model"
    )
    by_source = f"SELECT day, hour, max(heard_s) AS heard_s FROM ({by_model}) GROUP BY day, hour, recording"  # noqa: S608
    rows = connection.execute(f"SELECT day, hour, sum(heard_s) FROM ({by_source}) GROUP BY day, hour")  # noqa: S608
    return {(date.fromisoformat(day), hour): heard_s for day, hour, heard_s in rows}


def _sources(connection: sqlite3.Connection) -> list[Heard]:
    sums = ", ".join(f"sum({name})" for name in SPENT_COLUMNS)
    rows = connection.execute(
        f"SELECT recording, min(start_utc), max(end_utc), {sums} FROM listened GROUP BY recording, model"  # noqa: S608
    )
    most: dict[str, Heard] = {}
    for recording, start_utc, end_utc, *spent in rows:
        heard = Heard(recording, start_utc, end_utc, Spent(*spent))
        if recording not in most or heard.spent.heard_s > most[recording].spent.heard_s:
            most[recording] = heard
    return sorted(most.values(), key=lambda one: (-one.spent.heard_s, one.recording))


def _qualities(connection: sqlite3.Connection) -> dict[str, float]:
    query = "SELECT clock_quality, sum(elapsed_s) FROM listened GROUP BY 1 ORDER BY 2 DESC"
    return dict(connection.execute(query).fetchall())

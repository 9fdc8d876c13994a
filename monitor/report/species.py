"""Who was found, when, and how surely."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

BINS = 20
"""of confidence, from 0 to 1"""


@dataclass(frozen=True, slots=True)
class Hour:
    """How often a species was found in an hour."""

    day: date
    hour: int
    detections: int


@dataclass(frozen=True, slots=True)
class Species:
    """All detections of a species. Times are UTC, None where nobody knows any."""

    name: str
    """scientific; of what is none the model's label"""
    common_name: str
    detections: int
    undated: int
    """of which nobody knows when"""
    first_utc: str | None
    last_utc: str | None
    best: float
    """the highest confidence"""
    mean: float
    """of the confidence: the share that is right, where confidence is calibrated"""
    bins: list[int] = field(default_factory=list)
    """detections by confidence"""
    hours: list[Hour] = field(default_factory=list)
    """in which it was found at least once; by the period's clock"""

    @property
    def days(self) -> set[date]:
        """On which it was found."""
        return {hour.day for hour in self.hours}

    @property
    def called(self) -> str:
        """By its common name, if it has one."""
        return self.common_name or self.name


def read_species(connection: sqlite3.Connection) -> list[Species]:
    """All species, the most often found first."""
    bins, hours = _bins(connection), _hours(connection)
    rows = connection.execute(
        "SELECT species, max(common_name), count(*), count(*) - count(onset_utc), min(onset_utc), max(onset_utc), "
        "max(confidence), avg(confidence) FROM found GROUP BY species ORDER BY count(*) DESC, species"
    )
    return [Species(*(*row, bins[row[0]], hours.get(row[0], []))) for row in rows]


def read_models(connection: sqlite3.Connection) -> list[str]:
    """The names of all models that found something or listened."""
    rows = connection.execute("SELECT model FROM found UNION SELECT model FROM listened ORDER BY 1")
    return [name for (name,) in rows if name]


def _bins(connection: sqlite3.Connection) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(lambda: [0] * BINS)
    query = f"SELECT species, min({BINS - 1}, CAST(confidence * {BINS} AS INTEGER)), count(*) FROM found GROUP BY 1, 2"  # noqa: S608
    for name, index, detections in connection.execute(query):
        found[name][index] = detections
    return found


def _hours(connection: sqlite3.Connection) -> dict[str, list[Hour]]:
    found: dict[str, list[Hour]] = defaultdict(list)
    query = "SELECT species, day, hour, count(*) FROM found WHERE day IS NOT NULL GROUP BY 1, 2, 3"
    for name, day, hour, detections in connection.execute(query):
        found[name].append(Hour(date.fromisoformat(day), hour, detections))
    return found

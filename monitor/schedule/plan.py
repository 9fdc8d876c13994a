"""A configuration -> when to listen."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from monitor.config.place import Place
from monitor.config.schedule import Scheduling
from monitor.errors import ConfigError
from monitor.schedule.sun import solar_day

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = timedelta(hours=18)
"""a window between the clock and the sun: a longer one comes of ends that have changed places"""

_ENDS = re.compile(r" to | ?- ?(?=\d\d:)")
_POINT = re.compile(r"(?P<clock>\d\d:\d\d)|(?P<sun>sunrise|sunset) ?((?P<sign>[+-]) ?(?P<minutes>\d+) ?m(in)?)?")


@dataclass(frozen=True, slots=True)
class Point:
    """An end of a window: by the clock, or some minutes before or after sunrise or sunset."""

    clock: time | None
    sun: str
    """sunrise, sunset or, for the clock, empty"""
    offset: timedelta

    @staticmethod
    def read(text: str) -> "Point":
        """From 04:30, sunset or sunrise-60m."""
        found = _POINT.fullmatch(text.strip())
        if found is None:
            msg = f"schedule: {text!r}: expected a time such as 04:30, or sunrise or sunset, perhaps with -60m or +60m"
            raise ConfigError(msg)
        clock = time.fromisoformat(found["clock"]) if found["clock"] else None
        minutes = int(found["minutes"] or 0) * (-1 if found["sign"] == "-" else 1)
        return Point(clock, found["sun"] or "", timedelta(minutes=minutes))


@dataclass(frozen=True, slots=True)
class Listening:
    """Whether to listen, and until when that stays so; None for ever."""

    wanted: bool
    until: datetime | None


class Plan(Protocol):
    """Says when to listen."""

    def at(self, utc: datetime) -> Listening:
        """Whether to listen at a time, and until when at least that stays so."""


class Revisable:
    """A plan that another may take the place of at any moment, from any thread.

    What it says holds for a minute at most, so that the other one is asked soon.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def at(self, utc: datetime) -> Listening:
        """Whether to listen at a time, and until when at least that stays so."""
        said, soon = self.plan.at(utc), utc + MINUTE
        return Listening(said.wanted, soon if said.until is None else min(said.until, soon))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the station listens.

    A window whose end is not after its beginning goes on over midnight; one with the sun in it only up to LONGEST: on a
    day when the sun rises before 04:00, `04:00 to sunrise` is empty. On the days when the clock is put forward or back
    a window begins at the earlier and ends at the later of what its times may mean. Sunrise and sunset in polar summer
    and winter: see `sun`. The duty cycle is aligned to 1970-01-01T00:00:00Z, so all stations pause together.
    """

    windows: tuple[tuple[Point, Point], ...]
    duty: tuple[timedelta, timedelta] | None
    """on, off"""
    zone: tzinfo
    latitude: float
    longitude: float

    @staticmethod
    def of(settings: Scheduling, place: Place, zone: tzinfo) -> "Schedule":
        """From the configuration; `zone` is that of the place. ConfigError where something is missing in it."""
        pairs = [_ENDS.split(text, maxsplit=1) for text in settings.windows]
        windows = tuple((Point.read(begin), Point.read(end)) for begin, end in pairs)
        if any(point.sun for window in windows for point in window) and None in {place.latitude, place.longitude}:
            msg = "schedule.windows names sunrise or sunset: place.latitude and place.longitude expected, in degrees"
            raise ConfigError(msg)
        if (settings.on_s is None) != (settings.off_s is None):
            msg = f"schedule.on_s is {settings.on_s} and schedule.off_s {settings.off_s}: both or neither expected"
            raise ConfigError(msg)
        duty = None
        if settings.on_s is not None and settings.off_s is not None:
            duty = timedelta(seconds=settings.on_s), timedelta(seconds=settings.off_s)
        return Schedule(windows, duty, zone, place.latitude or 0.0, place.longitude or 0.0)

    def at(self, utc: datetime) -> Listening:
        """Whether to listen at a time, and until when at least that stays so."""
        parts = [part for part in (self._of_windows(utc), self._of_duty(utc)) if part is not None]
        ends = [part.until for part in parts if part.until is not None]
        return Listening(all(part.wanted for part in parts), min(ends) if ends else None)

    def _of_windows(self, utc: datetime) -> Listening | None:
        if not self.windows:
            return None
        today = utc.astimezone(self.zone).date()
        spans = [span for n in (-2, -1, 0, 1, 2) for span in self._spans(today + n * DAY)]
        later = [edge for span in spans for edge in span if edge > utc]
        return Listening(any(begin <= utc < end for begin, end in spans), min(later, default=utc + DAY))

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The windows that begin on a day, UTC."""
        for begin, end in self.windows:
            first, last = min(self._readings(begin, day)), max(self._readings(end, day))
            if last <= first or (begin.sun, end.sun) == ("sunset", "sunrise"):
                last = max(self._readings(end, day + DAY))
                if (begin.sun or end.sun) and (begin.sun, end.sun) != ("sunset", "sunrise") and last - first > LONGEST:
                    continue
            yield first, last

    def _readings(self, point: Point, day: date) -> tuple[datetime, ...]:
        """What a point may mean, UTC: two times on the days when the clock is put forward or back."""
        if point.clock is not None:
            local = datetime.combine(day, point.clock, self.zone)
            return tuple(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        sun = solar_day(self.latitude, self.longitude, day)
        return ((sun.sunrise if point.sun == "sunrise" else sun.sunset) + point.offset,)

    def _of_duty(self, utc: datetime) -> Listening | None:
        if self.duty is None:
            return None
        on, off = self.duty
        begun = EPOCH + (utc - EPOCH) // (on + off) * (on + off)
        wanted = utc < begun + on
        return Listening(wanted, begun + on if wanted else begun + on + off)

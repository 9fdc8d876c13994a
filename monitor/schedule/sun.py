"""Sunrise and sunset anywhere, also where there is none.

Computed by `astral` (the NOAA equations). In polar summer the sun touches the horizon least nearly: as the last night
shrinks to nothing, sunset and sunrise meet at solar midnight, so there they stay. In polar winter, as the last day
shrinks, they meet at solar noon. So a window around sunrise moves on steadily through the year: under the midnight sun
it lies where the sun is lowest, which is when birds sing there, and from sunrise to sunset is all day in polar summer
and no time at all in polar winter.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from astral import Observer, SunDirection
from astral.sun import elevation, noon, time_of_transit

HORIZON = 90.833
"""zenith of the sun when its upper edge touches the horizon, degrees, refraction included"""
HALF_DAY = timedelta(hours=12)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SolarDay:
    """From one solar midnight to the next, UTC."""

    sunrise: datetime
    noon: datetime
    sunset: datetime


def solar_day(latitude: float, longitude: float, day: date) -> SolarDay:
    """The solar day whose noon falls on a date of local mean time, at a place in degrees."""
    observer = Observer(latitude, longitude)
    middle = _noon(observer, day, longitude)
    before = _half_day(observer, middle, SunDirection.RISING)
    after = _half_day(observer, middle, SunDirection.SETTING)
    if before is None or after is None:
        lowest = elevation(observer, middle + HALF_DAY, with_refraction=False)
        before = after = HALF_DAY if lowest > 90 - HORIZON else timedelta(0)
    return SolarDay(middle - before, middle, middle + after)


def _noon(observer: Observer, day: date, longitude: float) -> datetime:
    """Solar noon of the day, which east and west of Greenwich may be on another date of UTC."""
    expected = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - timedelta(hours=longitude / 15)
    candidates = (noon(observer, date=expected.date() + n * DAY, tzinfo=UTC) for n in (-1, 0, 1))
    return min(candidates, key=lambda found: abs(found - expected))


def _half_day(observer: Observer, middle: datetime, direction: SunDirection) -> timedelta | None:
    """From sunrise to noon or from noon to sunset; None where the sun does not cross the horizon.

    Near midnight astral may name the crossing of the day before or after, which differs by minutes.
    """
    sign = -1 if direction is SunDirection.RISING else 1
    found = []
    for n in (-1, 0, 1):
        with suppress(ValueError):
            date_utc = (middle + n * DAY).date()
            crossing = time_of_transit(observer, date_utc, HORIZON, direction, with_refraction=False)
            found.append(sign * (crossing - middle))
    if not found:
        return None
    length = min(found, key=lambda apart: abs(apart - HALF_DAY / 2)) % DAY
    return min(length, HALF_DAY) if length < DAY - HALF_DAY / 2 else timedelta(0)

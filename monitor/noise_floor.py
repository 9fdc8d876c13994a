"""The slow alarm: the noise floor of each octave band against its own week, so that a wet or gnawed microphone is seen.

A microphone that fails rarely falls silent. It loses treble under water and gains crackle from a bitten cable, and
goes on. Each hour is held against the same hours of the week before it, because a dawn is louder than a noon.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

DAY_H, WEEK_H = 24, 7 * 24
FLOOR_PERCENTILE = 10
"""the level exceeded for 90 % of the time, L90: what is left between songs, cars and gusts"""
LEAST_DB = 8.0
"""a change below this is weather, season or foliage"""
SPREADS = 4.0
"""a change below so many standard deviations of the week is usual here"""
LEAST_HOURS = 12
"""of the week before, near the same time of the day; with fewer there is nothing to compare with"""
FALL_H = 3
"""so many hours running: nothing in nature makes a place more quiet than its quietest hour for long"""
RISE_H = 24
"""so many hours running: a storm, a rainy night or a cricket ends within a day"""

_MAD_TO_STD = 1.4826
"""of a normal distribution: from its median absolute deviation to its standard deviation"""

Bands = npt.NDArray[np.float64]


class Change(StrEnum):
    """In which direction a band left its week."""

    FALLEN = "fallen"
    """it hears less: water, dirt or a nest before the membrane"""
    RISEN = "risen"
    """it hears more, day and night: a damaged cable, a machine, or a fault of the input"""


@dataclass(frozen=True, slots=True)
class Hour:
    """The noise floor of one hour. A list of them is all that the alarm has to remember."""

    hour: int
    """UTC hours since 1970"""
    bands_dbfs: tuple[float, ...]
    """one an octave band, as `monitor.levels.octaves` names them"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A band that left its week and has stayed away."""

    band: int
    """index of the octave"""
    change: Change
    by_db: float
    """at least so far from the week's median in each of the last hours; negative where it fell"""


def floor(minutes: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """The noise floor of an hour from the octave levels of its minutes in dBFS; empty where none has any."""
    heard = [bands for bands in minutes if bands]
    return tuple(float(level) for level in np.percentile(heard, FLOOR_PERCENTILE, axis=0)) if heard else ()


def alarms(hours: Sequence[Hour]) -> list[Alarm] | None:
    """The bands whose last hours lie outside of the week before them; None where there is no such week yet.

    `hours`: those of the last eight days or more that were heard, in the order of time. After a week the failure has
    become what is usual, and the alarm ends: who reads it remembers when it began.
    """
    fallen, risen = _lasting(hours, FALL_H, -1), _lasting(hours, RISE_H, 1)
    if fallen is None:
        return None
    found = [Alarm(band, Change.FALLEN, -by_db) for band, by_db in fallen]
    return found + [Alarm(band, Change.RISEN, by_db) for band, by_db in risen or ()]


def _lasting(hours: Sequence[Hour], last_h: int, sign: int) -> list[tuple[int, float]] | None:
    """Bands that lie outside in each of the last hours, with the smallest departure; None where nobody can tell."""
    recent, before = hours[-last_h:], hours[:-last_h]
    departures = [_departure(hour, before) for hour in recent]
    known = [departure for departure in departures if departure is not None]
    if len(known) < last_h:
        return None
    nearest = (sign * np.array(known)).min(axis=0)
    return [(int(band), float(nearest[band])) for band in np.flatnonzero(nearest > 0)]


def _departure(hour: Hour, before: Sequence[Hour]) -> Bands | None:
    """Each band's distance in dB from its week, 0 where that is usual; None where there is no week.

    A fall counts only below the quietest hour of all: where the sea breeze blows every noon, a calm noon is as quiet
    as the nights.
    """
    week = [past for past in before if hour.hour - past.hour <= WEEK_H]
    alike = [past.bands_dbfs for past in week if _near(hour.hour, past.hour)]
    if len(alike) < LEAST_HOURS:
        return None
    middle = np.median(alike, axis=0)
    spread = _MAD_TO_STD * np.median(np.abs(np.array(alike) - middle), axis=0)
    level, quietest = np.array(hour.bands_dbfs), np.min([past.bands_dbfs for past in week], axis=0)
    unusual = np.abs(level - middle) > np.maximum(LEAST_DB, SPREADS * spread)
    return np.where(unusual & ((level > middle) | (level < quietest)), level - middle, 0.0)


def _near(hour: int, other: int) -> bool:
    """Whether two hours are at most one apart in the time of day."""
    return (hour - other + 1) % DAY_H <= 2  # noqa: PLR2004 - one before to one after

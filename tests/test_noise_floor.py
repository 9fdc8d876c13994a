"""The slow alarm over made-up weeks: a place by the hour, its weather, and a microphone that fails."""

import numpy as np
import numpy.typing as npt
import pytest

from monitor.levels import OctaveMeter
from monitor.noise_floor import Alarm, Change, Hour, alarms, floor
from monitor.soundscape import wind

BANDS = 10
ABOVE_2_KHZ = (7, 8, 9)
FIRST_HOUR = 500_000

Hours = npt.NDArray[np.float64]


def place(days: float, seed: int = 0) -> Hours:
    """Noise floors (hours, bands) in dBFS: pink, louder at dawn, another weather every hour, a breezy afternoon."""
    rng = np.random.default_rng(seed)
    hours = np.arange(round(24 * days))
    time_of_day = hours % 24
    dawn = 8 * np.exp(-((time_of_day - 5) ** 2) / 4)
    breeze = 5 * np.exp(-((time_of_day - 15) ** 2) / 18)
    levels = (
        -55 - 3.0 * np.arange(BANDS) + rng.normal(0, 1.0, (len(hours), BANDS)) + rng.normal(0, 1.5, (len(hours), 1))
    )
    levels[:, 5:9] += dawn[:, None]
    levels[:, :5] += breeze[:, None]
    return levels


def windy(levels: Hours, start: int, hours: int) -> Hours:
    """A gale: 25 dB more in the lowest band, 10 dB in the highest, with gusts."""
    storm = np.linspace(25, 10, BANDS) + np.random.default_rng(1).normal(0, 3, (hours, 1))
    levels[start : start + hours] = np.maximum(levels[start : start + hours], levels[start : start + hours] + storm)
    return levels


def history(levels: Hours) -> list[Hour]:
    """As the ledger has it."""
    return [Hour(FIRST_HOUR + index, tuple(row)) for index, row in enumerate(levels.tolist())]


def raised(levels: Hours) -> list[tuple[int, list[Alarm]]]:
    """The hours at which there is an alarm, each with what it says."""
    hours = history(levels)
    said = [(end, alarms(hours[: end + 1])) for end in range(24 * 7, len(hours))]
    return [(end, found) for end, found in said if found]


@pytest.mark.parametrize("begin", [8 * 24, 8 * 24 + 4, 8 * 24 + 13])
@pytest.mark.parametrize("seed", range(3))
def test_a_microphone_that_loses_treble_is_seen_within_hours_at_any_time_of_the_day(begin: int, seed: int) -> None:
    levels = place(9.5, seed)
    levels[begin:, ABOVE_2_KHZ] -= 15
    first, found = raised(levels)[0]
    assert begin <= first - 2 <= begin + 6
    assert {alarm.band for alarm in found} <= set(ABOVE_2_KHZ)
    assert {alarm.change for alarm in found} == {Change.FALLEN}
    assert all(-25 < alarm.by_db < -8 for alarm in found)


@pytest.mark.parametrize("hours", [3, 10, 16])
@pytest.mark.parametrize("seed", range(3))
def test_neither_a_windy_night_nor_the_calm_after_it_is_an_alarm(hours: int, seed: int) -> None:
    assert raised(windy(place(11, seed), 8 * 24 + 18, hours)) == []


def test_a_calm_day_after_a_week_of_gales_is_no_alarm() -> None:
    levels = place(11)
    for day in range(1, 9):
        windy(levels, 24 * day + 3 * (day % 3), 14)
    assert raised(levels) == []


def test_a_rise_in_all_bands_that_stays_for_a_day_and_a_night_is_an_alarm() -> None:
    levels = place(10)
    levels[8 * 24 :] += 18
    first, found = raised(levels)[0]
    assert 23 <= first - 8 * 24 <= 26
    assert {alarm.change for alarm in found} == {Change.RISEN}


def test_without_a_week_to_compare_with_nobody_can_tell() -> None:
    levels = place(1.5)
    levels[30:, ABOVE_2_KHZ] -= 40
    assert alarms(history(levels)) is None
    assert alarms([]) is None
    assert alarms(history(place(8))) == []


def test_hours_that_were_not_heard_are_no_alarm() -> None:
    hours = history(place(10))
    assert not alarms([hour for index, hour in enumerate(hours) if index % 3])
    assert alarms(hours[:48] + hours[-5:]) in ([], None)


def test_the_floor_of_an_hour_is_what_is_left_between_the_songs() -> None:
    quiet, singing = [-60.0, -70.0], [-60.0, -20.0]
    assert floor([quiet, singing] * 30) == pytest.approx(quiet)
    assert floor([[], quiet, []]) == pytest.approx(quiet)
    assert floor([[], []]) == ()


def test_water_before_a_microphone_is_seen_in_the_levels_of_its_sound() -> None:
    rng = np.random.default_rng(4)

    def hour(index: int, *, wet: bool) -> Hour:
        sound = (0.02 * rng.uniform(0.8, 1.2) * wind(24_000, 3, rng)).astype(np.float32)
        if wet:
            sound = np.convolve(sound, np.hanning(16) / np.hanning(16).sum(), "same").astype(np.float32)
        meter = OctaveMeter(24_000)
        meter.add(sound)
        levels = meter.take()
        assert levels is not None
        return Hour(FIRST_HOUR + index, floor([levels.bands_dbfs]))

    week = [hour(index, wet=False) for index in range(170)]
    found = alarms(week + [hour(170 + index, wet=True) for index in range(3)])
    assert found
    assert {alarm.band for alarm in found} <= {7, 8, 9}
    assert alarms(week) == []

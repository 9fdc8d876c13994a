"""When the station listens: by the clock, by the sun, by a duty cycle; at the poles and over changes of the clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Instant, Quality, SampleClock
from monitor.config.place import Place
from monitor.config.reading import parse
from monitor.config.schedule import Scheduling
from monitor.errors import ConfigError
from monitor.records import Block, Cause, Gap
from monitor.schedule import Schedule, scheduled
from monitor.schedule.plan import Point, Revisable
from monitor.schedule.sun import solar_day

modest = settings(derandomize=True, deadline=None, max_examples=200)

BERLIN, SYDNEY = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Sydney")
TROMSO, QUITO = Place(69.65, 18.96), Place(-0.18, -78.47)


def plan(
    *windows: str, place: Place = TROMSO, zone: ZoneInfo = BERLIN, duty: tuple[float, float] | None = None
) -> Schedule:
    """A schedule."""
    on_s, off_s = duty or (None, None)
    return Schedule.of(Scheduling(windows=list(windows), on_s=on_s, off_s=off_s), place, zone)


def spans(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When it listens between two times, step by step as the stage asks."""
    found: list[tuple[datetime, datetime]] = []
    now = start
    while now < end:
        said = schedule.at(now)
        until = min(said.until or end, end)
        assert until > now, "it must go on"
        if said.wanted and found and found[-1][1] == now:
            found[-1] = found[-1][0], until
        elif said.wanted:
            found.append((now, until))
        now = until
    return found


def hours(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """How long in all."""
    return sum((end - begin).total_seconds() for begin, end in spans) / 3600


def utc(text: str) -> datetime:
    """A time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        ("04:30-09:00", "2026-01-10T03:30", "2026-01-10T08:00"),
        ("04:30-09:00", "2026-07-10T02:30", "2026-07-10T07:00"),
        ("04:30 to 09:00", "2026-07-10T02:30", "2026-07-10T07:00"),
        ("22:00-03:00", "2026-07-10T20:00", "2026-07-11T01:00"),
        ("22:00-22:00", "2026-07-10T20:00", "2026-07-11T20:00"),
    ],
    ids=["winter", "summer", "in words", "over midnight", "round the clock"],
)
def test_a_window_of_the_day_is_by_the_clock_on_the_wall(window: str, begin: str, end: str) -> None:
    schedule, middle = plan(window), utc(begin) + (utc(end) - utc(begin)) / 2
    assert schedule.at(middle).wanted
    assert schedule.at(middle).until == utc(end)
    if window != "22:00-22:00":
        assert not schedule.at(utc(begin) - timedelta(microseconds=1)).wanted
        assert not schedule.at(utc(end)).wanted
    assert schedule.at(utc(begin)).wanted


@pytest.mark.parametrize(
    ("window", "day", "begin", "end"),
    [
        ("01:00-04:00", "2026-03-29", "2026-03-29T00:00", "2026-03-29T02:00"),
        ("02:30-04:00", "2026-03-29", "2026-03-29T00:30", "2026-03-29T02:00"),
        ("01:45-02:30", "2026-03-29", "2026-03-29T00:45", "2026-03-29T01:30"),
        ("01:00-04:00", "2026-10-25", "2026-10-24T23:00", "2026-10-25T03:00"),
        ("02:30-04:00", "2026-10-25", "2026-10-25T00:30", "2026-10-25T03:00"),
        ("01:00-02:30", "2026-10-25", "2026-10-24T23:00", "2026-10-25T01:30"),
    ],
    ids=[
        "an hour is lost",
        "begins in it",
        "ends in it",
        "an hour is twice",
        "begins in the first",
        "ends in the second",
    ],
)
def test_when_the_clock_is_put_forward_or_back_a_window_keeps_its_ends_and_rather_listens_too_long(
    window: str, day: str, begin: str, end: str
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    assert spans(plan(window), midnight, midnight + timedelta(hours=12)) == [(utc(begin), utc(end))]


@modest
@given(
    window=st.sampled_from(["04:30-09:00", "22:00-03:00", "00:00-00:30", "02:15-02:45", "23:30-02:30"]),
    day=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
    zone=st.sampled_from([BERLIN, SYDNEY, ZoneInfo("UTC"), ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")]),
)
def test_every_day_of_many_years_has_its_window_once_leap_days_and_changes_of_the_clock_included(
    window: str, day: date, zone: ZoneInfo
) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone).astimezone(UTC)
    found = spans(plan(window, zone=zone), noon, noon + timedelta(days=3))
    begin, end = (timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in window.split("-"))
    length_h = ((end - begin) % timedelta(days=1)).total_seconds() / 3600
    assert len(found) in {3, 4}
    assert all(0 < hours([span]) <= length_h + 2 for span in found)
    assert sum(length_h - 1e-9 <= hours([span]) for span in found[:3]) >= 2


@pytest.mark.parametrize(
    ("place", "day", "rise", "set_"),
    [
        (Place(51.4769, 0.0), "2026-06-21", "03:43", "20:21"),
        (Place(51.4769, 0.0), "2026-12-21", "08:04", "15:53"),
        (Place(52.52, 13.405), "2026-03-20", "05:10", "17:20"),
        (Place(-33.8688, 151.2093), "2026-12-22", "18:41", "09:05"),
    ],
    ids=["Greenwich in June", "Greenwich in December", "Berlin in March", "Sydney in December"],
)
def test_sunrise_and_sunset_are_those_of_the_almanac(place: Place, day: str, rise: str, set_: str) -> None:
    assert place.latitude is not None
    assert place.longitude is not None
    sun = solar_day(place.latitude, place.longitude, date.fromisoformat(day))
    for found, expected in ((sun.sunrise, rise), (sun.sunset, set_)):
        minutes = (found - utc(f"{found.date()}T{expected}")).total_seconds() / 60
        assert abs(minutes) <= 2


@modest
@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), day=st.dates(date(2020, 1, 1), date(2032, 12, 31)))
def test_everywhere_and_on_every_day_the_sun_rises_before_noon_and_sets_after_it(
    latitude: float, longitude: float, day: date
) -> None:
    sun = solar_day(latitude, longitude, day)
    assert sun.noon - timedelta(hours=12, minutes=5) <= sun.sunrise <= sun.noon <= sun.sunset
    assert sun.sunset <= sun.noon + timedelta(hours=12, minutes=5)
    mean_noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - timedelta(hours=longitude / 15)
    assert abs(sun.noon - mean_noon) < timedelta(minutes=17)
    following = solar_day(latitude, longitude, day + timedelta(days=1))
    assert abs(following.noon - sun.noon - timedelta(days=1)) < timedelta(minutes=1)


@pytest.mark.parametrize("latitude", [66.0, 69.65, 78.2, 90.0, -77.8])
def test_through_the_year_at_the_poles_sunrise_never_leaps_but_as_the_last_night_or_day_shrinks(
    latitude: float,
) -> None:
    sunrises = [(solar_day(latitude, 18.96, date(2026, 1, 1) + timedelta(days=n))) for n in range(365)]
    before_noon_h = [(sun.noon - sun.sunrise).total_seconds() / 3600 for sun in sunrises]
    assert all(0 <= hour <= 12.1 for hour in before_noon_h)
    if abs(latitude) < 85:
        assert max(abs(b - a) for a, b in pairwise(before_noon_h)) < 2.5
    if abs(latitude) > 67:
        assert {0.0, 12.0} <= set(before_noon_h)


def test_under_the_midnight_sun_the_dawn_window_lies_where_the_sun_is_lowest() -> None:
    schedule = plan("sunrise-60m to sunrise+120m")
    found = spans(schedule, utc("2026-06-20T12:00"), utc("2026-06-23T12:00"))
    assert [round(hours([span]), 3) for span in found] == [3.0, 3.0, 3.0]
    for begin, end in found:
        # solar midnight at 19 degrees east is about 22:45 UTC
        assert begin.strftime("%H") == "21"
        assert end.strftime("%H") == "00"


@pytest.mark.parametrize(
    ("window", "june_h", "december_h"),
    [
        ("sunrise to sunset", 24.0, 0.0),
        ("sunset to sunrise", 0.0, 24.0),
        ("sunrise-60m to sunset+60m", 24.0, 2.0),
        ("sunrise-60m to sunrise+120m", 3.0, 3.0),
        ("sunset-30m to sunset+90m", 2.0, 2.0),
        ("sunrise+60m to sunset-60m", 22.0, 0.0),
    ],
)
def test_in_polar_summer_and_winter_every_window_is_what_its_name_says(
    window: str, june_h: float, december_h: float
) -> None:
    for month, expected_h in ((6, june_h), (12, december_h)):
        start = datetime(2026, month, 20, tzinfo=UTC)
        mean_h = hours(spans(plan(window), start, start + timedelta(days=4))) / 4
        assert mean_h == pytest.approx(expected_h, abs=0.6)


@pytest.mark.parametrize(
    ("window", "december_h", "june_h"),
    [
        ("05:00 to sunrise", 3.2, 0.0),
        ("22:00 to sunrise", 10.2, 6.7),
        ("sunset to 23:00", 7.1, 1.5),
    ],
)
def test_between_the_clock_and_the_sun_a_window_goes_over_midnight_where_that_makes_sense(
    window: str, december_h: float, june_h: float
) -> None:
    schedule = plan(window, place=Place(52.52, 13.405))
    for month, expected_h in ((12, december_h), (6, june_h)):
        start = datetime(2026, month, 20, 12, tzinfo=UTC)
        assert hours(spans(schedule, start, start + timedelta(days=2))) / 2 == pytest.approx(expected_h, abs=0.3)


def test_a_duty_cycle_is_aligned_to_utc_whenever_the_device_was_started() -> None:
    schedule = plan(duty=(60, 540))
    for start in ("2026-03-29T00:00", "2026-03-29T00:07", "2026-03-29T03:59:30"):
        found = spans(schedule, utc(start), utc(start) + timedelta(hours=1))
        assert all((begin.minute % 10, end.minute % 10) == (0, 1) for begin, end in found[1:-1])
        assert hours(found) == pytest.approx(0.1, abs=0.01)


def test_a_window_and_a_duty_cycle_together_are_both() -> None:
    schedule = plan("04:00-05:00", duty=(300, 900), zone=ZoneInfo("UTC"))
    found = spans(schedule, utc("2026-05-01T00:00"), utc("2026-05-02T00:00"))
    assert [f"{begin:%H:%M}-{end:%H:%M}" for begin, end in found] == ["04:00-04:05", "04:20-04:25", "04:40-04:45"]


def test_several_windows_are_any_of_them() -> None:
    schedule = plan("04:00-06:00", "05:00-07:00", "20:00-21:00", zone=ZoneInfo("UTC"))
    found = spans(schedule, utc("2026-05-01T00:00"), utc("2026-05-02T00:00"))
    assert [f"{begin:%H:%M}-{end:%H:%M}" for begin, end in found] == ["04:00-07:00", "20:00-21:00"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("windows: [sunrise to 09:00]", "place.latitude and place.longitude expected"),
        ("on_s: 60", "schedule.on_s is 60.0 and schedule.off_s None: both or neither expected"),
        ("windows: ['25:00-26:00']", "schedule.windows"),
        ("windows: ['sunrise--60m to 09:00']", "schedule.windows"),
        ("windows: [dawn]", "schedule.windows"),
        ("windows: ['04:30']", "schedule.windows"),
        ("off_s: -1", "schedule.off_s"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_one_sentence_at_the_start(text: str, sentence: str) -> None:
    def start() -> None:
        settings = parse(f"schedule: {{{text}}}")
        Schedule.of(settings.schedule, settings.place, BERLIN)

    with pytest.raises(ConfigError) as caught:
        start()
    assert sentence in str(caught.value)


def test_half_a_window_that_is_no_time_is_refused_with_what_is_expected() -> None:
    with pytest.raises(ConfigError, match="'noon': expected a time such as 04:30, or sunrise or sunset"):
        Point.read("noon")


def test_another_plan_takes_the_place_of_one_within_a_minute() -> None:
    revisable = Revisable(plan("04:00-05:00", zone=ZoneInfo("UTC")))
    said = revisable.at(utc("2026-05-01T02:00"))
    assert (said.wanted, said.until) == (False, utc("2026-05-01T02:01"))
    revisable.plan = plan("01:00-03:00", zone=ZoneInfo("UTC"))
    assert revisable.at(utc("2026-05-01T02:01")).wanted
    assert revisable.at(utc("2026-05-01T02:59:30")).until == utc("2026-05-01T03:00")


@pytest.mark.parametrize(
    "window",
    ["04:30-09:00", "04:30 - 09:00", "sunrise-60m to sunrise+120m", "sunrise - 60 min to 12:00", "21:00 to sunset"],
)
def test_a_window_may_be_written_as_people_write_it(window: str) -> None:
    settings = parse(f"schedule: {{windows: ['{window}']}}\nplace: {{latitude: 47, longitude: 8}}")
    assert len(Schedule.of(settings.schedule, settings.place, BERLIN).windows) == 1


RATE = 100


@st.composite
def streams(draw: st.DrawFn) -> list[Block | Gap]:
    """Blocks, gaps told and untold, for a few minutes."""
    position, pieces = draw(st.integers(0, 500)), list[Block | Gap]()
    for kind, length in draw(st.lists(st.tuples(st.sampled_from("bbgu"), st.integers(1, 900)), max_size=8)):
        if kind == "b":
            pieces.append(Block(position, np.arange(position, position + length, dtype=np.float32)))
        elif kind == "g":
            pieces.append(Gap(position, position + length, Cause.DEVICE))
        position += length
    return pieces


def cut(pieces: Sequence[Block | Gap], length: int) -> list[Block | Gap]:
    """The same in pieces of at most a length."""
    parts: list[Block | Gap] = []
    for piece in pieces:
        for start in range(piece.start_sample, piece.end_sample, length):
            stop = min(start + length, piece.end_sample)
            if isinstance(piece, Gap):
                parts.append(Gap(start, stop, piece.cause))
            else:
                parts.append(Block(start, piece.samples[start - piece.start_sample : stop - piece.start_sample]))
    return parts


def by_sample(pieces: Sequence[Block | Gap]) -> list[tuple[int, str]]:
    """What each sample is."""
    return [
        (sample, piece.cause if isinstance(piece, Gap) else f"{piece.samples[sample - piece.start_sample]:.0f}")
        for piece in pieces
        for sample in range(piece.start_sample, piece.end_sample)
    ]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    pieces=streams(),
    length=st.integers(1, 700),
    duty=st.tuples(st.floats(0.5, 20), st.floats(0.5, 20)),
    late=st.integers(0, 10**7),
)
def test_what_is_outside_becomes_a_gap_at_the_very_sample_however_the_audio_is_cut(
    pieces: list[Block | Gap], length: int, duty: tuple[float, float], late: int
) -> None:
    clock = SampleClock(RATE, utc("2026-05-01T04:00") + timedelta(microseconds=late), Quality.RECORDER)
    schedule = plan(duty=duty)
    whole = by_sample(list(scheduled(pieces, clock, schedule)))
    assert by_sample(list(scheduled(cut(pieces, length), clock, schedule))) == whole
    for (sample, is_now), (same, was) in zip(whole, by_sample(pieces), strict=True):
        time = clock.utc(sample)
        assert time is not None
        assert sample == same
        assert is_now == (was if schedule.at(time).wanted else Cause.SCHEDULE)


class _Clock:
    """A clock in the hands of a test."""

    sample_rate, boot = RATE, None

    def __init__(self, start: datetime | None, quality: Quality) -> None:
        self.start, self.quality = start, quality

    def seconds(self, sample: int) -> float:
        return sample / RATE

    def at(self, sample: int) -> Instant:
        time = None if self.start is None else self.start + timedelta(seconds=sample / RATE)
        return Instant(time, self.quality)


@pytest.mark.parametrize("clock", [_Clock(None, Quality.UNKNOWN), _Clock(utc("2026-05-01T12:00"), Quality.UNSYNCED)])
def test_while_nobody_knows_the_time_everything_is_listened_to(clock: _Clock) -> None:
    block = Block(0, np.zeros(1000, np.float32))
    assert list(scheduled([block], clock, plan("04:00-05:00"))) == [block]


def test_once_the_time_is_known_the_schedule_holds_and_a_clock_that_is_put_right_is_followed() -> None:
    clock = _Clock(None, Quality.UNSYNCED)
    stage = scheduled([Block(n * 100, np.zeros(100, np.float32)) for n in range(4)], clock, plan("04:00-05:00"))
    kinds = [type(next(stage))]
    clock.start, clock.quality = utc("2026-05-01T12:00"), Quality.NTP
    kinds.append(type(next(stage)))
    clock.start = utc("2026-05-01T02:30")
    kinds.append(type(next(stage)))
    clock.start = utc("2026-05-02T12:00")
    kinds.append(type(next(stage)))
    assert kinds == [Block, Gap, Block, Gap]


def test_a_clock_that_is_adjusted_by_a_millisecond_at_the_border_does_not_flicker() -> None:
    clock = _Clock(utc("2026-05-01T01:59:58"), Quality.NTP)
    blocks = [Block(n * 10, np.zeros(10, np.float32)) for n in range(60)]
    kinds = []
    stage = scheduled(blocks, clock, plan("04:00-05:00"))
    for piece in stage:
        kinds.append(isinstance(piece, Block))
        assert clock.start is not None
        clock.start -= timedelta(milliseconds=1)
    assert kinds == sorted(kinds), "paused, then listening, once"

"""The clock of a microphone: a sound card that drifts, blocks that come late, and a system clock that jumps."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality
from monitor.clock.gpsd import Fix
from monitor.clock.kernel import Kernel
from monitor.clock.live import LiveClock, timed
from monitor.clock.reference import EARLIEST, StationClock
from monitor.clock.timeline import Timeline
from monitor.records import Block, Cause, Gap

NOON = datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()
"""of a leap day"""
UPTIME_S = 1000.0
"""monotonic seconds when a test begins: at NOON"""
RATE = 1000
BLOCK = 100

modest = settings(derandomize=True, deadline=None, max_examples=100)


class World:
    """The clocks of a machine, in the hands of a test."""

    def __init__(self) -> None:
        self.monotonic, self.wrong_s = UPTIME_S, 0.0
        self.kernel = Kernel(synchronised=False, error_s=16.0)

    def system(self) -> float:
        """What the machine takes for UTC, in seconds since 1970."""
        return NOON + self.monotonic - UPTIME_S + self.wrong_s

    def station(self, quality: Quality = Quality.UNSYNCED) -> StationClock:
        """A station clock that lives in this world, and has looked once."""
        clock = StationClock(
            "boot", None, quality, kernel=lambda: self.kernel, monotonic=lambda: self.monotonic, system=self.system
        )
        clock.observe()
        return clock

    def fix(self, error_s: float = 0.01) -> Fix:
        """What a receiver reports now, half a second late."""
        utc = datetime.fromtimestamp(NOON + self.monotonic - UPTIME_S - 0.5, UTC)
        return Fix(utc, self.monotonic, error_s, 47.4, 8.5)


def utc(clock: StationClock, monotonic: float) -> datetime:
    """When it was."""
    time = clock.at(monotonic).utc
    assert time is not None
    return time


# Events that set the system clock: seconds that pass before, how far it then is wrong, and whether the kernel vouches.
events = st.lists(
    st.tuples(
        st.floats(0.0, 90_000.0), st.sampled_from([0.0, 0.3, -0.2, 3600.0, -3600.0, 86_400.0, -1e9, 1.0]), st.booleans()
    ),
    max_size=8,
)


@modest
@given(events=events, first=st.floats(0, 1e5), apart=st.floats(0, 1e5), quality=st.sampled_from(["unsynced", "rtc"]))
def test_whatever_the_system_clock_does_two_times_of_a_boot_stay_as_far_apart_as_they_are(
    events: Sequence[tuple[float, float, bool]], first: float, apart: float, quality: str
) -> None:
    world = World()
    station = world.station(Quality(quality))
    for wait_s, wrong_s, synchronised in events:
        before = utc(station, first)
        world.monotonic += wait_s
        world.wrong_s, world.kernel = wrong_s, Kernel(synchronised, 0.05)
        moved = station.observe()
        shift = utc(station, first) - before
        assert moved or shift == timedelta(0)
        distance_s = (utc(station, first + apart) - utc(station, first)).total_seconds()
        assert distance_s == pytest.approx(apart, abs=2e-6)


@modest
@given(events=events)
def test_once_the_time_is_known_a_clock_that_nobody_vouches_for_changes_nothing(
    events: Sequence[tuple[float, float, bool]],
) -> None:
    world = World()
    world.kernel = Kernel(synchronised=True, error_s=0.02)
    station = world.station()
    assert utc(station, UPTIME_S).timestamp() == NOON
    for wait_s, world.wrong_s, _ in events:
        world.monotonic += wait_s
        world.kernel = Kernel(synchronised=False, error_s=16.0)
        assert not station.observe()
    assert utc(station, UPTIME_S).timestamp() == NOON
    assert station.at(UPTIME_S).quality is Quality.NTP


def test_a_device_without_a_clock_has_no_times_and_then_all_of_them_at_once() -> None:
    world = World()
    world.wrong_s = EARLIEST.timestamp() - NOON - 40 * 365 * 86_400
    station = world.station()
    assert (station.at(UPTIME_S).utc, station.at(UPTIME_S).quality) == (None, Quality.UNSYNCED)
    world.monotonic += 7200
    world.wrong_s, world.kernel = 0.0, Kernel(synchronised=True, error_s=0.05)
    assert station.observe()
    assert utc(station, UPTIME_S).timestamp() == NOON
    assert station.at(UPTIME_S).quality is Quality.NTP


def test_a_clock_that_was_an_hour_wrong_moves_all_times_alike_when_the_network_comes() -> None:
    world = World()
    world.wrong_s = -3600.0
    station = world.station(Quality.RTC)
    assert station.at(UPTIME_S).quality is Quality.RTC
    assert station.at(UPTIME_S).error_s is None
    before = [utc(station, at) for at in (UPTIME_S, 1500.0, 90_000.0)]
    world.wrong_s, world.kernel = 0.0, Kernel(synchronised=True, error_s=0.05)
    assert station.observe()
    after = [utc(station, at) for at in (UPTIME_S, 1500.0, 90_000.0)]
    assert {b - a for a, b in zip(before, after, strict=True)} == {timedelta(hours=1)}
    assert not station.observe()


def test_the_error_is_what_the_kernel_says_and_grows_with_the_time_that_nobody_vouched_for() -> None:
    world = World()
    world.kernel = Kernel(synchronised=True, error_s=0.02)
    station = world.station()
    errors_s = [station.at(UPTIME_S + away).error_s for away in (0.0, 600.0, -600.0, 6000.0)]
    assert errors_s == pytest.approx([0.021, 0.081, 0.081, 0.621])
    world.monotonic += 6000
    assert not station.observe()
    assert station.at(world.monotonic).error_s == pytest.approx(0.021)
    assert station.at(world.monotonic, 0.004).error_s == pytest.approx(0.025)


def test_a_time_server_that_contradicts_itself_beyond_its_own_error_is_followed() -> None:
    world = World()
    world.kernel = Kernel(synchronised=True, error_s=0.02)
    world.wrong_s = 5.0
    station = world.station()
    world.wrong_s, world.monotonic = 0.0, world.monotonic + 60
    assert station.observe()
    assert utc(station, UPTIME_S).timestamp() == NOON


def test_a_satellite_receiver_gives_the_time_where_there_is_no_network() -> None:
    world = World()
    world.wrong_s = 12_345.0
    station = world.station()
    world.monotonic += 30
    assert station.observe(world.fix())
    instant = station.at(UPTIME_S)
    assert instant.quality is Quality.GPS
    assert instant.error_s is not None
    assert abs(utc(station, UPTIME_S).timestamp() - NOON) <= instant.error_s < 0.6
    assert not station.observe(world.fix())


def test_of_two_that_contradict_each_other_the_one_that_errs_less_is_believed_and_stays() -> None:
    world = World()
    world.wrong_s, world.kernel = 20.0, Kernel(synchronised=True, error_s=3.0)
    station = world.station()
    assert station.observe(world.fix())
    assert station.at(UPTIME_S).quality is Quality.GPS
    for _ in range(3):
        world.monotonic += 30
        assert not station.observe(world.fix())
    assert station.at(UPTIME_S).quality is Quality.GPS


def test_a_daemon_that_starts_again_in_the_same_boot_believes_what_it_believed() -> None:
    world = World()
    first = world.station()
    world.wrong_s, world.monotonic = 3600.0, world.monotonic + 100
    again = StationClock(
        "boot",
        first.reference,
        Quality.UNSYNCED,
        kernel=lambda: world.kernel,
        monotonic=lambda: world.monotonic,
        system=world.system,
    )
    assert not again.observe()
    assert utc(again, UPTIME_S).timestamp() == NOON


def stamped(
    hours: float, drift: float, late_s: Sequence[float] | np.ndarray, start: int = 0, began: float = UPTIME_S
) -> list[Block]:
    """Blocks of a card that takes its samples slower than it says by the share `drift`, each seen late."""
    count = round(hours * 3600 * RATE / BLOCK)
    late = np.resize(np.asarray(late_s, np.float64), count)
    ends = start + BLOCK * np.arange(1, count + 1)
    taken = began + ends / RATE * (1 + drift) + late
    samples = np.zeros(BLOCK, np.float32)
    return [Block(int(end) - BLOCK, samples, float(at)) for end, at in zip(ends, taken, strict=True)]


def followed(pieces: Sequence[Block | Gap], timeline: Timeline) -> None:
    """Let a stream pass."""
    assert list(timed(pieces, RATE, timeline)) == list(pieces)


@pytest.mark.parametrize("ppm", [-150, -20, 0, 35, 400])
def test_the_drift_of_a_card_is_found_although_blocks_come_late(ppm: int) -> None:
    late_s = np.random.default_rng(1).exponential(0.02, 40_000)
    timeline = Timeline(UPTIME_S)
    followed(stamped(0.5, ppm * 1e-6, late_s), timeline)
    assert timeline.drift * 1e6 == pytest.approx(ppm, abs=1)
    for at_s in (1300.0, 1700.0, 1799.0):
        taken, error_s = timeline.monotonic(at_s)
        assert taken == pytest.approx(UPTIME_S + at_s * (1 + ppm * 1e-6), abs=0.001)
        assert error_s < 0.001


def test_a_quarter_of_the_minutes_may_be_late_from_end_to_end() -> None:
    late_s = np.random.default_rng(2).exponential(0.005, 36_000)
    for minute in range(0, 60, 4):
        late_s[minute * 600 : (minute + 1) * 600] += 1.5
    timeline = Timeline(UPTIME_S)
    followed(stamped(1.0, 50e-6, late_s), timeline)
    assert timeline.monotonic(3500.0)[0] == pytest.approx(UPTIME_S + 3500 * (1 + 50e-6), abs=0.002)


def test_a_time_from_the_first_minute_is_known_as_well_as_its_blocks_were_early() -> None:
    timeline = Timeline(UPTIME_S)
    followed(stamped(1 / 360, 0.0, [0.08, 0.02, 0.05]), timeline)
    taken, error_s = timeline.monotonic(5.0)
    assert taken == pytest.approx(UPTIME_S + 5.02)
    assert error_s == pytest.approx(0.06)


def test_after_an_outage_the_line_begins_anew_with_the_drift_that_is_known_and_what_was_before_stays() -> None:
    timeline, drift = Timeline(UPTIME_S), 100e-6
    before = stamped(0.25, drift, [0.0, 0.01])
    lost = Gap(900 * RATE, 1000 * RATE, Cause.DEVICE)
    # counted by the monotonic clock, the outage leaves the card's count half a second off
    after = stamped(0.01, drift, [0.0, 0.01], lost.end_sample, UPTIME_S + 0.5)
    followed([*before, lost, *after], timeline)
    assert timeline.monotonic(800.0)[0] == pytest.approx(UPTIME_S + 800 * (1 + drift), abs=1e-3)
    assert timeline.monotonic(1030.0)[0] == pytest.approx(UPTIME_S + 0.5 + 1030 * (1 + drift), abs=1e-3)


def test_a_gap_that_a_schedule_or_overload_made_changes_nothing_for_the_device_went_on() -> None:
    plain, paused = Timeline(UPTIME_S), Timeline(UPTIME_S)
    blocks = stamped(0.2, 80e-6, np.random.default_rng(3).exponential(0.01, 500))
    followed(blocks, plain)
    followed([*blocks[:3000], Gap(300_000, 300_000, Cause.OVERLOAD), *blocks[3000:]], paused)
    assert paused.monotonic(500.0) == plain.monotonic(500.0)


def test_before_the_first_block_the_beginning_of_the_stream_is_all_that_is_known() -> None:
    timeline = Timeline(UPTIME_S)
    followed([Gap(0, 60 * RATE, Cause.DEVICE)], timeline)
    assert timeline.monotonic(60.0) == (UPTIME_S + 60, 0.0)
    followed(stamped(0.01, 0.0, [0.25], 60 * RATE), timeline)
    assert timeline.monotonic(61.0)[0] == pytest.approx(UPTIME_S + 61.25)
    assert timeline.monotonic(30.0)[0] == UPTIME_S + 30


def test_a_timeline_remembers_an_hour_however_long_the_stream() -> None:
    timeline = Timeline(UPTIME_S)
    for outage in range(40):
        start = outage * 400 * RATE
        followed([Gap(start, start + RATE, Cause.DEVICE)], timeline)
        followed(stamped(0.11, 1e-5, [0.001], start + RATE), timeline)
    assert len(timeline._pieces) == 16
    assert max(len(piece._minutes) for piece in timeline._pieces) <= 60


@modest
@given(
    samples=st.lists(st.integers(0, 1_700_000), min_size=2, max_size=2),
    ppm=st.integers(-200, 200),
    jumps=events,
)
def test_detections_are_as_far_apart_as_their_samples_whatever_the_system_clock_does(
    samples: Sequence[int], ppm: int, jumps: Sequence[tuple[float, float, bool]]
) -> None:
    world, timeline = World(), Timeline(UPTIME_S)
    station = world.station()
    clock = LiveClock(RATE, timeline, station)
    for number in range(30):
        timeline.saw(60.0 * number, 60.0 * number + 1, UPTIME_S + (60.0 * number + 1) * (1 + ppm * 1e-6))
        if number < len(jumps):
            _, world.wrong_s, synchronised = jumps[number]
            world.kernel = Kernel(synchronised, 0.05)
            station.observe()
    first, second = (clock.at(sample).utc for sample in samples)
    assert first is not None
    assert second is not None
    expected_s = (samples[1] - samples[0]) / RATE * (1 + ppm * 1e-6)
    assert (second - first).total_seconds() == pytest.approx(expected_s, abs=0.001)
    assert clock.seconds(1500) == 1.5
    assert clock.boot == "boot"

"""Samples to UTC, exactly."""

import ctypes
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality, SampleClock, minute_after, rfc3339, system_quality
from monitor.clock.kernel import Kernel, boot_id, kernel_clock, unsynchronised_quality

START = datetime(2026, 5, 1, 4, 12, 0, tzinfo=UTC)
YEAR_S = 366 * 24 * 3600

modest = settings(derandomize=True, deadline=None, max_examples=200)
rates = st.sampled_from([8_000, 22_050, 24_000, 44_100, 48_000, 192_000, 384_000])


@modest
@given(rate=rates, seconds=st.integers(0, YEAR_S), rest=st.integers(0, 383_999))
def test_a_year_of_samples_is_counted_to_the_microsecond(rate: int, seconds: int, rest: int) -> None:
    sample = seconds * rate + rest % rate
    utc = SampleClock(rate, START, Quality.NTP).utc(sample)
    assert utc is not None
    microseconds = (utc - START) // timedelta(microseconds=1)
    assert abs(microseconds - Fraction(sample * 1_000_000, rate)) <= Fraction(1, 2)


@modest
@given(rate=rates, seconds=st.integers(0, YEAR_S))
def test_whole_seconds_are_whole_seconds(rate: int, seconds: int) -> None:
    clock = SampleClock(rate, START, Quality.NTP)
    assert clock.utc(seconds * rate) == START + timedelta(seconds=seconds)
    assert clock.seconds(seconds * rate) == seconds


@modest
@given(rate=rates, first=st.integers(0, 10**12), later=st.integers(1, 10**6))
def test_a_later_sample_is_never_earlier(rate: int, first: int, later: int) -> None:
    clock = SampleClock(rate, START, Quality.NTP)
    before, after = clock.utc(first), clock.utc(first + later)
    assert before is not None
    assert after is not None
    assert before <= after


def test_a_recording_of_which_nobody_knows_the_time_has_seconds_but_no_utc() -> None:
    clock = SampleClock(24_000, None, Quality.UNKNOWN)
    assert clock.utc(36_000) is None
    assert rfc3339(clock.utc(36_000)) is None
    assert clock.seconds(36_000) == 1.5


@modest
@given(
    time=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    offset_min=st.integers(-14 * 60, 14 * 60),
)
def test_rfc3339_is_utc_in_milliseconds_and_reads_back(time: datetime, offset_min: int) -> None:
    local = time.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    text = rfc3339(local)
    assert text is not None
    assert len(text) == len("2026-05-01T04:12:07.250Z")
    assert text.endswith("Z")
    read = datetime.fromisoformat(text)
    assert read.utcoffset() == timedelta(0)
    assert timedelta(0) <= local - read < timedelta(milliseconds=1)


def test_rfc3339_writes_what_the_messages_promise() -> None:
    assert rfc3339(START + timedelta(seconds=7, microseconds=250_999)) == "2026-05-01T04:12:07.250Z"
    assert rfc3339(START) == "2026-05-01T04:12:00.000Z"


class _Kernel:
    """A C library whose adjtimex answers what it is told."""

    def __init__(self, state: int, status: int, errors_us: tuple[int, int]) -> None:
        self._answer = state, status, errors_us

    def adjtimex(self, pointer: Any) -> int:  # noqa: ANN401
        timex = pointer._obj
        assert not any(bytes(timex)), "modes other than 0 would set the clock"
        state, timex.status, (timex.maxerror, timex.esterror) = self._answer
        return state


@pytest.mark.parametrize(
    ("state", "status", "errors_us", "told"),
    [
        (0, 0, (250_000, 900), Kernel(synchronised=True, error_s=0.25)),
        (1, 0, (250_000, 900), Kernel(synchronised=True, error_s=0.25)),
        (0, 0x2001, (900, 1_500), Kernel(synchronised=True, error_s=0.0015)),
        (0, 0x40, (0, 0), Kernel(synchronised=False, error_s=0.0)),
        (5, 0x40, (16_000_000, 16_000_000), Kernel(synchronised=False, error_s=16.0)),
        (-1, 0, (0, 0), Kernel(synchronised=False, error_s=0.0)),
    ],
    ids=["fine", "leap second to come", "by a reference clock", "flagged", "error", "forbidden"],
)
def test_the_kernel_says_whether_its_clock_is_synchronised_and_how_well(
    state: int, status: int, errors_us: tuple[int, int], told: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_name: None, *, use_errno: bool) -> _Kernel:
        del use_errno
        return _Kernel(state, status, errors_us)

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert kernel_clock() == told


def test_this_kernel_answers_as_timedatectl_would_read_it() -> None:
    assert kernel_clock().error_s >= 0
    assert system_quality() in {Quality.NTP, Quality.RTC, Quality.UNSYNCED}


def test_a_clock_that_the_machine_was_started_with_is_told_from_one_that_nobody_set(tmp_path: Path) -> None:
    path = tmp_path / "hctosys"
    assert unsynchronised_quality(path) is Quality.UNSYNCED
    path.write_text("0\n", encoding="ascii")
    assert unsynchronised_quality(path) is Quality.UNSYNCED
    path.write_text("1\n", encoding="ascii")
    assert unsynchronised_quality(path) is Quality.RTC


def test_only_a_satellite_and_a_synchronised_clock_are_vouched_for() -> None:
    assert {quality for quality in Quality if quality.vouched} == {Quality.GPS, Quality.NTP}


def test_a_boot_has_a_name_that_it_keeps(tmp_path: Path) -> None:
    assert boot_id() == boot_id()
    nowhere = tmp_path / "nowhere"
    assert boot_id(nowhere) != boot_id(nowhere)


@modest
@given(rate=rates, start=st.datetimes(datetime(2024, 2, 27), datetime(2024, 3, 2)), known=st.booleans())  # noqa: DTZ001
def test_minutes_follow_each_other_and_begin_with_the_minutes_of_utc(rate: int, start: datetime, known: bool) -> None:  # noqa: FBT001
    clock = SampleClock(rate, start.replace(tzinfo=UTC) if known else None, Quality.RECORDER)
    borders = [0]
    for _ in range(5):
        borders.append(minute_after(clock, borders[-1]))
    assert all(rate <= b - a <= 61 * rate for a, b in pairwise(borders))
    for border in borders[1:]:
        utc = clock.utc(border)
        if utc is None:
            assert border % (60 * rate) == 0
        else:
            past_s = (utc - utc.replace(second=0, microsecond=0)).total_seconds()
            assert 0 <= past_s <= 1 / rate + 2e-6

"""Samples to UTC, exactly."""

import ctypes
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality, SampleClock, rfc3339, system_quality

START = datetime(2026, 5, 1, 4, 12, 0, tzinfo=UTC)
YEAR_S = 366 * 24 * 3600

modest = settings(derandomize=True, deadline=None, max_examples=200)
rates = st.sampled_from([8_000, 22_050, 24_000, 44_100, 48_000, 192_000, 384_000])


class _Kernel:
    """A C library whose adjtimex answers what it is told."""

    def __init__(self, answer: int) -> None:
        self._answer = answer

    def adjtimex(self, timex: ctypes.Array[ctypes.c_char]) -> int:
        assert not any(timex.raw), "modes other than 0 would set the clock"
        return self._answer


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


@pytest.mark.parametrize(
    ("answer", "quality"),
    [(0, Quality.NTP), (1, Quality.NTP), (5, Quality.UNSYNCED), (-1, Quality.UNSYNCED)],
)
def test_the_kernel_says_whether_its_clock_is_synchronised(
    answer: int, quality: Quality, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_name: None, *, use_errno: bool) -> _Kernel:
        del use_errno
        return _Kernel(answer)

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert system_quality() is quality


def test_this_kernel_answers_too() -> None:
    assert system_quality() in (Quality.NTP, Quality.UNSYNCED)

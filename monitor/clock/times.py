"""What a time is, how far it can be trusted, and the clock of a recording."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

MINUTE_S = 60
SHORTEST_MINUTE_S = 1
"""a minute that is cut off by the clock's next one is at least so long, or belongs to that one"""


class Quality(StrEnum):
    """How far a time can be trusted."""

    GPS = "gps"
    """a satellite receiver, through gpsd"""
    NTP = "ntp"
    """the system clock, synchronised"""
    RTC = "rtc"
    """the system clock, set from a battery-backed one when the machine started, and not vouched for since"""
    UNSYNCED = "unsynced"
    """the system clock, which nothing vouches for"""
    RECORDER = "recorder"
    """what the recorder wrote into the file or its name"""
    UNKNOWN = "unknown"
    """nobody knows when this was"""

    @property
    def vouched(self) -> bool:
        """Whether somebody who knows the time says that this is it."""
        return self in {Quality.GPS, Quality.NTP}


@dataclass(frozen=True, slots=True)
class Instant:
    """When a sample was taken."""

    utc: datetime | None
    """to the microsecond, None where nobody knows"""
    quality: Quality
    error_s: float | None = None
    """the time is right to so many seconds; None where nobody can say"""
    monotonic: float | None = None
    """seconds of the monotonic clock of this boot; None for a recording"""


class Clock(Protocol):
    """The time of each sample of a stream, at one sample rate."""

    @property
    def sample_rate(self) -> int:
        """Hz, of the samples that are counted."""

    @property
    def boot(self) -> str | None:
        """Of whose monotonic clock `Instant.monotonic` is; None for a recording."""

    def seconds(self, sample: int) -> float:
        """Seconds from the start of the stream."""

    def at(self, sample: int) -> Instant:
        """When a sample was taken."""


@dataclass(frozen=True, slots=True)
class SampleClock:
    """The clock of a recording: the time of its sample 0; all others follow by counting."""

    sample_rate: int
    start: datetime | None
    quality: Quality

    @property
    def boot(self) -> None:
        """A recording knows of no boot."""
        return

    def seconds(self, sample: int) -> float:
        """Seconds from the start of the recording."""
        return sample / self.sample_rate

    def utc(self, sample: int) -> datetime | None:
        """UTC of a sample to the microsecond, or None where nobody knows."""
        if self.start is None:
            return None
        return self.start + timedelta(microseconds=round(sample * 1_000_000 / self.sample_rate))

    def at(self, sample: int) -> Instant:
        """UTC of a sample; how far a recorder's clock was off nobody can say."""
        return Instant(self.utc(sample), self.quality)


def minute_after(clock: Clock, sample: int) -> int:
    """The sample with which the next minute of UTC begins; where nobody knows UTC, the next of the stream."""
    utc = clock.at(sample).utc
    if utc is None:
        minute = MINUTE_S * clock.sample_rate
        return (sample // minute + 1) * minute
    left_s = MINUTE_S - utc.second - utc.microsecond / 1_000_000
    if left_s < SHORTEST_MINUTE_S:
        left_s += MINUTE_S
    return sample + math.ceil(left_s * clock.sample_rate)


def rfc3339(time: datetime | None) -> str | None:
    """UTC with milliseconds, as in 2026-05-01T04:12:07.250Z."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Sample index -> UTC, with the quality of that answer. The only place where samples become time."""

import ctypes
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_TIME_ERROR = 5
"""adjtimex(2): the kernel's clock is not synchronised"""


class Quality(StrEnum):
    """How far a time can be trusted."""

    NTP = "ntp"
    """the system clock, synchronised"""
    UNSYNCED = "unsynced"
    """the system clock, which nothing vouches for"""
    RECORDER = "recorder"
    """what the recorder wrote into the file or its name"""
    UNKNOWN = "unknown"
    """nobody knows when this was"""


@dataclass(frozen=True, slots=True)
class SampleClock:
    """The time of sample 0 of a recording; all others follow by counting."""

    sample_rate: int
    start: datetime | None
    quality: Quality

    def seconds(self, sample: int) -> float:
        """Seconds from the start of the recording."""
        return sample / self.sample_rate

    def utc(self, sample: int) -> datetime | None:
        """UTC of a sample to the microsecond, or None where nobody knows."""
        if self.start is None:
            return None
        return self.start + timedelta(microseconds=round(sample * 1_000_000 / self.sample_rate))


def rfc3339(time: datetime | None) -> str | None:
    """UTC with milliseconds, as in 2026-05-01T04:12:07.250Z."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def system_quality() -> Quality:
    """Whether the kernel says that its clock is synchronised."""
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    return Quality.UNSYNCED if state in (-1, _TIME_ERROR) else Quality.NTP

"""The files that a recording lies in, and who made it where."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the earth, in degrees (WGS 84). ValueError for what is none."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        """Refuse what lies nowhere."""
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):  # noqa: PLR2004 - degrees
            msg = (
                f"{self.latitude:g} {self.longitude:g}: latitude from -90 to 90 and longitude from -180 to 180 expected"
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Recorder:
    """The device that made it; empty where it does not say."""

    make: str = ""
    model: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a recording. Samples count at the recording's rate."""

    file: str
    """its path as it was given"""
    start_sample: int
    """of the recording, with which it begins"""
    end_sample: int | None
    """one past its last, according to its header; None where that does not say"""
    start: datetime | None
    """UTC of its first sample, by its own name or metadata; None where nobody knows"""

    def utc(self, seconds: float) -> datetime | None:
        """UTC so many seconds behind its first sample, to the microsecond; None where nobody knows."""
        return None if self.start is None else self.start + timedelta(microseconds=round(seconds * 1_000_000))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a recording."""

    sample_rate: int
    """Hz"""
    parts: Sequence[Part]
    """at least one; in order"""
    channel: int | None = None
    """the channel that is heard, from 1; None: all of them, averaged"""
    position: Position | None = None
    site: str = ""
    """the deployment's name of the place"""
    recorder: Recorder = field(default_factory=Recorder)
    local_start: datetime | None = None
    """without a zone: what the clock of the recorder said, where nobody knows in which zone"""

    def part_at(self, sample: int, sample_rate: int) -> Part:
        """The file in which a sample lies, which counts at some rate from the start of the recording."""
        at = sample * self.sample_rate
        index = bisect_right(self.parts, at, key=lambda part: part.start_sample * sample_rate)
        return self.parts[max(0, index - 1)]

    def seconds(self, part: Part, sample: int, sample_rate: int) -> float:
        """How far into one of its files, or behind its end, a sample lies, which counts at some rate."""
        return sample / sample_rate - part.start_sample / self.sample_rate

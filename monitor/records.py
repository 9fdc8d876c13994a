"""What flows between the stages. Positions are sample indices of one recording, never seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a source yields at once: any length, no gap inside.

    A next block that does not start where this one ends means that the audio between was lost.
    """

    start_sample: int
    samples: Samples
    """shape (n,), float32 in [-1, 1]; a source does not touch them again"""
    captured: float | None = None
    """monotonic seconds at which its last sample had been taken; None where that is not now, as in a file"""

    @property
    def end_sample(self) -> int:
        """One past the last sample."""
        return self.start_sample + len(self.samples)


class Cause(StrEnum):
    """Why a stretch of time was not heard."""

    DEVICE = "device"
    """the microphone was gone, dead or frozen, or gave what no microphone gives"""
    OVERRUN = "overrun"
    """it was there, but audio was lost on its way to us"""
    OVERLOAD = "overload"
    """we had it, and gave it up because analysis could not keep up"""
    DAMAGED = "damaged"
    """a recording cannot be decoded there"""
    SCHEDULE = "schedule"
    """nobody wanted to listen"""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that a source did not get, in the place of the blocks that it could not yield.

    A source says so while it lasts, in as many pieces as it likes. Without one, audio that begins later than the
    last ended is a gap of unknown cause.
    """

    start_sample: int
    end_sample: int
    cause: Cause


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The fixed slice that the model sees."""

    start_sample: int
    end_sample: int
    """one past the last sample that was heard; the samples of a short stretch repeat to fill the window"""
    samples: Samples
    """shape (N,), float32 in [-1, 1]"""

    @property
    def whole(self) -> bool:
        """Whether every sample was heard, none repeated."""
        return self.end_sample - self.start_sample == len(self.samples)


@dataclass(frozen=True, slots=True)
class Taxon:
    """Who it is."""

    scientific_name: str
    common_name: str


@dataclass(frozen=True, slots=True)
class Detection:
    """One reported occurrence of a label."""

    id: str
    """UUID, the same whenever the same recording is analysed again"""
    label: str
    taxon: Taxon
    onset_sample: int
    offset_sample: int
    confidence: float
    """the highest calibrated score, in [0, 1]"""


@dataclass(frozen=True, slots=True)
class Effort:
    """The account of a minute of a stream: heard + lost + paused + withheld = end_sample - start_sample."""

    minute: int
    """counted from the start of the stream"""
    start_sample: int
    end_sample: int
    heard_samples: int
    """that a window covered, and nobody withheld"""
    withheld_samples: int
    """that were heard, but their sound was withheld for privacy"""
    missed: Mapping[Cause, int]
    """samples that no window covered, by cause"""

    @property
    def paused_samples(self) -> int:
        """Samples in which nobody wanted to listen."""
        return self.missed.get(Cause.SCHEDULE, 0)

    @property
    def lost_samples(self) -> int:
        """Samples that should have been heard and were not."""
        return sum(self.missed.values()) - self.paused_samples

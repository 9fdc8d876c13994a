"""Audio that may become a file, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from monitor.recorded import Position, Recorder
from monitor.records import Taxon

Levels16 = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class About:
    """What a clip says of itself."""

    detection: str
    """id"""
    label: str
    taxon: Taxon
    confidence: float
    onset_s: float
    """of the detection, from the start of the clip"""
    offset_s: float
    start: datetime | None
    """UTC of the first sample of the clip; None where nobody knows"""
    start_s: float
    """of the clip, from the start of the recording"""
    clock_quality: str
    recording: str
    """a file, or what was listened to"""
    model: str
    station: str
    """or the site of a deployment"""
    position: Position | None = None
    recorder: Recorder = Recorder()  # noqa: RUF009 - it is frozen

    @property
    def species(self) -> str:
        """By its scientific name, or its label where it has none."""
        return self.taxon.scientific_name or self.label


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Audio that may become a file."""

    about: About
    audio: Levels16
    """shape (n,), with what lies beside the clip"""
    kept: slice
    """the clip in `audio`"""
    sample_rate: int
    nth: int
    """of its species since the program began, from 1"""
    withhold: Callable[[], None]
    """to be called from any thread, once the clip is withheld"""

    @property
    def length_s(self) -> float:
        """Of what is kept."""
        return (self.kept.stop - self.kept.start) / self.sample_rate

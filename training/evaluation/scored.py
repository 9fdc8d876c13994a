"""Recordings -> logits, as the device would hear them: windows of the contract's length, one a second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, MelSpec, picture
from training.corpus.recordings import Recording
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.train import sigmoid

Logits = Callable[[Sequence[Floats]], Floats]
"""windows, each (n_channels, n_mels, n_frames) -> (n, n_labels)"""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A recording and what a network made of its windows."""

    recording: Recording
    logits: Floats
    """(n_windows, n_labels): one window a second from the start, and one at the very end"""
    last_s: float
    """where the last window starts"""

    @property
    def scores(self) -> Floats:
        """The logits as scores in [0, 1], not calibrated."""
        return sigmoid(self.logits)

    @property
    def highest(self) -> Floats:
        """The highest logit of each label, (n_labels,)."""
        return self.logits.max(axis=0)

    @property
    def starts_s(self) -> npt.NDArray[np.float64]:
        """Start of each window, (n_windows,)."""
        return np.minimum(np.arange(len(self.logits), dtype=np.float64), self.last_s)


@dataclass(frozen=True, slots=True)
class Listener:
    """A network and the windows it takes."""

    logits: Logits
    spec: MelSpec
    window_samples: int

    def hear(self, recording: Recording, power: Floats) -> Scored:
        """Score the windows of a recording, from its mel power (n_mels, n_frames)."""
        starts = starts_of(power, self.spec, self.window_samples)
        windows = windows_of(power, self.spec, self.window_samples)
        return Scored(recording, self.logits(windows), starts[-1] * self.spec.hop / self.spec.sample_rate)


def starts_of(power: Floats, spec: MelSpec, window_samples: int) -> list[int]:
    """First frame of each window of a recording at least one window long: one a second and one at the very end."""
    last = power.shape[1] - spec.n_frames(window_samples)
    return [*range(0, last, spec.sample_rate // spec.hop), last]


def windows_of(power: Floats, spec: MelSpec = SPEC, window_samples: int = WINDOW_SAMPLES) -> list[Floats]:
    """Mel power of a recording -> windows as the network sees them, at `starts_of`."""
    n_frames = spec.n_frames(window_samples)
    starts = starts_of(power, spec, window_samples)
    return [picture(power[:, start : start + n_frames], spec) for start in starts]

"""What is listened to, while it is open: a sound card, a pipe, an address. It gives frames as they come."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from monitor.records import Gap

Channels = npt.NDArray[np.float32]
"""shape (n, channels), in [-1, 1]"""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Samples of all channels, as they came."""

    start_sample: int
    samples: Channels
    captured: float
    """monotonic seconds at which they had come, the last of them at that time or before"""

    @property
    def end_sample(self) -> int:
        """One past the last sample."""
        return self.start_sample + len(self.samples)


Piece = Frames | Gap


class Feed(Protocol):
    """An open source of audio. Samples count from its opening, those that it knows to be lost included."""

    name: str
    sample_rate: int
    """Hz"""
    burst_s: float
    """how much audio it may have kept for us, and gives at once"""

    def read(self, patience_s: float) -> list[Frames] | None:
        """What has come or comes within that time; None at a proper end. MicrophoneError where it broke off."""

    def close(self) -> None:
        """Let go of it, whatever state it is in; returns within about a second."""

"""A high-pass against wind and handling: linear in phase, the same however the audio is cut into blocks."""

from collections.abc import Iterator

import numpy as np
import scipy.fft

from monitor.features import Floats
from monitor.records import Block, Samples

WIDTH = 3.3
"""of a Hamming taper's transition, in taps x transition / rate (Oppenheim and Schafer, Discrete-Time Signal
Processing, section 7.5)"""


class HighPass:
    """Lets through what is above `cutoff_hz` of a stretch without a gap; at the cutoff itself half the amplitude.

    A windowed sinc by FFT over frames that lie fixed in the stretch: hence the same result for every cutting. At its
    two ends the stretch is taken to go on with its first and its last sample. Blocks come later by up to a frame.
    """

    def __init__(self, cutoff_hz: float, sample_rate: int) -> None:
        self._taps = _taps(cutoff_hz, sample_rate)
        self._size = 1 << int(np.ceil(np.log2(4 * len(self._taps))))
        self._spectrum = scipy.fft.rfft(self._taps, self._size)
        self._rate = sample_rate
        self._position: int | None = None
        """of the next sample that comes out; None between stretches"""
        self._held: Samples = np.zeros(0, np.float32)

    def add(self, block: Block) -> Iterator[Block]:
        """Filter the next block, which follows the last one."""
        if not len(block.samples):
            return
        if self._position is None:
            self._position = block.start_sample
            self._held = np.full(len(self._taps) // 2, block.samples[0])
        self._held = np.concatenate([self._held, block.samples])
        self._end, self._captured = block.end_sample, block.captured
        while len(self._held) >= self._size:
            yield self._block(self._filtered(self._held[: self._size]))

    def finish(self) -> Iterator[Block]:
        """The stretch ends here."""
        if self._position is not None:
            self._held = np.concatenate([self._held, np.full(len(self._taps) // 2, self._held[-1])])
            while self._position < self._end:
                frame = np.zeros(self._size, np.float32)
                piece = self._held[: self._size]
                frame[: len(piece)] = piece
                yield self._block(self._filtered(frame)[: self._end - self._position])
        self._position = None

    def _filtered(self, frame: Samples) -> Samples:
        """The part of a frame that no zero outside of it reaches (overlap-save)."""
        whole = scipy.fft.irfft(scipy.fft.rfft(frame) * self._spectrum, self._size)
        return whole[len(self._taps) - 1 :]

    def _block(self, samples: Samples) -> Block:
        assert self._position is not None  # noqa: S101
        start, self._position = self._position, self._position + len(samples)
        self._held = self._held[len(samples) :]
        waits_s = (self._end - self._position) / self._rate
        return Block(start, samples, None if self._captured is None else self._captured - waits_s)


def _taps(cutoff_hz: float, sample_rate: int) -> Floats:
    """An impulse less a windowed sinc, as wide as the cutoff is high: (n,) with n odd, of sum 0."""
    half = int(np.ceil(WIDTH * sample_rate / cutoff_hz / 2))
    index = np.arange(-half, half + 1)
    low = np.sinc(2 * cutoff_hz / sample_rate * index) * np.hamming(len(index))
    taps = -low / low.sum()
    taps[half] += 1
    return taps.astype(np.float32)

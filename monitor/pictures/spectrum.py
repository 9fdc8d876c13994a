"""Audio, however long, as levels by time and frequency: the short-time Fourier transform, summed into pixels.

Everything that was heard is in the picture: where a column is longer than a frame, it is the mean of all its frames.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from monitor.records import Block, Gap, Samples

FRAME_S = 0.021
"""about: a power of two of samples"""
LEAST_POWER = 1e-12
_BATCH = 512
"""frames that are transformed at once: memory does not grow with the recording"""

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is looked at, in samples of a recording. ValueError where it is empty."""

    start_sample: int
    end_sample: int
    sample_rate: int

    def __post_init__(self) -> None:
        """Refuse nothing to look at."""
        if not 0 <= self.start_sample < self.end_sample:
            msg = f"samples {self.start_sample} to {self.end_sample}: at least one expected"
            raise ValueError(msg)

    @property
    def start_s(self) -> float:
        """From the start of the recording."""
        return self.start_sample / self.sample_rate

    @property
    def end_s(self) -> float:
        """From the start of the recording."""
        return self.end_sample / self.sample_rate

    @property
    def top_hz(self) -> float:
        """Up to which there can be sound."""
        return self.sample_rate / 2


def even_edges(stretch: Stretch, rows: int) -> Levels:
    """(rows + 1,) Hz that share what there can be of sound evenly."""
    return np.linspace(0, stretch.top_hz, rows + 1)


def spectrum(
    audio: Iterable[Block | Gap], stretch: Stretch, columns: int, edges_hz: Levels, frame_s: float = FRAME_S
) -> Levels:
    """(rows, columns) dB of the power between neighbouring edges, a sine of full scale being 0; the lowest first.

    `edges_hz` is (rows + 1,); about `frame_s` are transformed at once. NaN where nothing was heard. No more audio
    is read than the stretch needs.
    """
    total = _Columns(stretch, columns, frame_s)
    for start, samples in _unbroken(audio, stretch, total.size):
        total.add(start, samples)
    return _rows(total.power(), edges_hz / stretch.top_hz)


class _Columns:
    """The mean power spectrum of each column."""

    def __init__(self, stretch: Stretch, columns: int, frame_s: float) -> None:
        self.size = 1 << max(6, round(np.log2(frame_s * stretch.sample_rate)))
        length = stretch.end_sample - stretch.start_sample
        self._hop = max(1, min(self.size // 2, length // (2 * columns)))
        self._stretch, self._length = stretch, length
        self._taper = np.hanning(self.size).astype(np.float32)
        self._sums = np.zeros((columns, self.size // 2 + 1))
        self._counts = np.zeros(columns)

    def add(self, start: int, samples: Samples) -> None:
        """Take all frames of unbroken audio, which begins at a sample that may lie half a frame too early."""
        if len(samples) < self.size:
            return
        first = -(start - self._stretch.start_sample + self.size // 2) % self._hop
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.size)[first :: self._hop]
        centres = start - self._stretch.start_sample + first + self._hop * np.arange(len(frames)) + self.size // 2
        for at in range(0, len(frames), _BATCH):
            self._transform(frames[at : at + _BATCH], centres[at : at + _BATCH])

    def power(self) -> Levels:
        """(columns, bins), all bins of a sine of full scale being 1 together (Parseval)."""
        scale = 4 / (self.size * np.square(self._taper).sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._sums * scale / self._counts[:, np.newaxis]

    def _transform(self, frames: Samples, centres: npt.NDArray[np.int64]) -> None:
        inside = (centres >= 0) & (centres < self._length)
        if not inside.any():
            return
        columns = centres[inside] * len(self._counts) // self._length
        power = np.square(np.abs(scipy.fft.rfft(frames[inside] * self._taper, axis=1)))
        firsts = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[firsts]] += np.add.reduceat(power, firsts, axis=0)
        self._counts[columns[firsts]] += np.diff(firsts, append=len(columns))


def _unbroken(audio: Iterable[Block | Gap], stretch: Stretch, size: int) -> Iterator[tuple[int, Samples]]:
    """The stretch in pieces that overlap by what a frame needs; half a frame of silence stands at each end."""
    silence = np.zeros(size // 2, np.float32)
    tail, end = silence, None
    for start, samples in _inside(audio, stretch):
        if end is not None and start != end:
            yield end - len(tail), np.concatenate([tail, silence])
            tail = silence
        joined = np.concatenate([tail, samples])
        end = start + len(samples)
        yield end - len(joined), joined
        tail = joined[len(joined) - min(len(joined), size - 1) :]
    if end is not None:
        yield end - len(tail), np.concatenate([tail, silence])


def _inside(audio: Iterable[Block | Gap], stretch: Stretch) -> Iterator[tuple[int, Samples]]:
    for piece in audio:
        if piece.start_sample >= stretch.end_sample:
            return
        if isinstance(piece, Block) and piece.end_sample > stretch.start_sample:
            start = max(piece.start_sample, stretch.start_sample)
            stop = min(piece.end_sample, stretch.end_sample)
            yield start, piece.samples[start - piece.start_sample : stop - piece.start_sample]
        if piece.end_sample >= stretch.end_sample:
            return


def _rows(power: Levels, edges: Levels) -> Levels:
    """(columns, bins) power -> (rows, columns) dB; edges are shares of half the sample rate."""
    columns, bins = power.shape
    below = np.concatenate([np.zeros((columns, 1)), np.cumsum(power, axis=1)], axis=1)
    middle_of_bin = 0.5
    places = edges * (bins - 1) + middle_of_bin
    summed = np.array([np.interp(places, np.arange(bins + 1), column) for column in below])
    return 10 * np.log10(np.diff(summed, axis=1).T + LEAST_POWER)

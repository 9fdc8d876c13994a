"""How loud it is: octave bands, peak, clipping, offset, silence and mains hum of a stream, as levels in dBFS.

0 dBFS is a mean square of 1: a full-scale sine has -3.01 dBFS, a full-scale square wave 0.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.fft

from monitor.records import Samples

Spectrum: TypeAlias = npt.NDArray[np.float64]

NOMINAL_HZ = (31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16_000, 31_500, 63_000, 125_000)
"""names of the octave bands, IEC 61260-1, continued above hearing"""
FLOOR_DBFS = -200.0
"""what digital silence is called: far below what 24 bits can say, and still a number"""
FULL_SCALE = 32_766.5 / 32_768
"""from here a sample counts as clipped: the last step of 16 bits"""
FRAME_S = 1 / 3
"""shortest frame that tells 50 Hz from 60 Hz"""
MAINS_HZ = (50, 60)
HARMONICS = 5
"""of the mains that are looked at: above, 50 Hz and 60 Hz share some"""

_INDEX_OF_1000_HZ = NOMINAL_HZ.index(1000)
_INAUDIBLE = 1e-13
"""mean square of a bin, -130 dBFS: below is rounding, which has lines of its own"""
_BESIDE = 1
_AROUND = 8
"""bins beside a harmonic's that belong to it, and that make its neighbourhood"""


@dataclass(frozen=True, slots=True)
class Levels:
    """A stretch of audio in figures."""

    samples: int
    bands_dbfs: tuple[float, ...]
    """one an octave band from 31.5 Hz up, as `octaves` names them; empty where the stretch was too short to say"""
    peak_dbfs: float
    rms_dbfs: float
    offset: float
    """mean of the samples, in [-1, 1]: a microphone's is near 0"""
    clipped_samples: int
    zero_samples: int
    """exactly zero: a muted or missing microphone gives nothing else"""
    hum_hz: int
    """which mains, 50 or 60, stands out more"""
    hum_db: float
    """its two most prominent harmonics over their neighbourhood, averaged; about 0 without hum or too short to say"""


def octaves(sample_rate: int) -> tuple[float, ...]:
    """Nominal centres in Hz of the bands that a rate can hold; the highest may be cut at half the rate."""
    return tuple(nominal for index, nominal in enumerate(NOMINAL_HZ) if _centre_hz(index) < sample_rate / 2)


def dbfs(mean_square: float) -> float:
    """The level of a mean square in dB re full scale, at least FLOOR_DBFS."""
    return max(FLOOR_DBFS, 10 * float(np.log10(max(mean_square, 1e-300))))


class OctaveMeter:
    """Adds up levels of a stream at `sample_rate` Hz; how the stream is cut into blocks changes nothing.

    Bands and hum come from half-overlapping Hann frames, the power averaged (Welch 1967). A frame counts in the
    stretch in which it is complete.
    """

    def __init__(self, sample_rate: int) -> None:
        size = 1 << int(np.ceil(np.log2(FRAME_S * sample_rate)))
        self._taper = np.hanning(size + 1)[:-1].astype(np.float32)
        self._bin_hz = sample_rate / size
        self._edges_hz = _edges_hz(sample_rate)
        self._held = np.zeros(0, np.float32)
        self._peak, self._sum, self._squares = 0.0, 0.0, 0.0
        self._clear()

    def add(self, samples: Samples) -> None:
        """Measure the next samples, shape (n,), float32 in [-1, 1]; what is no number counts as 0."""
        if not len(samples):
            return
        if not np.isfinite(samples).all():
            samples = np.where(np.isfinite(samples), samples, np.float32(0))
        loudness = np.abs(samples)
        self._samples += len(samples)
        self._peak = max(self._peak, float(loudness.max()))
        self._clipped += int(np.count_nonzero(loudness >= FULL_SCALE))
        self._zeros += len(samples) - int(np.count_nonzero(samples))
        self._sum += float(samples.sum(dtype=np.float64))
        self._squares += float(np.dot(samples, samples))
        self._add_frames(np.concatenate([self._held, samples]))

    def gap(self) -> None:
        """Audio is missing here: no frame may span it."""
        self._held = np.zeros(0, np.float32)

    def take(self) -> Levels | None:
        """Levels of all that was added since the last time; None where nothing was."""
        if not self._samples:
            return None
        spectrum = self._spectrum()
        hum_db, hum_hz = max((hum(spectrum, self._bin_hz, hz), hz) for hz in MAINS_HZ)
        levels = Levels(
            samples=self._samples,
            bands_dbfs=tuple(dbfs(band) for band in self._bands(spectrum)) if self._frames else (),
            peak_dbfs=dbfs(self._peak**2),
            rms_dbfs=dbfs(self._squares / self._samples),
            offset=self._sum / self._samples,
            clipped_samples=self._clipped,
            zero_samples=self._zeros,
            hum_hz=hum_hz,
            hum_db=hum_db,
        )
        self._clear()
        return levels

    def _add_frames(self, samples: Samples) -> None:
        size = len(self._taper)
        start = 0
        while start + size <= len(samples):
            spectrum = scipy.fft.rfft(samples[start : start + size] * self._taper)
            self._power += np.square(spectrum.real) + np.square(spectrum.imag)
            self._frames += 1
            start += size // 2
        self._held = samples[start:].copy()

    def _spectrum(self) -> Spectrum:
        """Mean square of each bin, one-sided."""
        energy = len(self._taper) * float(np.square(self._taper).sum())
        return 2 * self._power / (energy * max(1, self._frames))

    def _bands(self, spectrum: Spectrum) -> Spectrum:
        """Mean square of each band; a bin's is spread evenly over the bin."""
        bin_edges_hz = (np.arange(len(spectrum) + 1) - 0.5) * self._bin_hz
        below = np.concatenate([[0.0], np.cumsum(spectrum)])
        return np.diff(np.interp(self._edges_hz, bin_edges_hz, below))

    def _clear(self) -> None:
        self._samples = self._clipped = self._zeros = self._frames = 0
        self._peak = self._sum = self._squares = 0.0
        self._power = np.zeros(len(self._taper) // 2 + 1)


def hum(spectrum: Spectrum, bin_hz: float, mains_hz: int) -> float:
    """How far the two most prominent harmonics of the mains stand over their neighbourhood, in dB, averaged.

    `spectrum`: (n_bins,) mean square of Hann frames, a bin every `bin_hz`. Two, for a single line may be an animal's.
    """
    audible = np.maximum(spectrum, _INAUDIBLE)
    prominence = []
    for harmonic in range(1, HARMONICS + 1):
        middle = round(harmonic * mains_hz / bin_hz)
        line = audible[middle - _BESIDE : middle + _BESIDE + 1].mean()
        neighbourhood = np.median(audible[max(1, middle - _AROUND) : middle + _AROUND + 1])
        prominence.append(10 * float(np.log10(line / neighbourhood)))
    return float(np.mean(sorted(prominence)[-2:]))


def _centre_hz(index: int) -> float:
    """Exact centre of a band, base ten, as IEC 61260-1 wants it."""
    return float(1000 * 10 ** (0.3 * (index - _INDEX_OF_1000_HZ)))


def _edges_hz(sample_rate: int) -> Spectrum:
    """Edges between the bands that a rate can hold, half an octave beside the centres."""
    count = len(octaves(sample_rate))
    edges = [_centre_hz(index) * 10**0.15 for index in range(-1, count)]
    return np.minimum(edges, sample_rate / 2)

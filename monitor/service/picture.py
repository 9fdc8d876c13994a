"""What is heard as a picture for people: a spectrogram of bytes, column by column, however the sound is cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, MelSpec, mel_filters, mel_power
from monitor.records import Samples

Levels = npt.NDArray[np.uint8]

COLUMNS_PER_S = 40
BANDS = 96
LOW_HZ, HIGH_HZ = 150.0, 15_000.0
FRAME_S = 0.032
FLOOR_DB, STEP_DB = -110.0, 0.4
"""a byte of 0 and what one more stands for, relative to a sine at full scale"""
TICKS_HZ = (500, 1000, 2000, 4000, 8000, 12_000)
_FAINTEST = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Neighbouring columns of a picture."""

    first: int
    """number of the first; column k begins at sample k * hop"""
    levels: Levels
    """shape (n_columns, BANDS), the lowest band first"""


class Canvas:
    """Draws a stream's sound, for which it holds less than a column's samples between two calls."""

    def __init__(self, sample_rate: int) -> None:
        self.spec = spec_for(sample_rate)
        self._rest_start, self._rest = 0, np.zeros(0, np.float32)

    def add(self, start_sample: int, samples: Samples) -> Columns:
        """The columns that samples (n,) complete; what does not follow the last begins anew."""
        hop = self.spec.hop
        if start_sample == self._rest_start + len(self._rest):
            sound, start = np.concatenate([self._rest, samples]), self._rest_start
        else:
            start = -(-start_sample // hop) * hop
            sound = samples[start - start_sample :]
        count = self.spec.n_frames(len(sound))
        levels = quantised(mel_power(sound, self.spec), self.spec)
        self._rest_start, self._rest = start + count * hop, sound[count * hop :]
        return Columns(start // hop, levels)


def spec_for(sample_rate: int) -> MelSpec:
    """The constants of a picture at a rate in Hz: 40 columns a second from frames of 32 ms or a little more."""
    n_fft = 1 << (round(FRAME_S * sample_rate) - 1).bit_length()
    high_hz = min(HIGH_HZ, sample_rate / 2)
    low_hz = min(LOW_HZ, high_hz / 2)
    hop = max(1, sample_rate // COLUMNS_PER_S)
    return MelSpec(sample_rate, n_fft, hop, BANDS, low_hz, high_hz, floor=_FAINTEST)


def quantised(power: Floats, spec: MelSpec) -> Levels:
    """Mel power (BANDS, n) as bytes (n, BANDS): steps of STEP_DB above FLOOR_DB."""
    levels_db = 10 * np.log10(power / _full_scale(spec)[:, None] + np.float32(_FAINTEST))
    return np.clip(np.round((levels_db - FLOOR_DB) / STEP_DB), 0, 255).astype(np.uint8).T


def ticks(spec: MelSpec) -> Iterator[tuple[int, float]]:
    """Round frequencies in Hz, each with the band in which it lies, as a fraction of one."""
    centres = _centres(spec)
    for hertz in TICKS_HZ:
        if centres[0] <= hertz <= centres[-1]:
            yield hertz, round(float(np.interp(hertz, centres, np.arange(BANDS))), 2)


@lru_cache(maxsize=8)
def _full_scale(spec: MelSpec) -> Floats:
    """What a sine at full scale gives in each band, (BANDS,)."""
    return np.maximum(mel_filters(spec).max(axis=1), np.float32(_FAINTEST)) * np.float32((spec.n_fft / 4) ** 2)


@lru_cache(maxsize=8)
def _centres(spec: MelSpec) -> Floats:
    """The middle of each band in Hz, (BANDS,)."""
    filters = mel_filters(spec)
    bins_hz = np.arange(spec.n_fft // 2 + 1, dtype=np.float32) * np.float32(spec.sample_rate / spec.n_fft)
    centres = filters @ bins_hz / np.maximum(filters.sum(axis=1), np.float32(_FAINTEST))
    return np.maximum.accumulate(centres)

"""The one front end: audio samples to the standardised log-mel picture that a network sees.

Training, calibration, verification, live and offline analysis all call this module. A frame starts at
a whole multiple of the hop after the window's first sample and nothing is padded, so the frames of a
window depend on that window alone and a long recording can be cut into windows before or after the
mel power was computed.

Mel scale and filter shape follow Slaney's Auditory Toolbox (1998, Interval technical report 1998-010),
as librosa's default does; the tests hold the two against each other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.fft

from monitor.errors import ModelError
from monitor.records import Window

Floats = npt.NDArray[np.float32]

Channel = Literal["level", "contrast"]
LEVEL: Channel = "level"
"""log10 of the mel power, standardised over the window"""
CONTRAST: Channel = "contrast"
"""the level less the median of its own band over the window: what stands out of a steady noise"""
CHANNELS: tuple[Channel, ...] = (LEVEL, CONTRAST)

_HZ_PER_MEL = 200.0 / 3.0
"""Slaney's scale is linear below 1 kHz ..."""
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0
"""... and logarithmic above: 27 mel for a factor of 6.4."""

_GROUPS = 4
"""of filters that are applied together"""

_MIN_STD = 1e-3
"""Standard deviation, in log10 power, below which a window is flat: digital silence becomes all zeros."""


@dataclass(frozen=True, slots=True)
class MelSpec:
    """Every constant of the front end. The values travel in the model's contract."""

    sample_rate: int
    """Hz"""
    n_fft: int
    """samples in a frame"""
    hop: int
    """samples between the starts of neighbouring frames"""
    n_mels: int
    fmin_hz: float
    fmax_hz: float
    floor: float
    """power added before the logarithm; full scale is 1"""
    channels: tuple[Channel, ...] = (LEVEL,)
    """what the network sees of each cell, each one of CHANNELS"""

    def __post_init__(self) -> None:
        """Raise ModelError where the constants contradict each other."""
        if min(self.sample_rate, self.n_fft, self.hop, self.n_mels) < 1:
            msg = f"front end: sample_rate, n_fft, hop and n_mels must be at least 1, got {self}"
            raise ModelError(msg)
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate / 2:
            msg = (
                f"front end: 0 <= fmin_hz < fmax_hz <= {self.sample_rate / 2:g} (half the sample rate) expected, "
                f"got fmin_hz={self.fmin_hz:g} and fmax_hz={self.fmax_hz:g}"
            )
            raise ModelError(msg)
        if not self.floor > 0:
            msg = f"front end: floor must be above 0, got {self.floor}"
            raise ModelError(msg)
        if not self.channels or not set(self.channels) <= set(CHANNELS):
            msg = f"front end: channels must be some of {', '.join(CHANNELS)}, got {list(self.channels)}"
            raise ModelError(msg)

    def n_frames(self, n_samples: int) -> int:
        """Whole frames in `n_samples`; 0 where not even one fits."""
        return max(0, 1 + (n_samples - self.n_fft) // self.hop)


def mel_filters(spec: MelSpec) -> Floats:
    """Triangular filters, shape (n_mels, n_fft // 2 + 1), each with the area of one (Slaney)."""
    return _filters(spec).copy()


def mel_power(samples: Floats, spec: MelSpec) -> Floats:
    """Mel power of each whole frame.

    `samples`: shape (n,), float32 in [-1, 1]. Returns shape (n_mels, n_frames), float32, where a full-scale
    sine has a power of about (n_fft / 4) squared before the filters. Values that are not finite count as 0
    and louder ones than full scale as full scale, so that the result is always finite.
    """
    count = spec.n_frames(len(samples))
    if count == 0:
        return np.zeros((spec.n_mels, 0), np.float32)
    spectrum = scipy.fft.rfft(_frames(_sound(samples), count, spec) * _taper(spec.n_fft), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mel = np.zeros((spec.n_mels, count), np.float32)
    for bands, bins, filters in _groups(spec):
        np.matmul(filters, power.T[bins], out=mel[bands])
    return mel


def picture(power: Floats, spec: MelSpec) -> Floats:
    """What a network sees of windows: mel power (..., n_mels, n_frames) -> (..., n_channels, n_mels, n_frames)."""
    level = _level(power, spec)
    return np.stack([level if channel == LEVEL else _contrast(level) for channel in spec.channels], axis=-3)


def log_mel(samples: Floats, spec: MelSpec) -> Floats:
    """One window as the network sees it: (n,) samples in [-1, 1] -> (n_channels, n_mels, n_frames) float32."""
    return picture(mel_power(samples, spec), spec)


def log_mels(windows: Iterable[Window], spec: MelSpec) -> Iterator[tuple[Window, Floats]]:
    """Each window with what `log_mel` makes of it, computing the frames that neighbours share only once.

    Frames are shared where the step is a whole number of hops. A frame does not depend on those beside it, so the
    result is the same but for rounding in the last digits.
    """
    previous: Window | None = None
    power = np.zeros((spec.n_mels, 0), np.float32)
    for window in windows:
        step = window.start_sample - previous.start_sample if previous else 0
        if previous and window.whole and previous.whole and 0 < step < len(window.samples) and step % spec.hop == 0:
            kept = power[:, step // spec.hop :]
            power = np.concatenate([kept, mel_power(window.samples[kept.shape[1] * spec.hop :], spec)], axis=1)
        else:
            power = mel_power(window.samples, spec)
        previous = window
        yield window, picture(power, spec)


def _level(power: Floats, spec: MelSpec) -> Floats:
    """log10 of mel power (..., n_mels, n_frames), with mean 0 and standard deviation 1 over each window."""
    logs = np.log10(power + np.float32(spec.floor))
    mean = logs.mean(axis=(-2, -1), keepdims=True, dtype=np.float32)
    centred = logs - mean
    std = np.sqrt(np.square(centred).mean(axis=(-2, -1), keepdims=True, dtype=np.float32))
    return centred / np.maximum(std, np.float32(_MIN_STD))


def _contrast(level: Floats) -> Floats:
    """Less the median of each band; the lower one of two medians, as sorting is the fastest way to it."""
    middle = (level.shape[-1] - 1) // 2
    return level - np.sort(level, axis=-1)[..., middle : middle + 1]


def _sound(samples: Floats) -> Floats:
    """Samples within full scale; what is no number is silence."""
    if samples.min() >= -1 and samples.max() <= 1:  # never true where one is no number
        return samples
    return np.clip(np.where(np.isfinite(samples), samples, np.float32(0)), -1.0, 1.0)


def _frames(sound: Floats, count: int, spec: MelSpec) -> Floats:
    """The first frames as a view, (count, n_fft); `sliding_window_view` takes as long for it as the taper."""
    sound = np.ascontiguousarray(sound)
    step = sound.itemsize
    return np.ndarray((count, spec.n_fft), sound.dtype, sound, strides=(spec.hop * step, step))


@lru_cache(maxsize=8)
def _taper(n_fft: int) -> Floats:
    """Periodic Hann, as spectral analysis wants it."""
    return np.hanning(n_fft + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=8)
def _groups(spec: MelSpec) -> tuple[tuple[slice, slice, Floats], ...]:
    """Neighbouring filters with the bins that they reach: beyond, their rows are zeros, three quarters of all."""
    filters, groups = _filters(spec), []
    for bands in np.array_split(np.arange(spec.n_mels), min(_GROUPS, spec.n_mels)):
        rows = slice(int(bands[0]), int(bands[-1]) + 1)
        reached = np.flatnonzero(filters[rows].any(axis=0))
        if len(reached):
            bins = slice(int(reached[0]), int(reached[-1]) + 1)
            groups.append((rows, bins, np.ascontiguousarray(filters[rows, bins])))
    return tuple(groups)


@lru_cache(maxsize=8)
def _filters(spec: MelSpec) -> Floats:
    bins_hz = np.arange(spec.n_fft // 2 + 1) * (spec.sample_rate / spec.n_fft)
    edges_hz = _mel_to_hz(np.linspace(_hz_to_mel(spec.fmin_hz), _hz_to_mel(spec.fmax_hz), spec.n_mels + 2))
    rising = (bins_hz - edges_hz[:-2, None]) / (edges_hz[1:-1] - edges_hz[:-2])[:, None]
    falling = (edges_hz[2:, None] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])[:, None]
    area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return (np.clip(np.minimum(rising, falling), 0.0, None) * area[:, None]).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    if hz < _LOG_START_HZ:
        return hz / _HZ_PER_MEL
    return float(_LOG_START_MEL + np.log(hz / _LOG_START_HZ) / _LOG_STEP)


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _LOG_START_HZ * np.exp(_LOG_STEP * (mel - _LOG_START_MEL))
    return np.where(mel < _LOG_START_MEL, mel * _HZ_PER_MEL, above)

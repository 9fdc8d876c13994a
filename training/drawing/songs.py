"""Songs that no animal sings: with them a network learns where its species end, and the rest of the world begins.

A handful of recorded species says little about the thousands that it must not mistake for them. Showing a
classifier other classes with all targets off is known as outlier exposure (Hendrycks, Mazeika and Dietterich
2019, arXiv:1812.04606); these outliers are synthesised: whistles, sweeps, trills, buzzes, harmonic calls and
bursts of noise, in phrases that repeat, with an echo and the noise of a recorder.
"""

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, MelSpec, mel_power
from monitor.records import Samples
from training.drawing import augment

Curve = npt.NDArray[np.float64]

LOWEST_HZ, HIGHEST_HZ = 350.0, 9500.0
"""of a song's pitch; its notes may lie beside it"""
PEAK = 0.2
"""full scale is 1"""
LONGER = 1.3
"""times a window: what a song of the bank is long"""


def bank(count: int, spec: MelSpec, n_frames: int, rng: np.random.Generator) -> tuple[Floats, ...]:
    """`count` songs as mel power, each (n_mels, LONGER * n_frames)."""
    return tuple(_recorded(spec, round(LONGER * n_frames), rng) for _ in range(count))


def song(sample_rate: int, n_samples: int, rng: np.random.Generator) -> Samples:
    """One or two voices, (n_samples,) float32 in [-PEAK, PEAK]."""
    sound = _voice(sample_rate, n_samples, rng)
    if _often(0.2, rng):
        sound += _voice(sample_rate, n_samples, rng)
    return (sound * (PEAK / max(1e-9, float(np.abs(sound).max())))).astype(np.float32)


def _recorded(spec: MelSpec, n_frames: int, rng: np.random.Generator) -> Floats:
    """Mel power of a song with the echo of a place and the noise of a recorder."""
    power = mel_power(song(spec.sample_rate, (n_frames - 1) * spec.hop + spec.n_fft, rng), spec)
    if _often(0.7, rng):
        power = power + np.float32(rng.uniform(0, 0.5)) * augment.echo(power, rng.uniform(0.1, 1.2), spec)
    colour = rng.normal(-np.linspace(0, rng.uniform(0, 2), 5), 0.4)
    colour = 10 ** np.interp(np.linspace(0, 4, spec.n_mels), np.arange(5), colour)[:, None]
    grain = rng.gamma(rng.uniform(1, 4), 0.5, size=power.shape)
    return (power + power.mean() * 10 ** rng.uniform(-4, -0.5) * colour * grain).astype(np.float32)


def _voice(sample_rate: int, n_samples: int, rng: np.random.Generator) -> Curve:
    """A phrase of one to four kinds of notes, again and again, (n_samples,)."""
    sound = np.zeros(n_samples)
    centre_hz = _log_uniform(LOWEST_HZ, HIGHEST_HZ, rng)
    phrase = [_syllable(centre_hz, sample_rate, rng) for _ in range(rng.integers(1, 5))]
    gap_s = _log_uniform(0.01, 0.6, rng)
    rest_s = rng.uniform(0, 1.5) if _often(0.6, rng) else 0.0
    repeats = int(rng.integers(1, 12)) if _often(0.3, rng) else 1
    position = int(rng.uniform(-0.5, 0.5) * sample_rate)
    while position < n_samples:
        for note in phrase:
            for _ in range(repeats):
                _add(sound, note, position)
                position += len(note) + round(sample_rate * gap_s * (1 if repeats == 1 else 0.4))
        position += round(sample_rate * rest_s * rng.uniform(0.7, 1.3))
    return sound


def _add(sound: Curve, note: Curve, position: int) -> None:
    begin, end = max(0, position), min(len(sound), position + len(note))
    if begin < end:
        sound[begin:end] += note[begin - position : end - position]


def _syllable(centre_hz: float, sample_rate: int, rng: np.random.Generator) -> Curve:
    """One note of 20 to 800 ms: a tone with harmonics or a band of noise, sometimes buzzing."""
    size = round(sample_rate * _log_uniform(0.02, 0.8, rng))
    pitch_hz = np.clip(centre_hz * 2 ** (rng.normal(0, 0.5) + _glide(size / sample_rate, size, rng)), 150, 11_500)
    if _often(0.85, rng):
        sound = _tone(pitch_hz, sample_rate, rng)
    else:
        wander = np.interp(np.arange(size), np.arange(0, size + 20, 20), rng.normal(size=len(range(0, size + 20, 20))))
        sound = np.sin(_phase(pitch_hz * (1 + rng.uniform(0.05, 0.4) * wander), sample_rate))
    if _often(0.25, rng):
        buzz = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(15, 250) * np.arange(size) / sample_rate)
        sound *= 1 - rng.uniform(0.3, 1) * buzz
    time = np.linspace(0, 1, size)
    rise, fall = np.minimum(1, time / rng.uniform(0.02, 0.5)), np.minimum(1, (1 - time) / rng.uniform(0.02, 0.8))
    return 10 ** rng.uniform(-0.5, 0) * sound * rise * fall


def _tone(pitch_hz: Curve, sample_rate: int, rng: np.random.Generator) -> Curve:
    """A pitch over time with its harmonics, as far as they lie below half the sample rate."""
    phase, decay = _phase(pitch_hz, sample_rate), rng.uniform(0.1, 1.1)
    count = int(rng.integers(1, 8)) if _often(0.5, rng) else int(rng.integers(1, 3))
    sound = np.zeros(len(phase))
    for harmonic in range(1, count + 1):
        inside = pitch_hz * harmonic < 0.49 * sample_rate
        sound += np.where(inside, np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi)), 0) * decay ** (harmonic - 1)
    return sound * rng.normal(1, 0.5, len(sound)) if _often(0.15, rng) else sound


def _glide(duration_s: float, size: int, rng: np.random.Generator) -> Curve:
    """How the pitch moves within a note, in octaves, (size,)."""
    time = np.linspace(0, 1, size)
    span = rng.uniform(0.05, 1.0) * rng.choice([-1, 1])
    shapes = (
        lambda: np.zeros(size),
        lambda: span * (time - 0.5),
        lambda: span * np.sin(np.pi * time),
        lambda: rng.uniform(0.02, 0.3) * np.sin(2 * np.pi * rng.uniform(5, 60) * time * duration_s),
        lambda: span * time ** rng.uniform(0.2, 4),
        lambda: np.interp(time, np.linspace(0, 1, 5), rng.normal(0, 0.3, 5)),
    )
    return shapes[rng.integers(len(shapes))]()


def _phase(pitch_hz: Curve, sample_rate: int) -> Curve:
    return 2 * np.pi * np.cumsum(pitch_hz) / sample_rate


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _often(share: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < share)

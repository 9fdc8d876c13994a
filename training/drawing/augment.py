"""What a place, an air and a recorder do to a sound, on mel power (n_mels, n_frames)."""

import numpy as np

from monitor.features import Floats, MelSpec, mel_power

WHITE_S = 90.0
"""of white noise: enough that no two windows need be alike"""
WHITE_LEVEL = 0.1
GATE = 4.0
"""times the quiet of its band: what is softer is taken for noise"""


def warped(power: Floats, n_frames: int, shift: int) -> Floats:
    """Mel power (n_mels, any) as `n_frames` frames, moved up by `shift` mel bands; the edge band fills what opens."""
    frames = np.arange(n_frames) * power.shape[1] // n_frames
    bands = np.clip(np.arange(len(power)) - shift, 0, len(power) - 1)
    return power[bands[:, None], frames]


def tinted(n_mels: int, spread: float, rng: np.random.Generator) -> Floats:
    """Gain (n_mels, 1) of another microphone: a smooth random equaliser of five knots, `spread` in log10 of power."""
    knots = rng.normal(0, spread, 5)
    return (10 ** np.interp(np.linspace(0, 4, n_mels), np.arange(5), knots)).astype(np.float32)[:, None]


def muffled(n_mels: int, rng: np.random.Generator) -> Floats:
    """Gain (n_mels, 1) of a recorder that hears less and less above some pitch."""
    cut = rng.integers(int(0.7 * n_mels), n_mels)
    gain = np.zeros(n_mels)
    gain[cut:] -= rng.uniform(0.1, 0.4) * np.arange(1, n_mels - cut + 1)
    return (10**gain).astype(np.float32)[:, None]


def masked(pictures: Floats, bands: int, frames: int, rng: np.random.Generator) -> None:
    """SpecAugment (Park et al. 2019) in place: one frequency and one time mask, filled with 0, the mean."""
    n_mels, n_frames = pictures.shape[-2:]
    height = rng.integers(min(bands, n_mels) + 1)
    low = rng.integers(n_mels - height + 1)
    pictures[..., low : low + height, :] = 0
    width = rng.integers(min(frames, n_frames) + 1)
    first = rng.integers(n_frames - width + 1)
    pictures[..., first : first + width] = 0


def white(spec: MelSpec, rng: np.random.Generator) -> Floats:
    """Mel power (n_mels, n_frames) of white noise, of mean 1 in each band: the grain that every steady noise has."""
    power = mel_power(rng.normal(0, WHITE_LEVEL, round(WHITE_S * spec.sample_rate)).astype(np.float32), spec)
    return power / power.mean(axis=1, keepdims=True)


def gusty(n_frames: int, rng: np.random.Generator) -> Floats:
    """Gain (n_frames,) of a noise that swells and falls slowly, or not at all."""
    knots = int(rng.integers(2, 7))
    swell = rng.normal(0, rng.choice([0.0, 0.1, 0.4]), knots)
    return (10 ** np.interp(np.linspace(0, knots - 1, n_frames), np.arange(knots), swell)).astype(np.float32)


def gated(power: Floats, quiet: Floats) -> Floats:
    """Mel power (n_mels, n_frames) without what the quiet of each band, (n_mels, 1), accounts for."""
    return np.maximum(power - np.float32(GATE) * quiet, 0)


def echo(power: Floats, decay_s: float, spec: MelSpec) -> Floats:
    """What a diffuse echo makes of mel power (n_mels, n_frames): 60 dB less after `decay_s` seconds."""
    kept = np.float32(10 ** (-6 * spec.hop / spec.sample_rate / decay_s))
    heard = np.empty_like(power)
    level = np.zeros(len(power), np.float32)
    for frame in range(power.shape[1]):
        level = kept * level + (1 - kept) * power[:, frame]
        heard[:, frame] = level
    return heard

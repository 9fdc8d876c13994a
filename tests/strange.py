"""Sounds that no species of the bundled model makes: a buzz, a rising whistle, a train of clicks; and a calm place."""

from pathlib import Path

import numpy as np
import soundfile

from monitor.records import Samples

RATE = 24_000


def calm(seconds: float, seed: int = 1, level: float = 0.002) -> Samples:
    """Soft noise, (n,) float32."""
    return (level * np.random.default_rng(seed).normal(size=round(seconds * RATE))).astype(np.float32)


def buzz(seed: int = 0) -> Samples:
    """A second and a half of a rough, low tone, each a little different."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(1.5 * RATE)) / RATE
    pitch_hz = 420 * rng.uniform(0.97, 1.03)
    tone = sum(np.sin(2 * np.pi * pitch_hz * n * time_s) / n for n in range(1, 12))
    return _shaped(tone * (1 + np.sin(2 * np.pi * 35 * time_s)))


def whistle(seed: int = 0) -> Samples:
    """A slow rise through two octaves."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(1.5 * RATE)) / RATE
    pitch_hz = 2500 * rng.uniform(0.97, 1.03) * 2 ** (2 * time_s / 1.5)
    return _shaped(np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE))


def clicks(seed: int = 0) -> Samples:
    """Thirty a second."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(1.5 * RATE))
    sound[:: round(RATE / 30 * rng.uniform(0.97, 1.03))] = 1.0
    return _shaped(np.convolve(sound, rng.normal(size=40) * np.hanning(40), "same"))


def placed(sounds: list[Samples], every_s: float, seconds: float, seed: int = 1) -> Samples:
    """A calm place, in which one sound after another is heard, the first after one spacing."""
    place = calm(seconds, seed)
    for number, sound in enumerate(sounds, 1):
        start = round(number * every_s * RATE)
        place[start : start + len(sound)] += sound
    return place


def write(path: Path, samples: Samples) -> Path:
    """A WAV of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def _shaped(sound: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Samples:
    return (0.3 * np.hanning(len(sound)) ** 0.5 * sound / np.abs(sound).max()).astype(np.float32)

"""A made-up voice: vowels over a wandering pitch, in syllables. Nobody said it, and a voice detector hears speech."""

import numpy as np

from monitor.records import Samples

FORMANTS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""of five vowels, after Peterson and Barney (1952)"""
BANDWIDTHS_HZ, AMPLITUDES = (80, 100, 120), (1.0, 0.5, 0.25)
SYLLABLE_S, CONSONANT_S, PITCH_HZ = 0.22, 0.04, 120


def voice(sample_rate: int, seconds: float, seed: int = 3) -> Samples:
    """Speech-like sound with a peak of 0.3, shape (n,), float32."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch_hz = PITCH_HZ * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time_s))
    pulses = np.diff(np.floor(np.cumsum(pitch_hz) / sample_rate), prepend=0)
    sound = np.zeros(len(pulses))
    length = round(SYLLABLE_S * sample_rate)
    for start in range(0, len(pulses), length):
        syllable = pulses[start : start + length]
        vowel = np.convolve(syllable, _vowel(sample_rate, int(rng.integers(len(FORMANTS_HZ)))))[: len(syllable)]
        sound[start : start + length] += vowel * np.hanning(len(syllable)) ** 0.4
        noise = 0.05 * rng.normal(size=round(CONSONANT_S * sample_rate))[: len(syllable)]
        sound[start : start + len(noise)] += noise
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def _vowel(sample_rate: int, which: int) -> Samples:
    """What one pulse of the vocal cords becomes."""
    time_s = np.arange(round(0.05 * sample_rate)) / sample_rate
    parts = zip(FORMANTS_HZ[which], BANDWIDTHS_HZ, AMPLITUDES, strict=True)
    return np.sum([a * np.exp(-np.pi * b * time_s) * np.sin(2 * np.pi * hz * time_s) for hz, b, a in parts], axis=0)

"""A synthesised soundscape for the demonstration and the parity check: no recording may be redistributed.

The song is the plain two-note "teacher" of a great tit, its numbers are typical of the species, and it sings in a
wood that echoes; the rest is noise. Nothing here is a recording of anything.
"""

import numpy as np

from monitor.records import Samples

HIGH_NOTE_HZ, LOW_NOTE_HZ = 4800.0, 3500.0
HIGH_NOTE_S, LOW_NOTE_S, PHRASE_S = 0.09, 0.09, 0.34
BEFORE_S, BETWEEN_S = 0.02, 0.025
"""of silence, in a phrase"""
SECOND_HARMONIC = 0.15
FADE_S = 0.015
TRUNKS, ECHO_S, ECHO_LEVEL, GRID_HZ = 400, 0.4, 0.5, 8000
"""what the wood answers with: so many reflections, 60 dB softer after so long, all together of this amplitude"""

SONGS_S = ((4.0, 8.5), (14.0, 17.5), (23.0, 27.0))
"""when the bird of the soundscape sings"""
SOUNDSCAPE_S = 30.0
SNR_DB = 15.0
"""of the song over the wind noise within the song's octave"""


def song(sample_rate: int, seconds: float) -> Samples:
    """Two-note phrases with an amplitude of 1 for so many seconds, shape (n,)."""
    phrase = np.zeros(round(PHRASE_S * sample_rate))
    low_s = BEFORE_S + HIGH_NOTE_S + BETWEEN_S
    for start_s, length_s, pitch_hz in ((BEFORE_S, HIGH_NOTE_S, HIGH_NOTE_HZ), (low_s, LOW_NOTE_S, LOW_NOTE_HZ)):
        start = round(start_s * sample_rate)
        note = _note(sample_rate, length_s, pitch_hz)
        phrase[start : start + len(note)] += note
    return np.resize(phrase, round(seconds * sample_rate)).astype(np.float32)


def wind(sample_rate: int, seconds: float, rng: np.random.Generator) -> Samples:
    """Gusty noise that falls by 6 dB an octave above 100 Hz, with a root mean square of 1, shape (n,)."""
    count = round(seconds * sample_rate)
    spectrum = np.fft.rfft(rng.normal(size=count))
    hz = np.fft.rfftfreq(count, 1 / sample_rate)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 100.0), count)
    knots_s = np.arange(np.ceil(seconds) + 1)
    gusts = np.interp(np.arange(count) / sample_rate, knots_s, rng.uniform(0.6, 1.4, len(knots_s)))
    noise *= gusts
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)


def soundscape(sample_rate: int = 48_000, seed: int = 1) -> Samples:
    """Half a minute of wind in which a great tit sings three times; float32 in [-1, 1]."""
    noise = 0.05 * wind(sample_rate, SOUNDSCAPE_S, np.random.default_rng(seed))
    octave_rms = np.sqrt(np.mean(np.square(_octave(noise, sample_rate))))
    level = np.sqrt(2) * octave_rms * 10 ** (SNR_DB / 20)
    for begin_s, end_s in SONGS_S:
        start, notes = round(begin_s * sample_rate), _echoing(song(sample_rate, end_s - begin_s), sample_rate)
        noise[start : start + len(notes)] += (level * notes).astype(np.float32)
    return np.clip(noise, -1.0, 1.0)


def _note(sample_rate: int, seconds: float, pitch_hz: float) -> Samples:
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    fade = np.clip(np.minimum(time_s, time_s[::-1]) / FADE_S, 0.0, 1.0)
    tone = np.sin(2 * np.pi * pitch_hz * time_s) + SECOND_HARMONIC * np.sin(4 * np.pi * pitch_hz * time_s)
    return (fade * tone).astype(np.float32)


def _echoing(sound: Samples, sample_rate: int) -> Samples:
    """A sound (n,) and what the trunks of a wood send back of it, (n + ECHO_S,), as loud as the sound alone.

    Their distances lie on a grid that the usual rates share, so that a tone and its echoes add up alike at each.
    """
    rng = np.random.default_rng(0)
    delays_s = rng.integers(0, round(ECHO_S * GRID_HZ), TRUNKS) / GRID_HZ
    gains = rng.choice([-1.0, 1.0], TRUNKS) * 10 ** (-3 * delays_s / ECHO_S)
    answer = np.zeros(round(ECHO_S * sample_rate) + 1)
    np.add.at(answer, np.round(delays_s * sample_rate).astype(int), ECHO_LEVEL * gains / np.linalg.norm(gains))
    answer[0] += 1.0
    count = len(sound) + len(answer) - 1
    heard = np.fft.irfft(np.fft.rfft(sound, count) * np.fft.rfft(answer, count), count)
    return (heard * np.linalg.norm(sound) / np.linalg.norm(heard)).astype(np.float32)


def _octave(samples: Samples, sample_rate: int) -> Samples:
    """What lies between 2,900 and 5,800 Hz, where the song is."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / sample_rate)
    return np.fft.irfft(np.where((hz > 2900) & (hz < 5800), spectrum, 0), len(samples)).astype(np.float32)  # noqa: PLR2004

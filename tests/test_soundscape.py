"""The synthesised great tit: as loud, as high and at the time that it says."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage
import scipy.signal

from monitor.records import Samples
from monitor.soundscape import (
    ECHO_S,
    FADE_S,
    HIGH_NOTE_HZ,
    HIGH_NOTE_S,
    LOW_NOTE_HZ,
    LOW_NOTE_S,
    PHRASE_S,
    SNR_DB,
    SONGS_S,
    SOUNDSCAPE_S,
    song,
    soundscape,
    wind,
)

RATES = [24_000, 48_000, 96_000]
OCTAVE_HZ = (2_900, 5_800)


def octave(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return what lies in the song's octave."""
    sections = scipy.signal.butter(8, OCTAVE_HZ, "bandpass", fs=sample_rate, output="sos")
    return scipy.signal.sosfiltfilt(sections, samples.astype(np.float64))


def rms(samples: npt.NDArray[np.float64]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples))))


def singing(sample_rate: int) -> npt.NDArray[np.bool_]:
    """When the bird sings, for each sample."""
    time_s = np.arange(round(SOUNDSCAPE_S * sample_rate)) / sample_rate
    sung = np.zeros(len(time_s), np.bool_)
    for begin_s, end_s in SONGS_S:
        sung |= (begin_s <= time_s) & (time_s < end_s)
    return sung


def ringing(sample_rate: int) -> npt.NDArray[np.bool_]:
    """When it sings, or its echo has not died away yet."""
    behind = round(ECHO_S * sample_rate)
    return scipy.signal.fftconvolve(singing(sample_rate), np.ones(behind))[: round(SOUNDSCAPE_S * sample_rate)] > 0.5


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_notes_are_as_far_above_the_wind_as_stated(sample_rate: int, seed: int) -> None:
    everything = octave(soundscape(sample_rate, seed), sample_rate)
    noise_rms, heard_rms = (rms(everything[when]) for when in (~ringing(sample_rate), singing(sample_rate)))
    sung_rms = np.sqrt(heard_rms**2 - noise_rms**2)
    notes_db = 20 * np.log10(np.sqrt(2) * rms(song(sample_rate, 10 * PHRASE_S).astype(np.float64)))
    assert 20 * np.log10(sung_rms / noise_rms) == pytest.approx(SNR_DB + notes_db, abs=1)


@pytest.mark.parametrize("sample_rate", RATES)
def test_it_is_half_a_minute_of_finite_samples_within_full_scale(sample_rate: int) -> None:
    samples = soundscape(sample_rate)
    assert samples.shape == (SOUNDSCAPE_S * sample_rate,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() < 1, "nothing is clipped"


def test_a_seed_is_one_soundscape() -> None:
    np.testing.assert_array_equal(soundscape(24_000, 5), soundscape(24_000, 5))
    assert (soundscape(24_000, 5) != soundscape(24_000, 6)).any()


@pytest.mark.parametrize("sample_rate", RATES)
def test_the_bird_sings_when_it_is_said_to_and_is_silent_before_and_after(sample_rate: int) -> None:
    level = np.abs(scipy.signal.hilbert(octave(soundscape(sample_rate), sample_rate)))
    smooth = scipy.signal.fftconvolve(level, np.full(sample_rate, 1 / sample_rate), "same")
    inside = singing(sample_rate)
    assert smooth[inside].min() > 0.5 * smooth[inside].mean()
    for begin_s, end_s in SONGS_S:
        for quiet_s in (begin_s - 1, end_s + 1):
            assert smooth[round(quiet_s * sample_rate)] < 0.5 * smooth[inside].mean()


@pytest.mark.parametrize("sample_rate", RATES)
def test_a_phrase_is_a_high_note_and_a_low_one_in_equal_time(sample_rate: int) -> None:
    notes = song(sample_rate, 10 * PHRASE_S).astype(np.float64)
    assert len(notes) == round(10 * PHRASE_S * sample_rate)
    level = scipy.ndimage.uniform_filter1d(np.abs(scipy.signal.hilbert(notes)), sample_rate // 500)
    sounding = level > 0.5
    edges = np.flatnonzero(np.diff(sounding, prepend=False, append=False)).reshape(-1, 2)
    assert len(edges) == 20
    lengths_s = np.diff(edges, axis=1)[:, 0] / sample_rate
    np.testing.assert_allclose(lengths_s, np.array([HIGH_NOTE_S, LOW_NOTE_S] * 10) - FADE_S, atol=0.003)
    np.testing.assert_allclose([b - a for a, b in pairwise(edges[::2, 0] / sample_rate)], PHRASE_S, atol=0.001)
    for (begin, end), pitch_hz in zip(edges, [HIGH_NOTE_HZ, LOW_NOTE_HZ] * 10, strict=True):
        crossings = np.count_nonzero(np.diff(np.signbit(notes[begin:end])))
        assert crossings / 2 / (end - begin) * sample_rate == pytest.approx(pitch_hz, rel=0.01)


@pytest.mark.parametrize("sample_rate", RATES)
def test_a_song_is_finite_and_has_an_amplitude_of_about_one(sample_rate: int) -> None:
    notes = song(sample_rate, 3.3)
    assert notes.dtype == np.float32
    assert notes.shape == (round(3.3 * sample_rate),)
    assert np.isfinite(notes).all()
    assert np.abs(notes).max() == pytest.approx(1, abs=0.13)


@pytest.mark.parametrize("sample_rate", RATES)
def test_the_wind_falls_by_six_decibels_an_octave(sample_rate: int) -> None:
    noise = wind(sample_rate, 20, np.random.default_rng(4))
    hz, power = scipy.signal.welch(noise, sample_rate, nperseg=4096)
    levels_db = [10 * np.log10(power[(hz >= low) & (hz < 2 * low)].mean()) for low in (500, 1000, 2000, 4000)]
    np.testing.assert_allclose(np.diff(levels_db), -6, atol=1)
    assert rms(noise.astype(np.float64)) == pytest.approx(1, abs=1e-4)


def test_the_wind_may_blow_for_any_length() -> None:
    assert wind(24_000, 2.5, np.random.default_rng(4)).shape == (60_000,)

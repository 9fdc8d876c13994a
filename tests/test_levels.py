"""Levels against what is known of sines, noise, silence and hum."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from monitor.levels import FLOOR_DBFS, Levels, OctaveMeter, octaves
from monitor.records import Samples
from monitor.soundscape import wind

RATE = 48_000


def measured(samples: Samples, rate: int = RATE) -> Levels:
    """Levels of a whole stretch."""
    meter = OctaveMeter(rate)
    meter.add(samples)
    levels = meter.take()
    assert levels is not None
    return levels


def sine(hz: float, seconds: float = 3.0, rate: int = RATE, amplitude: float = 1.0) -> Samples:
    """A sine, float32."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def white(rms: float, seconds: float = 10.0, rate: int = RATE) -> Samples:
    """White noise, float32."""
    return np.random.default_rng(3).normal(0, rms, round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 48_000, 192_000, 384_000])
def test_a_full_scale_sine_has_three_decibels_less_than_full_scale_in_its_band_and_nothing_in_the_others(
    rate: int,
) -> None:
    for index, centre_hz in enumerate(octaves(rate)):
        if centre_hz > 0.45 * rate:
            continue
        bands = measured(sine(centre_hz, rate=rate), rate).bands_dbfs
        assert bands[index] == pytest.approx(-3.01, abs=0.01)
        others = [level for other, level in enumerate(bands) if abs(other - index) > 1]
        assert max(others) < -70


def test_the_power_of_white_noise_spreads_by_bandwidth() -> None:
    bands = measured(white(0.1, seconds=60)).bands_dbfs
    bandwidths_hz = [1000 * 10 ** (0.3 * k) * (10**0.15 - 10**-0.15) for k in range(-5, 5)]
    expected = [-20 + 10 * np.log10(bandwidth / (RATE / 2)) for bandwidth in bandwidths_hz]
    assert bands == pytest.approx(expected, abs=0.4)


def test_a_band_has_the_level_that_an_octave_filter_of_scipy_passes() -> None:
    samples = 0.05 * wind(RATE, 20, np.random.default_rng(5))
    bands = measured(samples.astype(np.float32)).bands_dbfs
    for index, k in enumerate(range(-5, 5)):
        edges_hz = [1000 * 10 ** (0.3 * k) * 10**half for half in (-0.15, 0.15)]
        octave = scipy.signal.butter(8, edges_hz, "bandpass", fs=RATE, output="sos")
        filtered = scipy.signal.sosfilt(octave, samples)
        assert bands[index] == pytest.approx(10 * np.log10(np.mean(filtered**2)), abs=0.6)


def test_the_bands_of_a_rate_end_at_half_of_it() -> None:
    assert octaves(8000) == (31.5, 63, 125, 250, 500, 1000, 2000, 4000)
    assert octaves(48_000)[-1] == 16_000
    assert octaves(384_000)[-1] == 125_000


@given(cuts=st.lists(st.integers(0, 60_000), max_size=12), silent=st.booleans())
def test_any_cutting_gives_the_same_levels(cuts: list[int], silent: bool) -> None:  # noqa: FBT001
    samples = np.clip(white(0.4, seconds=1.25) + np.float32(0.1), -1, 1)
    samples[:1000] = 0 if silent else 1
    meter = OctaveMeter(RATE)
    for part in np.split(samples, sorted(cuts)):
        meter.add(part)
    cut, whole = meter.take(), measured(samples)
    assert cut is not None
    assert (cut.samples, cut.clipped_samples, cut.zero_samples) == (60_000, whole.clipped_samples, whole.zero_samples)
    assert cut.bands_dbfs == whole.bands_dbfs
    assert (cut.hum_hz, cut.hum_db, cut.peak_dbfs) == (whole.hum_hz, whole.hum_db, whole.peak_dbfs)
    assert (cut.rms_dbfs, cut.offset) == pytest.approx((whole.rms_dbfs, whole.offset), rel=1e-5)


def test_what_was_taken_is_not_counted_again_and_nothing_at_all_has_no_level() -> None:
    meter = OctaveMeter(RATE)
    assert meter.take() is None
    meter.add(sine(1000))
    meter.add(sine(1000)[:0])
    first = meter.take()
    meter.add(sine(1000, amplitude=0.1))
    second = meter.take()
    assert first is not None
    assert second is not None
    assert (first.samples, second.samples) == (3 * RATE, 3 * RATE)
    assert second.rms_dbfs == pytest.approx(-23.01, abs=0.01)
    assert meter.take() is None


def test_a_stretch_too_short_for_a_frame_has_a_peak_but_no_bands() -> None:
    levels = measured(sine(1000, seconds=0.1, amplitude=0.5))
    assert levels.bands_dbfs == ()
    assert levels.peak_dbfs == pytest.approx(-6.02, abs=0.01)


def test_no_frame_spans_a_gap() -> None:
    meter = OctaveMeter(RATE)
    for _ in range(20):
        meter.add(white(0.1, seconds=0.2))
        meter.gap()
    levels = meter.take()
    assert levels is not None
    assert levels.bands_dbfs == ()


def test_silence_is_the_floor_in_every_band_and_every_sample_of_it_is_a_zero() -> None:
    levels = measured(np.zeros(RATE, np.float32))
    assert set(levels.bands_dbfs) == {FLOOR_DBFS}
    assert (levels.peak_dbfs, levels.rms_dbfs) == (FLOOR_DBFS, FLOOR_DBFS)
    assert (levels.zero_samples, levels.clipped_samples) == (RATE, 0)


@pytest.mark.parametrize("full_scale", [1.0, -1.0, 32_767 / 32_768])
def test_samples_at_full_scale_are_clipped(full_scale: float) -> None:
    samples = np.zeros(RATE, np.float32)
    samples[100:130] = full_scale
    samples[200] = 32_766 / 32_768
    assert measured(samples).clipped_samples == 30


def test_an_offset_is_found_whatever_sounds_over_it() -> None:
    assert measured(white(0.05) + np.float32(0.125)).offset == pytest.approx(0.125, abs=0.001)


def test_what_is_no_number_counts_as_silence() -> None:
    samples = sine(1000)
    samples[::1000] = np.nan
    samples[1::1000] = np.inf
    levels = measured(samples)
    assert levels.rms_dbfs == pytest.approx(-3.01, abs=0.05)
    assert np.isfinite(levels.bands_dbfs).all()


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_of_either_mains_stands_out_of_wind(mains_hz: int) -> None:
    quiet = (0.005 * wind(RATE, 10, np.random.default_rng(8))).astype(np.float32)
    harmonics = [sine(order * mains_hz, 10, amplitude=0.01 / order) for order in (1, 2, 3)]
    levels = measured((quiet + np.sum(harmonics, axis=0)).astype(np.float32))
    assert measured(quiet).hum_db < 2
    assert levels.hum_hz == mains_hz
    assert levels.hum_db > 9


def test_neither_wind_nor_noise_nor_a_song_is_hum() -> None:
    for sound in (white(0.01), 0.2 * wind(RATE, 10, np.random.default_rng(2)), sine(4000, 10)):
        assert measured(sound.astype(np.float32)).hum_db < 2

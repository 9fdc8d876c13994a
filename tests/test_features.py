"""The front end against librosa, on sounds whose spectrum is known and on one from the field."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ModelError
from monitor.features import (
    CHANNELS,
    CONTRAST,
    LEVEL,
    Floats,
    MelSpec,
    log_mel,
    log_mels,
    mel_filters,
    mel_power,
    picture,
)
from monitor.records import Block, Samples, Window
from monitor.resample import resample
from monitor.windows import windows

SPEC = MelSpec(sample_rate=24_000, n_fft=800, hop=400, n_mels=96, fmin_hz=150.0, fmax_hz=11_000.0, floor=1e-9)
SMALL = MelSpec(sample_rate=8_000, n_fft=64, hop=24, n_mels=8, fmin_hz=100.0, fmax_hz=4_000.0, floor=1e-6)
WINDOW = 3 * SPEC.sample_rate
RECORDINGS = (
    Path(os.environ.get("DAWNCHORUS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "birds"
    / "recordings"
    / "parus_major"
)

ROUNDING = 1e-11
"""power, of the loudest in the picture, that 32-bit arithmetic may add to or take from a silent place"""


def librosa_power(samples: Samples, spec: MelSpec) -> npt.NDArray[np.float64]:
    """Return what librosa makes of it, in 64-bit arithmetic."""
    power: npt.NDArray[np.float64] = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop,
        center=False,
        power=2.0,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
        htk=False,
        norm="slaney",
        dtype=np.float64,
    )
    return power


def assert_as_librosa(samples: Samples, spec: MelSpec) -> None:
    """Both logarithms agree within 1e-4 of their value, and what rounding explains."""
    expected = librosa_power(samples, spec) + spec.floor
    ours = np.log10(mel_power(samples, spec) + np.float32(spec.floor))
    rounding = ROUNDING * expected.max() / expected / np.log(10)
    np.testing.assert_array_less(np.abs(ours - np.log10(expected)), 1e-4 * np.abs(np.log10(expected)) + rounding + 1e-5)


def sine(pitch_hz: float, amplitude: float = 1.0, spec: MelSpec = SPEC, count: int = WINDOW) -> Samples:
    """Make a tone, shape (count,)."""
    return (amplitude * np.sin(2 * np.pi * pitch_hz * np.arange(count) / spec.sample_rate)).astype(np.float32)


def chirp() -> Samples:
    """From 200 Hz to 9.2 kHz in three seconds."""
    time_s = np.arange(WINDOW) / SPEC.sample_rate
    return (0.5 * np.sin(2 * np.pi * (200 * time_s + 1500 * time_s**2))).astype(np.float32)


def noise(deviation: float, count: int = WINDOW) -> Samples:
    """White noise, shape (count,)."""
    return np.clip(np.random.default_rng(7).normal(0, deviation, count), -1, 1).astype(np.float32)


SOUNDS = {
    "a tone": sine(4_000),
    "a faint tone": sine(523.25, 1e-4),
    "a tone below the lowest filter": sine(60),
    "a chirp": chirp(),
    "noise": noise(0.1),
    "faint noise": noise(1e-5),
    "noise that clips": noise(3.0),
    "a square wave at full scale": np.sign(sine(3_000)),
    "a click": np.eye(1, WINDOW, WINDOW // 2, dtype=np.float32)[0],
    "silence": np.zeros(WINDOW, np.float32),
}
FLAT = {"a tone below the lowest filter", "silence"}
"""sounds of which the front end sees next to nothing"""


@pytest.mark.parametrize("name", SOUNDS)
def test_the_mel_power_is_that_of_librosa(name: str) -> None:
    assert_as_librosa(SOUNDS[name], SPEC)


def test_the_mel_power_of_a_recording_is_that_of_librosa() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}: set DAWNCHORUS_DATA to compare the front ends on one")
    path = min(RECORDINGS.iterdir())
    samples, sample_rate = soundfile.read(path, frames=20 * 48_000, dtype="float32", always_2d=True)
    mono = resample(samples.mean(axis=1, dtype=np.float32), sample_rate, SPEC.sample_rate)
    assert len(mono) > WINDOW
    for start in range(0, len(mono) - WINDOW, WINDOW):
        assert_as_librosa(np.clip(mono[start : start + WINDOW], -1, 1), SPEC)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        SMALL,
        MelSpec(sample_rate=48_000, n_fft=2048, hop=480, n_mels=128, fmin_hz=0.0, fmax_hz=24_000.0, floor=1e-9),
        MelSpec(sample_rate=22_050, n_fft=513, hop=100, n_mels=20, fmin_hz=50.0, fmax_hz=900.0, floor=1e-3),
    ],
)
def test_any_constants_give_the_filters_and_the_power_of_librosa(spec: MelSpec) -> None:
    expected = librosa.filters.mel(
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_filters(spec), expected, atol=1e-6 * expected.max())
    assert_as_librosa(noise(0.2, 10 * spec.n_fft), spec)


def test_no_filter_of_the_shipped_front_end_is_empty() -> None:
    assert (mel_filters(SPEC).sum(axis=1) > 0).all()


def test_filters_between_two_bins_are_empty_and_hear_nothing() -> None:
    spec = dataclasses.replace(SPEC, n_fft=64, hop=32, fmax_hz=500.0)
    assert not mel_filters(spec)[:24].any()
    assert not mel_power(np.random.default_rng(0).normal(0, 0.1, 6400).astype(np.float32), spec)[:24].any()


def test_filters_are_a_copy_that_may_be_changed() -> None:
    mel_filters(SPEC)[:] = 0
    assert mel_filters(SPEC).any()


@pytest.mark.parametrize("pitch_hz", [300.0, 1_000.0, 3_500.0, 4_800.0, 9_000.0])
def test_a_tone_is_loudest_in_the_filter_around_its_pitch(pitch_hz: float) -> None:
    edges_hz = librosa.mel_frequencies(n_mels=SPEC.n_mels + 2, fmin=SPEC.fmin_hz, fmax=SPEC.fmax_hz)
    loudest = mel_power(sine(pitch_hz), SPEC).mean(axis=1).argmax()
    assert edges_hz[loudest] < pitch_hz < edges_hz[loudest + 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_count_as_silence(bad: float) -> None:
    broken, silenced = noise(0.1), noise(0.1)
    broken[1000:1100], silenced[1000:1100] = bad, 0
    np.testing.assert_array_equal(log_mel(broken, SPEC), log_mel(silenced, SPEC))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 1e30, 1e-40])
def test_a_window_of_one_value_has_a_finite_picture(bad: float) -> None:
    picture = log_mel(np.full(WINDOW, bad, np.float32), SPEC)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()


def test_what_is_louder_than_full_scale_counts_as_full_scale() -> None:
    loud = sine(1_000, 40.0)
    np.testing.assert_array_equal(log_mel(loud, SPEC), log_mel(np.clip(loud, -1, 1), SPEC))


def test_digital_silence_is_a_picture_of_zeros() -> None:
    assert not log_mel(np.zeros(WINDOW, np.float32), SPEC).any()


def test_the_samples_stay_as_they_were() -> None:
    samples = np.array([np.nan, 2.0, -3.0] * SMALL.n_fft, np.float32)
    before = samples.copy()
    log_mel(samples, SMALL)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("name", sorted(SOUNDS.keys() - FLAT))
def test_a_picture_has_mean_zero_and_deviation_one(name: str) -> None:
    [level] = log_mel(SOUNDS[name], SPEC).astype(np.float64)
    assert level.mean() == pytest.approx(0, abs=1e-3)
    assert level.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", sorted(FLAT))
def test_a_flat_picture_is_not_blown_up(name: str) -> None:
    assert np.abs(log_mel(SOUNDS[name], SPEC)).max() < 1


def test_the_gain_of_the_microphone_does_not_change_the_picture() -> None:
    np.testing.assert_allclose(log_mel(noise(0.1), SPEC), log_mel(noise(0.1) / np.float32(8), SPEC), atol=1e-3)


def test_windows_pictured_together_are_those_pictured_alone() -> None:
    spec = dataclasses.replace(SPEC, channels=CHANNELS)
    power = np.stack([mel_power(SOUNDS[name], spec) for name in ("noise", "a chirp", "silence")])
    together = picture(power, spec)
    assert together.shape == (3, len(CHANNELS), spec.n_mels, spec.n_frames(WINDOW))
    for one, alone in zip(together, power, strict=True):
        np.testing.assert_allclose(one, picture(alone, spec), atol=1e-5)


@pytest.mark.parametrize("name", sorted(SOUNDS))
def test_the_contrast_is_the_level_less_the_median_of_each_band(name: str) -> None:
    level, contrast = log_mel(SOUNDS[name], dataclasses.replace(SPEC, channels=(LEVEL, CONTRAST)))
    assert level.shape[1] % 2, "an odd number of frames has one median"
    np.testing.assert_allclose(contrast, level - np.median(level, axis=1, keepdims=True), atol=1e-6)


def test_of_an_even_number_of_frames_the_contrast_takes_the_lower_median() -> None:
    spec = dataclasses.replace(SPEC, channels=(CONTRAST, LEVEL))
    samples = SOUNDS["noise"][: SPEC.n_fft + 3 * SPEC.hop]
    contrast, level = log_mel(samples, spec)
    assert level.shape[1] == 4
    np.testing.assert_allclose(contrast, level - np.sort(level, axis=1)[:, 1:2], atol=1e-6)


def test_a_steady_noise_of_any_colour_has_no_contrast_and_a_call_over_it_has() -> None:
    spec = dataclasses.replace(SPEC, channels=(CONTRAST,))
    power = np.ones((SPEC.n_mels, 60), np.float32) * np.logspace(-6, 0, SPEC.n_mels, dtype=np.float32)[:, None]
    assert not picture(power, spec).any()
    power[40, 20:30] *= 100
    assert set(zip(*np.nonzero(picture(power, spec)[0]), strict=True)) == {(40, frame) for frame in range(20, 30)}


@settings(derandomize=True, deadline=None, max_examples=50)
@given(length=st.integers(0, 600))
def test_there_are_as_many_frames_as_fit(length: int) -> None:
    expected = len(range(0, length - SMALL.n_fft + 1, SMALL.hop))
    assert SMALL.n_frames(length) == expected
    assert mel_power(noise(0.1, length), SMALL).shape == (SMALL.n_mels, expected)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(first=st.integers(0, 20), frames=st.integers(1, 20))
def test_a_recording_may_be_cut_before_or_after_the_mel_power(first: int, frames: int) -> None:
    recording = noise(0.1, 41 * SMALL.hop + SMALL.n_fft)
    start = first * SMALL.hop
    window = recording[start : start + (frames - 1) * SMALL.hop + SMALL.n_fft]
    whole: Floats = mel_power(recording, SMALL)
    np.testing.assert_allclose(mel_power(window, SMALL), whole[:, first : first + frames], rtol=1e-4)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    stretches=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 300)), min_size=1, max_size=3),
    size=st.integers(SMALL.n_fft, 300),
    step=st.integers(1, 12).map(lambda hops: hops * SMALL.hop) | st.integers(1, 300),
)
def test_gaps_tails_and_odd_steps_do_not_change_the_pictures_of_a_row(
    stretches: list[tuple[int, int]], size: int, step: int
) -> None:
    position, blocks = 0, []
    for length, gap in stretches:
        blocks.append(Block(position, noise(0.1, position + length)[position:]))
        position += length + gap
    alone = list(windows(blocks, size, min(step, size)))
    together = list(log_mels(alone, SMALL))
    assert all(one is other for (one, _), other in zip(together, alone, strict=True))
    for window, found in together:
        expected = log_mel(window.samples, SMALL)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_a_window_is_pictured_before_the_next_is_asked_for() -> None:
    asked: list[int] = []

    def live() -> Iterator[Window]:
        for start in range(0, 5 * SMALL.hop, SMALL.hop):
            asked.append(start)
            yield Window(start, start + 200, noise(0.1, 200))

    assert all(window.start_sample == asked[-1] for window, _ in log_mels(live(), SMALL))
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sample_rate": 0}, "sample_rate"),
        ({"n_fft": 0}, "n_fft"),
        ({"hop": 0}, "hop"),
        ({"n_mels": -1}, "n_mels"),
        ({"fmin_hz": -1.0}, "fmin_hz=-1"),
        ({"fmin_hz": 11_000.0}, "fmin_hz=11000"),
        ({"fmax_hz": 12_001.0}, "fmax_hz=12001"),
        ({"fmax_hz": float("nan")}, "fmax_hz=nan"),
        ({"channels": ()}, "channels"),
        ({"channels": ("level", "delta")}, "channels must be some of level, contrast, got .*delta"),
        ({"floor": 0.0}, "floor"),
        ({"floor": float("nan")}, "floor"),
    ],
)
def test_constants_that_contradict_each_other_are_refused(changed: dict[str, object], named: str) -> None:
    constants = {"sample_rate": 24_000, "n_fft": 800, "hop": 400, "n_mels": 96}
    limits = {"fmin_hz": 150.0, "fmax_hz": 11_000.0, "floor": 1e-9}
    with pytest.raises(ModelError, match=named):
        MelSpec(**{**constants, **limits, **changed})  # type: ignore[arg-type]


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_frames_shared_by_neighbouring_windows_change_nothing(seed: int, hops: list[int]) -> None:
    """Steps of whole hops are shared, others are not; either way each window gets what `log_mel` makes of it."""
    size, hop = 12_000, SPEC.hop
    audio = np.random.default_rng(seed).normal(0, 0.1, size + sum(hops) * hop).astype(np.float32)
    starts = [sum(hops[:count]) * hop - (count == len(hops)) for count in range(len(hops) + 1)]
    row = [Window(start, start + size, audio[start : start + size]) for start in starts]
    for window, found in log_mels(row, SPEC):
        np.testing.assert_allclose(found, log_mel(window.samples, SPEC), rtol=0, atol=1e-4)

"""Windows as they are drawn: where the calls are, mixed, moved, masked, and what is nobody's call."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import PITCH_HZ, write_data

from monitor.features import LEVEL, Floats, mel_power
from training.corpus.layouts.own import TAXA
from training.corpus.manifest import Box, Manifest, Recording, read_manifest
from training.drawing import augment
from training.drawing.augment import warped
from training.drawing.examples import DEFAULT, MASKED, Examples, Recipe, activity
from training.drawing.songs import PEAK, bank, song
from training.drawing.spectra import SPEC, WINDOW_SAMPLES, read_spectra

N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
modest = settings(derandomize=True, deadline=None, max_examples=100)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(write_data(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def spectra(manifest: Manifest) -> Mapping[Path, Floats]:
    return read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)


@pytest.fixture(scope="module")
def songs() -> tuple[Floats, ...]:
    return bank(6, SPEC, N_FRAMES, np.random.default_rng(3))


@pytest.fixture(scope="module")
def names(manifest: Manifest) -> dict[str, str]:
    return {label: manifest.taxa[label].scientific_name for label in manifest.labels}


@pytest.fixture(scope="module")
def examples(
    manifest: Manifest, spectra: Mapping[Path, Floats], names: dict[str, str], songs: tuple[Floats, ...]
) -> Examples:
    return Examples(manifest.without(0), spectra, names, SPEC, N_FRAMES, songs=songs)


def test_a_batch_is_finite_and_standardised_and_its_targets_are_known_or_masked(examples: Examples) -> None:
    inputs, targets = examples.batch(64, np.random.default_rng(1))
    assert inputs.shape == (64, len(SPEC.channels), SPEC.n_mels, N_FRAMES)
    assert targets.shape == (64, len(PITCH_HZ))
    assert inputs.dtype == targets.dtype == np.float32
    assert np.isfinite(inputs).all()
    assert set(np.unique(targets)) <= {0.0, 1.0, MASKED}
    assert (targets.max(axis=1) == 0).any()
    assert (targets == 1).any(axis=0).all()
    assert ((targets == 1).sum(axis=1) > 1).any()


def test_an_input_that_is_not_masked_has_a_level_of_mean_0_and_standard_deviation_1(
    manifest: Manifest, spectra: Mapping[Path, Floats], names: dict[str, str]
) -> None:
    plain = dataclasses.replace(DEFAULT, frequency_mask=0, time_mask=0, synthetic_share=0.0)
    inputs, _targets = Examples(manifest.recordings, spectra, names, SPEC, N_FRAMES, plain).batch(
        16, np.random.default_rng(1)
    )
    level = inputs[:, SPEC.channels.index(LEVEL)]
    assert level.mean(axis=(1, 2)) == pytest.approx(np.zeros(16), abs=1e-4)
    assert level.std(axis=(1, 2)) == pytest.approx(np.ones(16), abs=1e-3)


def test_equal_seeds_give_equal_batches_and_others_do_not(examples: Examples) -> None:
    batches = [examples.batch(8, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert np.array_equal(batches[0][0], batches[1][0])
    assert np.array_equal(batches[0][1], batches[1][1])
    assert not np.array_equal(batches[0][0], batches[2][0])


def test_drawing_does_not_change_what_is_drawn_from(
    examples: Examples, spectra: Mapping[Path, Floats], songs: tuple[Floats, ...]
) -> None:
    sounds = [*spectra.values(), *songs]
    before = [power.copy() for power in sounds]
    examples.batch(64, np.random.default_rng(1))
    assert all(np.array_equal(power, old) for power, old in zip(sounds, before, strict=True))


def test_a_window_beside_the_boxes_of_its_species_is_masked_and_not_called_empty() -> None:
    """A boxed call at the end of a long recording: windows are drawn over it, others are unknown."""
    path, label = Path("long.wav"), "parus_major"
    power = np.random.default_rng(0).gamma(1.0, size=(SPEC.n_mels, 20 * N_FRAMES)).astype(np.float32)
    name = TAXA[label].scientific_name
    recording = Recording(path, label, "s", 0, "s", (Box(0.5, 0.9, name), Box(50.0, 50.4, "Turdus merula")))
    blackbird = Recording(Path("other.wav"), "other", "t", 0, "t")
    spectra = {path: power, blackbird.path: one_note(50)}
    examples = Examples([recording, blackbird], spectra, {label: name, "other": "Turdus merula"}, SPEC, N_FRAMES)
    per_s = SPEC.sample_rate // SPEC.hop
    assert examples._target(recording, 0, N_FRAMES).tolist() == [1, 0]
    assert examples._target(recording, 20 * per_s, N_FRAMES).tolist() == [MASKED, 0]
    assert examples._target(recording, 49 * per_s, N_FRAMES).tolist() == [MASKED, 1]
    rng = np.random.default_rng(0)
    starts = [examples._start(recording, power, rng) for _ in range(50)]
    assert all(0 <= start / per_s < 0.9 for start in starts)


def one_note(band: int) -> Floats:
    """Mel power of a window with a single note in one band, over a little noise."""
    power = np.random.default_rng(0).gamma(4.0, 0.001, (SPEC.n_mels, N_FRAMES)).astype(np.float32)
    power[band, 20:60] = 1.0
    return power


def only(recipe: Recipe) -> Recipe:
    """The recipe with nothing but how calls are drawn and warped."""
    return dataclasses.replace(
        recipe,
        negative_share=0.0,
        song_share=0.0,
        echo_share=0.0,
        gated_share=0.0,
        mix_share=0.0,
        equalised_share=0.0,
        lowpass_share=0.0,
        frequency_mask=0,
        time_mask=0,
    )


def drawn_from(
    recipe: Recipe,
    powers: list[tuple[str, Floats]],
    backgrounds: tuple[Floats, ...] = (),
    songs: tuple[Floats, ...] = (),
) -> Examples:
    """Examples of recordings without boxes, given as label and mel power; noise is negative."""
    recordings = [Recording(Path(f"{i}.wav"), label, str(i), 0, str(i)) for i, (label, _) in enumerate(powers)]
    spectra = {recording.path: power for recording, (_, power) in zip(recordings, powers, strict=True)}
    names = {label: TAXA[label].scientific_name for label in sorted({label for label, _ in powers})}
    return Examples(recordings, spectra, names, SPEC, N_FRAMES, recipe, backgrounds=backgrounds, songs=songs)


def test_a_call_that_keeps_its_name_is_moved_by_no_more_than_the_recipe_says() -> None:
    recipe = dataclasses.replace(only(DEFAULT), stranger_share=0.0, shift=2)
    inputs, targets = drawn_from(recipe, [("parus_major", one_note(50))]).batch(100, np.random.default_rng(0))
    bands = inputs[:, 0].max(axis=2).argmax(axis=1)
    assert set(bands.tolist()) == {48, 49, 50, 51, 52}
    assert (targets == 1).all()


def test_a_stranger_lies_far_from_the_call_and_has_no_name() -> None:
    recipe = dataclasses.replace(only(DEFAULT), stranger_share=1.0, stranger_shift=(10, 30))
    inputs, targets = drawn_from(recipe, [("parus_major", one_note(50))]).batch(100, np.random.default_rng(0))
    distances = np.abs(inputs[:, 0].max(axis=2).argmax(axis=1) - 50)
    assert distances.min() >= 10
    assert distances.max() < 30
    assert (targets == 0).all()


@modest
@given(length=st.integers(1, 300), shift=st.integers(-40, 40))
def test_warping_keeps_every_cell_a_cell_of_the_recording_and_an_even_warp_changes_nothing(
    length: int, shift: int
) -> None:
    power = np.arange(96 * length, dtype=np.float32).reshape(96, length)
    moved = warped(power, 179, shift)
    assert moved.shape == (96, 179)
    assert np.isin(moved, power).all()
    assert np.array_equal(warped(power, length, 0), power)
    if shift >= 0:
        assert np.array_equal(moved[shift:], warped(power, 179, 0)[: 96 - shift])


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (0.5, 2 / 3), (1.0, 0.8)])
def test_species_are_drawn_by_their_recordings_to_the_power_of_the_balance(balance: float, share: float) -> None:
    recipe = dataclasses.replace(only(DEFAULT), stranger_share=0.0, balance=balance)
    powers = [("parus_major", one_note(50))] * 4 + [("athene_noctua", one_note(20))]
    _, targets = drawn_from(recipe, powers).batch(900, np.random.default_rng(0))
    assert targets[:, 1].mean() == pytest.approx(share, abs=0.05)


def test_a_background_is_heard_under_a_call_and_changes_no_name() -> None:
    recipe = dataclasses.replace(
        only(DEFAULT), stranger_share=0.0, mix_share=1.0, species_mix_share=0.0, background_share=1.0
    )
    calls = [("parus_major", one_note(50))]
    inputs, targets = drawn_from(recipe, calls, (one_note(80),)).batch(20, np.random.default_rng(0))
    assert (targets == 1).all()
    assert (inputs[:, 0, 80].max(axis=1) > inputs[:, 0, 70].max(axis=1)).all()


def test_what_the_network_believes_in_is_drawn_and_what_is_only_loud_is_not() -> None:
    power = np.concatenate([one_note(10), one_note(80)], axis=1)
    examples = drawn_from(only(DEFAULT), [("parus_major", power)])
    recording, rng = Recording(Path("0.wav"), "parus_major", "0", 0, "0"), np.random.default_rng(0)

    def first_half() -> float:
        return float(np.mean([examples._start(recording, power, rng) < N_FRAMES // 2 for _ in range(300)]))

    before = first_half()
    examples = examples.believing(
        lambda windows: np.array([[w[0, 80].max() > w[0, 10].max()] for w in windows], np.float32)
    )
    assert before > 0.3
    assert first_half() < 0.05


def test_activity_is_highest_where_something_stands_out() -> None:
    power = np.random.default_rng(0).gamma(4.0, size=(SPEC.n_mels, 1000)).astype(np.float32)
    power[40:50, 600:650] *= 1e4
    found = activity(power, N_FRAMES)
    assert found.shape == (1000 - N_FRAMES + 1,)
    assert (found > 0).all()
    assert 650 - N_FRAMES <= found.argmax() <= 600


def test_a_label_said_to_sound_in_the_background_is_neither_true_nor_false() -> None:
    power = one_note(50)
    also = Recording(Path("0.wav"), "parus_major", "s", 0, "s", also=("athene_noctua", "turdus_merula"))
    owl = Recording(Path("1.wav"), "athene_noctua", "t", 0, "t")
    spectra = {also.path: power, owl.path: power}
    examples = Examples(
        [also, owl], spectra, {"parus_major": "Parus major", "athene_noctua": "Athene noctua"}, SPEC, N_FRAMES
    )
    assert examples._target(also, 0, N_FRAMES).tolist() == [1, MASKED]
    assert examples._target(owl, 0, N_FRAMES).tolist() == [0, 1]


def test_of_a_label_without_recordings_nothing_is_taught() -> None:
    recording = Recording(Path("0.wav"), "parus_major", "s", 0, "s")
    names = {"athene_noctua": "Athene noctua", "parus_major": "Parus major"}
    recipe = dataclasses.replace(DEFAULT, mix_share=0.0, stranger_share=0.0)
    examples = Examples([recording], {recording.path: one_note(50)}, names, SPEC, N_FRAMES, recipe)
    _, targets = examples.batch(100, np.random.default_rng(0))
    assert {tuple(target) for target in targets.tolist()} == {(MASKED, 0.0), (MASKED, 1.0)}


def test_a_song_of_the_bank_has_no_name(songs: tuple[Floats, ...]) -> None:
    recipe = dataclasses.replace(DEFAULT, negative_share=0.0, song_share=1.0, mix_share=0.0)
    _, targets = drawn_from(recipe, [("parus_major", one_note(50))], songs=songs).batch(50, np.random.default_rng(0))
    assert (targets == 0).all()


def test_without_a_bank_strangers_take_the_share_of_the_songs() -> None:
    recipe = dataclasses.replace(DEFAULT, negative_share=0.0, song_share=0.5, stranger_share=0.5, mix_share=0.0)
    _, targets = drawn_from(recipe, [("parus_major", one_note(50))]).batch(50, np.random.default_rng(0))
    assert (targets == 0).all()


def test_the_noise_of_a_recordings_quiet_has_its_colour_and_not_its_call() -> None:
    power = np.full((SPEC.n_mels, 4 * N_FRAMES), 1e-3, np.float32)
    power[:20] = 1e-1
    power[60, :N_FRAMES] = 1e3
    recipe = dataclasses.replace(DEFAULT, silent_share=0.0, profile_share=1.0)
    noise = drawn_from(recipe, [("parus_major", power)])._noise(np.random.default_rng(0))
    assert noise.shape == (SPEC.n_mels, N_FRAMES)
    bands = noise.mean(axis=1)
    assert bands[:20].min() > 20 * bands[20:].max() / 2
    assert bands[60] == pytest.approx(bands[59], rel=0.5)


# What places and recorders do


def test_white_noise_is_level_and_no_two_frames_are_alike() -> None:
    noise = augment.white(SPEC, np.random.default_rng(0))
    assert noise.mean(axis=1) == pytest.approx(np.ones(SPEC.n_mels), abs=1e-3)
    assert len(np.unique(noise[0])) > 0.99 * noise.shape[1]


def test_a_muffled_recorder_loses_the_heights_and_nothing_else() -> None:
    for seed in range(20):
        gain = augment.muffled(SPEC.n_mels, np.random.default_rng(seed))[:, 0]
        assert (gain[: int(0.7 * SPEC.n_mels)] == 1).all()
        assert (np.diff(gain) <= 0).all()
        assert gain[-1] < 1


@modest
@given(seed=st.integers(0, 10**6), bands=st.integers(0, 96), frames=st.integers(0, 2 * N_FRAMES))
def test_a_mask_covers_at_most_what_it_may_and_leaves_the_rest(seed: int, bands: int, frames: int) -> None:
    picture = np.ones((2, SPEC.n_mels, N_FRAMES), np.float32)
    augment.masked(picture, bands, frames, np.random.default_rng(seed))
    assert np.array_equal(picture[0], picture[1])
    empty_bands, empty_frames = (picture[0] == 0).all(axis=1), (picture[0] == 0).all(axis=0)
    assert ((picture[0] == 0) == (empty_bands[:, None] | empty_frames[None, :])).all()
    assert empty_bands.sum() <= bands or empty_frames.all()
    assert empty_frames.sum() <= frames or empty_bands.all()


# Songs that no animal sings


def test_a_song_is_loud_finite_and_never_the_same() -> None:
    rng = np.random.default_rng(0)
    sung = [song(SPEC.sample_rate, WINDOW_SAMPLES, rng) for _ in range(20)]
    for sound in sung:
        assert sound.shape == (WINDOW_SAMPLES,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() == pytest.approx(PEAK, rel=1e-3)
    pitches = {int(mel_power(sound, SPEC).mean(axis=1).argmax()) for sound in sung}
    assert len(pitches) > 10


def test_equal_seeds_give_an_equal_bank(songs: tuple[Floats, ...]) -> None:
    again = bank(6, SPEC, N_FRAMES, np.random.default_rng(3))
    assert all(np.array_equal(one, other) for one, other in zip(songs, again, strict=True))
    assert all(len(one) == SPEC.n_mels and one.shape[1] > N_FRAMES for one in songs)


def test_an_echo_falls_by_60_decibels_in_its_decay_time_and_keeps_the_energy() -> None:
    click = np.zeros((SPEC.n_mels, 600), np.float32)
    click[:, 0] = 1
    heard = augment.echo(click, 0.5, SPEC)
    frames = round(0.5 * SPEC.sample_rate / SPEC.hop)
    assert 10 * np.log10(heard[0, frames] / heard[0, 0]) == pytest.approx(-60, abs=0.5)
    assert heard.sum(axis=1) == pytest.approx(np.ones(SPEC.n_mels), rel=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_call_with_an_echo_rings_on_and_keeps_its_name(share: float) -> None:
    recording = Recording(Path("note.wav"), "parus_major", "s", 0, "s")
    recipe = dataclasses.replace(only(DEFAULT), stranger_share=0.0, shift=0, stretch=0.0, echo_share=share)
    examples = Examples(
        [recording], {recording.path: one_note(50)}, {"parus_major": "Parus major"}, SPEC, N_FRAMES, recipe
    )
    rng = np.random.default_rng(4)
    rang_on = []
    for _ in range(20):
        power, target = examples._window(rng)
        assert target.tolist() == [1]
        assert power[50, 20:60].min() >= 1
        rang_on.append(power[50, 60:64].mean() > 2 * power[50, 70 + N_FRAMES // 4 :].mean())
    assert all(rang_on) if share else not any(rang_on)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_call_without_its_noise_keeps_its_name(share: float) -> None:
    recipe = dataclasses.replace(only(DEFAULT), stranger_share=0.0, shift=0, stretch=0.0, gated_share=share)
    power = one_note(50)
    window, target = drawn_from(recipe, [("parus_major", power)])._window(np.random.default_rng(4))
    assert target.tolist() == [1]
    assert window[50].max() == pytest.approx(1, rel=0.05)
    noisy = np.delete(window, 50, axis=0) > 0
    assert noisy.mean() < 0.05 if share else noisy.all()

"""From a folder of recordings to a network that has learned something, at a small size."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from command import BIN, run, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import PITCH_HZ, read_table, write_data, write_table
from torch import Tensor
from typer.testing import CliRunner

from monitor.errors import ModelError, RecordingError
from monitor.features import Floats, log_mel
from training import cli
from training.evaluate import (
    Scored,
    average_precision,
    balanced_accuracy,
    report,
    score_recordings,
    second_bins,
    threshold,
    windows_of,
)
from training.examples import DEFAULT, MASKED, Examples, Recipe, activity, warped
from training.manifest import TAXA, Box, Manifest, Recording, read_manifest
from training.network import STAGES, EfficientNetLite, scaled
from training.spectra import at_least, read_samples, read_spectra
from training.train import (
    SPEC,
    WINDOW_SAMPLES,
    Checkpoint,
    Schedule,
    masked_loss,
    predict,
    read_checkpoint,
    sigmoid,
    train,
)

WIDTH = 0.25
N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
SMOKE = Schedule(steps=60, batch=12, peak_rate=4e-3, average=0.9)
modest = settings(derandomize=True, deadline=None, max_examples=100)

Change = Callable[[list[dict[str, str]]], object]


@dataclass(frozen=True)
class Material:
    """What training reads: a manifest, its spectra, and examples that leave fold 0 out."""

    manifest: Manifest
    spectra: Mapping[Path, Floats]
    examples: Examples


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def material(folder: Path) -> Material:
    manifest = read_manifest(folder)
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    names = {label: TAXA[label][0] for label in manifest.labels}
    return Material(manifest, spectra, Examples(manifest.without(0), spectra, names, SPEC, N_FRAMES))


@dataclass(frozen=True)
class Trained:
    """A network that has never heard fold 0, and the loss of each step."""

    checkpoint: Checkpoint
    losses: list[float]


@pytest.fixture(scope="module")
def trained(material: Material) -> Trained:
    losses: list[float] = []
    weights = train(material.examples, WIDTH, SMOKE, lambda _step, loss: losses.append(loss))
    data_hash = material.manifest.content_hash()
    return Trained(
        Checkpoint(weights, material.manifest.labels, WIDTH, SPEC, WINDOW_SAMPLES, data_hash, SMOKE, 0), losses
    )


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the data folder that a test may change."""
    return shutil.copytree(folder, tmp_path / "data")


def changed(table: Path, change: Change) -> None:
    rows = read_table(table)
    change(rows)
    write_table(table, rows)


# The manifest


def test_the_manifest_holds_what_the_tables_say(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.labels == tuple(sorted(PITCH_HZ))
    assert manifest.folds == (0, 1)
    birds = [recording for recording in manifest.recordings if recording.label is not None]
    assert len(birds) == 4 * len(PITCH_HZ)
    for recording in birds:
        first = recording.path.stem.endswith("0")
        assert recording.source == (recording.path.stem if first else recording.source)
        assert recording.source.startswith("XC") or first
        assert recording.boxes == ((Box(0.0, 4.5, TAXA[str(recording.label)][0]),) if first else None)


def test_an_annotated_recording_without_a_box_is_not_one_that_nobody_annotated(copied: Path) -> None:
    changed(copied / "birds" / "annotations.csv", lambda rows: rows.pop(0))
    boxes = [recording.boxes for recording in read_manifest(copied).recordings]
    assert boxes.count(()) == 1


def test_no_session_lies_in_two_folds_and_a_fold_and_the_rest_are_everything(folder: Path) -> None:
    manifest = read_manifest(folder)
    for fold in manifest.folds:
        heard, unheard = manifest.without(fold), manifest.fold(fold)
        assert {r.session for r in heard}.isdisjoint(r.session for r in unheard)
        assert set(heard) | set(unheard) == set(manifest.recordings)
    assert manifest.without(None) == manifest.recordings


def test_no_session_of_the_real_recordings_lies_in_two_folds(real_recordings: Path) -> None:
    manifest = read_manifest(real_recordings)
    assert len(manifest.folds) > 1
    folds: dict[str, set[int]] = {}
    for recording in manifest.recordings:
        folds.setdefault(recording.session, set()).add(recording.fold)
    assert max(map(len, folds.values())) == 1
    for fold in manifest.folds:
        assert {r.label for r in manifest.without(fold)} == {r.label for r in manifest.fold(fold)}


def test_a_session_in_two_folds_is_refused(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[1].update(session=rows[0]["session"]))
    with pytest.raises(RecordingError, match="must stay in one fold"):
        read_manifest(copied)


@pytest.mark.parametrize("missing", ["birds/recordings.csv", "birds/annotations.csv", "negatives/recordings.csv"])
def test_a_missing_table_is_named(missing: str, copied: Path) -> None:
    (copied / missing).unlink()
    with pytest.raises(RecordingError, match=missing):
        read_manifest(copied)


def test_a_missing_recording_is_named(copied: Path) -> None:
    (copied / "negatives" / "wind1.wav").unlink()
    with pytest.raises(RecordingError, match=r"1 recordings .* missing, the first is .*wind1\.wav"):
        read_manifest(copied)


def _other_sound(data: Path) -> None:
    path = data / "negatives" / "wind2.wav"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _other_label(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(species="parus_major"))


def _other_session(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(session="another"))


def _other_fold(data: Path) -> None:
    changed(data / "negatives" / "recordings.csv", lambda rows: rows[0].update(fold="1"))


def _other_box(data: Path) -> None:
    changed(data / "birds" / "annotations.csv", lambda rows: rows[0].update(end_s="4.4"))


def _box_of_another(data: Path) -> None:
    changed(data / "birds" / "annotations.csv", lambda rows: rows[0].update(label="Parus major"))


def _not_annotated(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows[0].update(annotated="0"))


def _recording_less(data: Path) -> None:
    changed(data / "birds" / "recordings.csv", lambda rows: rows.pop())


@pytest.mark.parametrize(
    "change",
    [
        _other_sound,
        _other_label,
        _other_session,
        _other_fold,
        _other_box,
        _box_of_another,
        _not_annotated,
        _recording_less,
    ],
)
def test_the_hash_changes_with_anything_that_is_trained_on(change: Callable[[Path], None], copied: Path) -> None:
    before = read_manifest(copied).content_hash()
    change(copied)
    assert read_manifest(copied).content_hash() != before


def test_the_hash_does_not_depend_on_where_the_data_lies(folder: Path, copied: Path) -> None:
    assert read_manifest(copied).content_hash() == read_manifest(folder).content_hash()


def test_backgrounds_are_no_recordings_of_any_fold_and_change_the_hash(copied: Path) -> None:
    before = read_manifest(copied)
    (copied / "background").mkdir()
    soundfile.write(copied / "background" / "dawn.wav", np.zeros(24_000), 24_000)
    (copied / "background" / "notes.txt").write_text("wind from the west\n", encoding="utf-8")
    after = read_manifest(copied)
    assert [recording.path.name for recording in after.backgrounds] == ["dawn.wav"]
    assert before.backgrounds == ()
    assert after.recordings == before.recordings
    assert after.content_hash() != before.content_hash()


def test_a_species_without_a_taxon_is_named_with_the_nearest(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[0].update(species="parus_mayor"))
    with pytest.raises(RecordingError, match=r"recordings\.csv names .*'parus_mayor'; did you mean parus_major"):
        read_manifest(copied)


def test_a_species_like_none_is_answered_with_the_known_ones(copied: Path) -> None:
    changed(copied / "birds" / "recordings.csv", lambda rows: rows[0].update(species="0000"))
    with pytest.raises(RecordingError, match=r"'0000'; known are anas_platyrhynchos"):
        read_manifest(copied)


@pytest.mark.parametrize(
    ("table", "column"),
    [("birds/recordings.csv", "session"), ("birds/annotations.csv", "end_s"), ("negatives/recordings.csv", "fold")],
)
def test_a_missing_column_is_named(table: str, column: str, copied: Path) -> None:
    changed(copied / table, lambda rows: [row.pop(column) for row in rows])
    with pytest.raises(RecordingError, match=rf"{table} lacks the column {column}"):
        read_manifest(copied)


# Spectra


def test_a_short_recording_repeats_until_it_fills_a_window(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 5000), SPEC.sample_rate)
    recording = Recording(path, None, "short", 0, "short")
    assert read_spectra([recording], SPEC, WINDOW_SAMPLES)[path].shape == (SPEC.n_mels, N_FRAMES)
    samples = at_least(read_samples(path, SPEC.sample_rate), WINDOW_SAMPLES)
    assert np.array_equal(samples[:5000], samples[5000:10_000])


def test_training_and_the_device_see_the_same_picture(material: Material) -> None:
    recording = material.manifest.recordings[0]
    samples = read_samples(recording.path, SPEC.sample_rate)
    pictures = windows_of(material.spectra[recording.path])
    assert len(pictures) == 3
    for start, picture in ((0, pictures[0]), (SPEC.sample_rate, pictures[1])):
        assert picture == pytest.approx(log_mel(samples[start : start + WINDOW_SAMPLES], SPEC), abs=1e-4)


def test_a_recording_that_is_no_audio_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no audio\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"text\.wav cannot be decoded"):
        read_samples(path, SPEC.sample_rate)


# Examples


def test_a_batch_is_finite_and_standardised_and_its_targets_are_known_or_masked(material: Material) -> None:
    inputs, targets = material.examples.batch(64, np.random.default_rng(1))
    assert inputs.shape == (64, 1, SPEC.n_mels, N_FRAMES)
    assert targets.shape == (64, len(PITCH_HZ))
    assert inputs.dtype == targets.dtype == np.float32
    assert np.isfinite(inputs).all()
    assert set(np.unique(targets)) <= {0.0, 1.0, MASKED}
    assert (targets.max(axis=1) == 0).any()
    assert (targets == 1).any(axis=0).all()
    assert ((targets == 1).sum(axis=1) > 1).any()


def test_an_input_that_is_not_masked_has_mean_0_and_standard_deviation_1(material: Material) -> None:
    plain = Examples(
        material.manifest.recordings,
        material.spectra,
        material.examples.names,
        SPEC,
        N_FRAMES,
        dataclasses.replace(material.examples.recipe, frequency_mask=0, time_mask=0, synthetic_share=0.0),
    )
    inputs, _targets = plain.batch(16, np.random.default_rng(1))
    assert inputs.mean(axis=(1, 2, 3)) == pytest.approx(np.zeros(16), abs=1e-4)
    assert inputs.std(axis=(1, 2, 3)) == pytest.approx(np.ones(16), abs=1e-3)


def test_equal_seeds_give_equal_batches_and_others_do_not(material: Material) -> None:
    batches = [material.examples.batch(8, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert np.array_equal(batches[0][0], batches[1][0])
    assert np.array_equal(batches[0][1], batches[1][1])
    assert not np.array_equal(batches[0][0], batches[2][0])


def test_drawing_does_not_change_the_recordings(material: Material) -> None:
    before = {path: power.copy() for path, power in material.spectra.items()}
    material.examples.batch(64, np.random.default_rng(1))
    assert all(np.array_equal(power, before[path]) for path, power in material.spectra.items())


def test_a_window_beside_the_boxes_of_its_species_is_masked_and_not_called_empty() -> None:
    """A boxed call at the end of a long recording: windows are drawn over it, others are unknown."""
    path, label = Path("long.wav"), "parus_major"
    power = np.random.default_rng(0).gamma(1.0, size=(SPEC.n_mels, 20 * N_FRAMES)).astype(np.float32)
    name = TAXA[label][0]
    recording = Recording(path, label, "s", 0, "s", (Box(0.5, 0.9, name), Box(50.0, 50.4, "Turdus merula")))
    examples = Examples([recording], {path: power}, {label: name, "other": "Turdus merula"}, SPEC, N_FRAMES)
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
        recipe, negative_share=0.0, mix_share=0.0, equalised_share=0.0, lowpass_share=0.0, frequency_mask=0, time_mask=0
    )


def drawn_from(recipe: Recipe, powers: list[tuple[str, Floats]], backgrounds: tuple[Floats, ...] = ()) -> Examples:
    """Examples of recordings without boxes, given as label and mel power; noise is negative."""
    recordings = [Recording(Path(f"{i}.wav"), label, str(i), 0, str(i)) for i, (label, _) in enumerate(powers)]
    spectra = {recording.path: power for recording, (_, power) in zip(recordings, powers, strict=True)}
    names = {label: TAXA[label][0] for label in sorted({label for label, _ in powers})}
    return Examples(recordings, spectra, names, SPEC, N_FRAMES, recipe, backgrounds)


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
    examples = examples.believing(lambda windows: np.array([[w[80].max() > w[10].max()] for w in windows], np.float32))
    assert before > 0.3
    assert first_half() < 0.05


def test_training_draws_by_the_belief_of_its_own_network_from_where_the_schedule_says() -> None:
    drawn: list[str] = []

    class Watched(Examples):
        """Notes what is asked of it."""

        def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
            drawn.append("batch")
            return super().batch(size, rng)

        def believing(self, scores: Callable[[Sequence[Floats]], Floats]) -> Examples:
            drawn.append("belief")
            [window] = drawn_from(only(DEFAULT), [("parus_major", one_note(50))]).batch(1, np.random.default_rng(0))[0]
            assert ((scores([window[0]]) > 0) & (scores([window[0]]) < 1)).all()
            return super().believing(scores)

    power = one_note(50)
    recording = Recording(Path("0.wav"), "parus_major", "0", 0, "0")
    examples = Watched([recording], {recording.path: power}, {"parus_major": "Parus major"}, SPEC, N_FRAMES)
    train(examples, WIDTH, Schedule(steps=10, batch=4, beliefs=(0.4, 0.8)))
    assert drawn == ["batch"] * 4 + ["belief"] + ["batch"] * 4 + ["belief"] + ["batch"] * 2


def test_activity_is_highest_where_something_stands_out() -> None:
    power = np.random.default_rng(0).gamma(4.0, size=(SPEC.n_mels, 1000)).astype(np.float32)
    power[40:50, 600:650] *= 1e4
    found = activity(power, N_FRAMES)
    assert found.shape == (1000 - N_FRAMES + 1,)
    assert (found > 0).all()
    assert 650 - N_FRAMES <= found.argmax() <= 600


# Loss and network


def test_a_masked_target_changes_neither_the_loss_nor_its_gradient() -> None:
    targets = torch.tensor([[1.0, MASKED, 0.0], [MASKED, 0.0, 1.0]])
    logits = torch.randn(2, 3, generator=torch.manual_seed(0))
    shifted = torch.where(targets == MASKED, logits + 100, logits)
    logits.requires_grad_()
    loss = masked_loss(logits, targets)
    loss.backward()
    known = targets != MASKED
    p = torch.sigmoid(logits.detach())[known]
    expected = -torch.where(targets[known] == 1, p.log(), (1 - p).log()).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert masked_loss(shifted, targets).item() == pytest.approx(loss.item(), rel=1e-6)
    assert logits.grad is not None
    assert ((logits.grad == 0) == ~known).all()


def test_a_batch_of_masked_targets_only_has_no_loss() -> None:
    assert masked_loss(torch.randn(2, 3), torch.full((2, 3), MASKED)).item() == 0


@pytest.mark.parametrize("n_labels", [1, 10])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_network_gives_one_logit_a_label(n_labels: int, batch: int) -> None:
    network = EfficientNetLite(n_labels, WIDTH).eval()
    with torch.inference_mode():
        assert network(torch.randn(batch, 1, SPEC.n_mels, N_FRAMES)).shape == (batch, n_labels)
        assert network(torch.randn(batch, 1, 64, 100)).shape == (batch, n_labels)


def test_the_network_at_width_1_has_the_size_of_efficientnet_lite0() -> None:
    """Liu (2020) counts 4.652 M for 1,000 classes and 3 colours; the first layer here sees one."""
    count = sum(weight.numel() for weight in EfficientNetLite(1000, 1.0).parameters())
    colours = 2 * scaled(32, 1.0) * 9
    assert (count + colours) / 1e6 == pytest.approx(4.652, abs=0.001)


@modest
@given(channels=st.sampled_from([32, 1280, *(stage.channels for stage in STAGES)]), width=st.floats(0.25, 2))
def test_channels_at_a_width_are_a_multiple_of_8_near_what_was_asked_for(channels: int, width: float) -> None:
    found = scaled(channels, width)
    assert found % 8 == 0
    assert found >= 0.9 * channels * width
    assert found <= max(8, channels * width + 8)


# Training


def test_training_lowers_the_loss(trained: Trained) -> None:
    assert len(trained.losses) == SMOKE.steps
    assert np.isfinite(trained.losses).all()
    assert np.mean(trained.losses[-10:]) < 0.7 * np.mean(trained.losses[:5])


def test_a_trained_network_names_recordings_it_has_never_heard_better_than_chance(
    trained: Trained, material: Material
) -> None:
    unheard = material.manifest.fold(0)
    scored = score_recordings(trained.checkpoint.network(), unheard, material.spectra)
    figures = report(scored, material.manifest.labels)
    chance = 1 / len(PITCH_HZ)
    assert figures["recordings"] == sum(r.label is not None for r in unheard)
    assert float(str(figures["balanced_top1"])) > 1.5 * chance
    assert float(str(figures["recording_mean_average_precision"])) > 1.5 * chance
    json.dumps(figures)


def test_equal_seeds_train_equal_weights_and_others_do_not(material: Material) -> None:
    schedules = [Schedule(steps=2, batch=4, seed=seed) for seed in (7, 7, 8)]
    first, again, other = (train(material.examples, WIDTH, schedule) for schedule in schedules)
    assert first.keys() == again.keys() == other.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_checkpoint_reads_back_and_scores_the_same(trained: Trained, material: Material, tmp_path: Path) -> None:
    path = tmp_path / "new" / "all.pt"
    trained.checkpoint.save(path)
    again = read_checkpoint(path)
    assert list(path.parent.iterdir()) == [path]
    for field in dataclasses.fields(Checkpoint):
        if field.name != "weights":
            assert getattr(again, field.name) == getattr(trained.checkpoint, field.name)
    assert all(torch.equal(again.weights[name], weight) for name, weight in trained.checkpoint.weights.items())
    windows = windows_of(material.spectra[material.manifest.recordings[0].path])
    assert np.array_equal(predict(again.network(), windows), predict(trained.checkpoint.network(), windows))


def test_a_network_scores_a_window_the_same_in_any_company(trained: Trained, material: Material) -> None:
    inputs, _targets = material.examples.batch(5, np.random.default_rng(0))
    network = trained.checkpoint.network()
    together = predict(network, inputs[:, 0], batch=4)
    alone = np.concatenate([predict(network, inputs[index : index + 1, 0]) for index in range(5)])
    assert together == pytest.approx(alone, abs=1e-4)


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def _empty(path: Path) -> None:
    path.touch()


def _text(path: Path) -> None:
    path.write_text("no checkpoint\n", encoding="utf-8")


def _tensor(path: Path) -> None:
    torch.save(torch.zeros(3), path)


def _weights_alone(path: Path) -> None:
    torch.save(EfficientNetLite(3, WIDTH).state_dict(), path)


def _network(path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), path)


def _other_fields(path: Path) -> None:
    torch.save({"weights": {}, "spec": dataclasses.asdict(SPEC), "schedule": {}}, path)


@pytest.mark.parametrize("make", [_missing, _empty, _text, _tensor, _weights_alone, _network, _other_fields])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_sentence(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "foreign.pt"
    make(path)
    with pytest.raises(ModelError) as refused:
        read_checkpoint(path)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_truncated_checkpoint_is_refused(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt"
    trained.checkpoint.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.pt is not a checkpoint"):
        read_checkpoint(path)


# Figures


def slow_average_precision(relevant: list[bool], scores: list[float]) -> float:
    """For each relevant item: how many of those at least as good are relevant."""
    precisions = []
    for own, score in zip(relevant, scores, strict=True):
        if own:
            above = [hit for hit, other in zip(relevant, scores, strict=True) if other >= score]
            precisions.append(sum(above) / len(above))
    return sum(precisions) / len(precisions)


@modest
@given(relevant=st.lists(st.booleans(), min_size=1, max_size=40).filter(any), seed=st.integers(0, 10**6))
def test_average_precision_is_that_of_a_count_by_hand(relevant: list[bool], seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(len(relevant)).astype(np.float32)
    found = average_precision(np.array(relevant), scores)
    assert found == pytest.approx(slow_average_precision(relevant, scores.tolist()))


def test_average_precision_is_1_where_all_relevant_items_come_first() -> None:
    assert average_precision(np.array([False, True, True]), np.array([0.1, 0.3, 0.2], np.float32)) == 1


def test_balanced_accuracy_counts_every_label_the_same() -> None:
    truth = np.array([0] * 98 + [1, 1])
    assert balanced_accuracy(truth, np.zeros_like(truth)) == 0.5
    assert balanced_accuracy(truth, truth) == 1
    assert balanced_accuracy(truth, 1 - truth) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
@modest
def test_balanced_accuracy_is_the_mean_of_the_labels_shares(pairs: list[tuple[int, int]]) -> None:
    truth, guess = (np.array(column) for column in zip(*pairs, strict=True))
    shares = []
    for label in {own for own, _ in pairs}:
        guesses = [other for own, other in pairs if own == label]
        shares.append(guesses.count(label) / len(guesses))
    assert balanced_accuracy(truth, guess) == pytest.approx(sum(shares) / len(shares))


def scored(label: str | None, scores: list[list[float]], boxes: tuple[Box, ...] | None = None) -> Scored:
    return Scored(Recording(Path("x.wav"), label, "s", 0, "s", boxes), np.array(scores, np.float32))


def test_second_bins_hold_the_boxes_and_the_best_window_over_them() -> None:
    """Windows of 3 s at 0, 1 and 2 s, so bins 0 to 4; the tit calls in bin 1, and for too short in bin 3."""
    tit, rook = "parus_major", "corvus_frugilegus"
    boxes = (
        Box(1.2, 1.5, TAXA[tit][0]),
        Box(3.0, 3.05, TAXA[tit][0]),
        Box(1.95, 2.5, TAXA[rook][0]),
        Box(4.0, 4.06, TAXA[rook][0]),
        Box(4.5, 4.56, TAXA[rook][0]),
    )
    annotated = scored(tit, [[0.9, 0.1], [0.5, 0.3], [0.2, 0.7]], boxes)
    relevant, ranked = second_bins([annotated, scored(rook, [[0.0, 1.0]])], (tit, rook))
    assert relevant.tolist() == [[False, False], [True, False], [False, True], [False, False], [False, True]]
    assert ranked == pytest.approx(np.array([[0.9, 0.1], [0.9, 0.3], [0.9, 0.7], [0.5, 0.7], [0.2, 0.7]]))


def test_recordings_that_nobody_annotated_have_no_second_bins() -> None:
    relevant, ranked = second_bins([scored("parus_major", [[0.5]])], ("parus_major",))
    assert relevant.shape == ranked.shape == (0, 1)


@modest
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=200))
def test_a_threshold_is_where_99_of_100_windows_of_others_stay_below_but_never_extreme(values: list[float]) -> None:
    recordings = [scored("corvus_frugilegus", [[value] for value in values]), scored("parus_major", [[1.0]] * 99)]
    found = threshold(recordings, "parus_major", 0)
    assert 0.5 <= found <= 0.9
    if found < 0.9:
        assert sum(value > found + 0.006 for value in values) <= math.ceil(0.01 * (len(values) - 1))
    if found > 0.5:
        assert any(value >= found - 0.006 for value in values)


def test_a_report_counts_by_label_and_over_negatives() -> None:
    tit, rook = "parus_major", "corvus_frugilegus"
    labels = (rook, tit)
    recordings = [
        dataclasses.replace(scored(tit, [[0.1, 0.2], [0.3, 0.8]]), recording=_recording(tit, "a")),
        dataclasses.replace(scored(tit, [[0.7, 0.2]]), recording=_recording(tit, "b")),
        dataclasses.replace(scored(rook, [[0.9, 0.2]]), recording=_recording(rook, "c")),
        dataclasses.replace(scored(None, [[0.6, 0.1], [0.2, 0.1]]), recording=_recording(None, "d")),
    ]
    figures = report(recordings, labels)
    assert figures["correct_and_all_by_label"] == {rook: [1, 1], tit: [1, 2]}
    assert figures["balanced_top1"] == 0.75
    assert (figures["recordings"], figures["negative_windows"], figures["negative_windows_over_half"]) == (3, 2, 1)
    interval = figures["balanced_top1_95"]
    assert isinstance(interval, list)
    assert 0 <= interval[0] <= 0.75 <= interval[1] <= 1


def _recording(label: str | None, session: str) -> Recording:
    return Recording(Path(f"{session}.wav"), label, session, 0, session)


@given(st.lists(st.floats(-80, 80, width=32), min_size=1))
@modest
def test_scores_are_torchs_sigmoid_of_logits(logits: list[float]) -> None:
    expected: Tensor = torch.sigmoid(torch.tensor(logits, dtype=torch.float64))
    assert sigmoid(np.array(logits, np.float32)) == pytest.approx(expected.numpy(), abs=1e-6)


# The command


def test_the_command_trains_each_fold_and_evaluates_them_together(folder: Path, tmp_path: Path) -> None:
    command, out = BIN / "dawnchorus-training", tmp_path / "out"
    words = ("--steps", "2", "--width", str(WIDTH), "--fold", "0", "--fold", "1")
    result = run(command, "train", "--data", folder, "--out", out, *words)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["fold0.pt", "fold1.pt"]
    assert read_checkpoint(out / "fold1.pt").fold == 1
    result = run(command, "evaluate", "--data", folder, "--out", out)
    assert result.returncode == 0, result.stderr
    figures = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["recordings"] == sum(r.label is not None for r in read_manifest(folder).recordings)
    assert "2 folds" in figures["method"]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_help_of_every_command_holds_an_example(command: str) -> None:
    result = CliRunner().invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: dawnchorus-training {command}" in result.stdout


def test_a_fold_that_holds_nothing_is_refused_before_anything_is_trained(folder: Path, tmp_path: Path) -> None:
    told = sentence(run(BIN / "dawnchorus-training", "train", "--data", folder, "--out", tmp_path, "--fold", "9"), 1)
    assert "no recording lies in fold 9: the folds are 0, 1" in told
    assert not list(tmp_path.iterdir())


def test_the_command_says_in_one_sentence_what_is_missing(tmp_path: Path) -> None:
    told = sentence(run(BIN / "dawnchorus-training", "train", "--data", tmp_path / "[/nowhere]"), 1)
    assert str(tmp_path / "[/nowhere]" / "birds") in told

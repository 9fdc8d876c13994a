"""From a checkpoint to a file that the device opens, and what is not let through."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import onnx
import pytest
import torch
from command import BIN, dawnchorus, run, sentence
from onnx import numpy_helper
from synthetic import write_data
from typer.testing import CliRunner

from export import cli
from export.card import card
from export.describe import LICENCE, contract_of, write_contract
from export.graph import INPUT, OUTPUT, write_float
from export.quantize import draw_windows, write_int8
from export.verify import run as run_model
from export.verify import verify
from monitor.classifier import Classifier
from monitor.contract import KEY, Calibration, schema
from monitor.errors import ModelError
from monitor.features import Floats, log_mel, picture
from training.checkpoint import Checkpoint, Schedule
from training.corpus.manifest import Manifest, read_manifest
from training.drawing.examples import Examples
from training.drawing.spectra import SPEC, WINDOW_SAMPLES, read_samples, read_spectra
from training.evaluation.hear import hear
from training.evaluation.heard import Playlist
from training.evaluation.judged import Judged
from training.evaluation.report import report
from training.evaluation.scored import Listener
from training.evaluation.thresholds import Wanted
from training.train import predict, sigmoid, train

COMMAND = "model"
WIDTH = 0.25
N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
SCHEDULE = Schedule(steps=80, batch=12, peak_rate=4e-3, average=0.9)


@dataclass(frozen=True)
class Workshop:
    """What an export begins with, as it lies on the disk and as it is read."""

    data: Path
    checkpoint_path: Path
    evaluation: Path
    manifest: Manifest
    checkpoint: Checkpoint
    calibration: list[Floats]
    windows: list[Floats]
    """not those of the calibration"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("workshop")
    data = write_data(folder / "data")
    manifest = read_manifest(data)
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    names = {label: manifest.taxa[label].scientific_name for label in manifest.labels}
    weights = train(Examples(manifest.recordings, spectra, names, SPEC, N_FRAMES), WIDTH, SCHEDULE)
    data_hash = manifest.content_hash()
    checkpoint = Checkpoint(weights, manifest.labels, WIDTH, SPEC, WINDOW_SAMPLES, data_hash, SCHEDULE, None)
    checkpoint.save(folder / "all.pt")
    rng = np.random.default_rng(0)
    network = checkpoint.network()
    listener = Listener(lambda windows: predict(network, windows), SPEC, WINDOW_SAMPLES)
    playlist = Playlist({label: manifest.taxa[label] for label in manifest.labels}, manifest.recordings)
    heard = hear(playlist, dict.fromkeys(manifest.folds, listener), "heard before", rng)
    figures = report(Judged.of(heard, Wanted()), rng, draws=20)
    (folder / "evaluation.json").write_text(json.dumps(figures), encoding="utf-8")
    calibration, windows = (draw_windows(manifest.recordings, spectra, SPEC, N_FRAMES, rng, 60) for _ in range(2))
    return Workshop(data, folder / "all.pt", folder / "evaluation.json", manifest, checkpoint, calibration, windows)


@dataclass(frozen=True)
class Made:
    """A float file, and the INT8 file with its contract."""

    float_path: Path
    int8_path: Path


@pytest.fixture(scope="module")
def made(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    files = Made(folder / "float.onnx", folder / "int8.onnx")
    write_float(workshop.checkpoint, files.float_path)
    write_int8(files.float_path, files.int8_path, workshop.calibration)
    metrics = json.loads(workshop.evaluation.read_text(encoding="utf-8"))
    contract = contract_of("smoke", workshop.checkpoint, workshop.manifest, metrics, files.int8_path)
    write_contract(files.int8_path, contract)
    return files


def export(workshop: Workshop, out: Path, checkpoint: Path | None = None) -> None:
    """Call the command in this process, with fewer windows than it takes for a real model."""
    words = {
        "--checkpoint": checkpoint or workshop.checkpoint_path,
        "--evaluation": workshop.evaluation,
        "--data": workshop.data,
        "--out": out,
        "--name": "smoke-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "draw_windows", partial(draw_windows, count=len(workshop.windows)))
        cli.app([COMMAND, *(str(word) for pair in words.items() for word in pair)], standalone_mode=False)


@pytest.fixture(scope="module")
def exported(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command wrote."""
    out = tmp_path_factory.mktemp("exported") / "smoke.onnx"
    export(workshop, out)
    return out


# Float and INT8


def test_the_float_file_gives_torchs_scores_for_any_batch(workshop: Workshop, made: Made) -> None:
    expected = sigmoid(predict(workshop.checkpoint.network(), workshop.windows))
    assert sigmoid(run_model(made.float_path, workshop.windows)) == pytest.approx(expected, abs=1e-4)
    onnx.checker.check_model(made.float_path, full_check=True)
    for path in (made.float_path, made.int8_path):
        graph = onnx.load(path).graph
        assert [taken.name for taken in graph.input] == [INPUT]
        assert [given.name for given in graph.output] == [OUTPUT]
        batch = graph.input[0].type.tensor_type.shape.dim[0]
        assert batch.dim_param
        assert not batch.dim_value


def test_the_int8_file_keeps_its_weights_as_bytes_and_is_smaller(made: Made) -> None:
    assert made.int8_path.stat().st_size < 0.6 * made.float_path.stat().st_size
    stored = [numpy_helper.to_array(array) for array in onnx.load(made.int8_path).graph.initializer]
    size = {np.int8: 0, np.float32: 0}
    for array in stored:
        if array.dtype.type in size:
            size[array.dtype.type] += array.size
    assert size[np.int8] > 20 * size[np.float32]


def test_windows_are_drawn_from_every_recording_in_turn(workshop: Workshop) -> None:
    recordings, rng = workshop.manifest.recordings, np.random.default_rng(4)
    powers = {r.path: rng.gamma(1.0, size=(SPEC.n_mels, N_FRAMES)).astype(np.float32) for r in recordings}
    drawn = draw_windows(recordings, powers, SPEC, N_FRAMES, rng, 2 * len(recordings))
    for power in powers.values():
        assert sum(np.array_equal(window, picture(power, SPEC)) for window in drawn) == 2


def test_windows_of_a_long_recording_are_pieces_of_it_and_the_same_for_the_same_seed(workshop: Workshop) -> None:
    recording = workshop.manifest.recordings[0]
    power = np.random.default_rng(4).gamma(1.0, size=(SPEC.n_mels, N_FRAMES + 5)).astype(np.float32)
    pieces = [picture(power[:, start : start + N_FRAMES], SPEC) for start in range(6)]
    first, again = (
        draw_windows([recording], {recording.path: power}, SPEC, N_FRAMES, np.random.default_rng(1), 100)
        for _ in range(2)
    )
    assert np.array_equal(first, again)
    assert all(any(np.array_equal(window, piece) for piece in pieces) for window in first)
    assert all(any(np.array_equal(window, piece) for window in first) for piece in pieces)


# The contract


def test_the_device_opens_the_file_and_its_scores_are_those_of_the_parity_check(made: Made) -> None:
    classifier = Classifier(made.int8_path)
    parity = classifier.contract.parity
    found = classifier.scores(parity.window(classifier.contract.window_samples))
    assert found == pytest.approx(np.array(parity.scores), abs=1e-6)


def test_the_device_decides_as_the_float_network_wherever_that_is_sure(workshop: Workshop, made: Made) -> None:
    classifier, network = Classifier(made.int8_path), workshop.checkpoint.network()
    sounds = [read_samples(r.path, SPEC.sample_rate)[:WINDOW_SAMPLES] for r in workshop.manifest.recordings]
    floats = sigmoid(predict(network, [log_mel(sound, SPEC) for sound in sounds]))
    ints = np.stack([classifier.scores(sound) for sound in sounds])
    sure = np.abs(floats - 0.5) > 0.35
    assert sure.mean() > 0.5
    assert ((floats > 0.5) == (ints > 0.5))[sure].all()


def test_the_contract_says_where_the_network_comes_from(workshop: Workshop, made: Made) -> None:
    contract = Classifier(made.int8_path).contract
    figures = json.loads(workshop.evaluation.read_text(encoding="utf-8"))
    assert contract.mel_spec == SPEC
    assert contract.window_samples == WINDOW_SAMPLES
    assert tuple(label.label for label in contract.labels) == workshop.checkpoint.labels
    assert [x.taxon for x in contract.labels] == [workshop.manifest.taxa[x.label] for x in contract.labels]
    for label in contract.labels:
        found = figures["thresholds"][label.label]
        assert (label.threshold, label.precision) == (found["threshold"], found["precision"])
        assert label.calibration == Calibration(**figures["calibration"][label.label])
    provenance = contract.provenance
    assert provenance.training_data_sha256 == workshop.manifest.content_hash()
    assert provenance.licence == LICENCE
    assert set(provenance.attribution) == {r.source for r in workshop.manifest.recordings if r.label is not None}
    assert provenance.metrics["balanced_top1"] == figures["balanced_top1"]
    assert not {"thresholds", "calibration"} & set(provenance.metrics)
    assert {"torch", "onnx", "onnxruntime", "numpy", "dawnchorus"} <= set(provenance.versions)


def test_a_network_that_was_not_evaluated_has_thresholds_of_a_half(workshop: Workshop, made: Made) -> None:
    contract = contract_of("new", workshop.checkpoint, workshop.manifest, {}, made.int8_path)
    assert {label.threshold for label in contract.labels} == {0.5}
    assert {label.precision for label in contract.labels} == {None}
    assert {label.calibration for label in contract.labels} == {Calibration()}


def test_writing_a_contract_changes_nothing_else(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    shutil.copy(made.int8_path, path)
    contract = Classifier(path).contract
    write_contract(path, msgspec.structs.replace(contract, name="another"))
    assert Classifier(path).contract.name == "another"
    assert onnx.load(path).graph == onnx.load(made.int8_path).graph
    assert [entry.key for entry in onnx.load(path).metadata_props] == [KEY]


# Verification


def test_a_faithful_file_is_let_through_with_its_figures(workshop: Workshop, made: Made) -> None:
    figures = verify(workshop.checkpoint, made.float_path, made.int8_path, workshop.windows)
    assert figures.float_difference <= 1e-4
    assert figures.top1_agreement >= 0.97
    assert figures.decision_agreement >= 0.99
    assert 0 < figures.int8_difference < 1
    assert figures.windows == len(workshop.windows)


def with_bias(path: Path, out: Path, change: Callable[[Floats], Floats]) -> Path:
    """The float file with another bias in its last layer."""
    model = onnx.load(path)
    n_labels = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    bias = next(stored for stored in model.graph.initializer if list(stored.dims) == [n_labels])
    bias.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(bias)), bias.name))
    onnx.save(model, out)
    return out


def test_a_checkpoint_that_the_files_were_not_made_from_is_refused(workshop: Workshop, made: Made) -> None:
    torch.manual_seed(5)
    weights = {
        name: weight + 0.2 * torch.randn_like(weight) if name == "classifier.weight" else weight
        for name, weight in workshop.checkpoint.weights.items()
    }
    other = dataclasses.replace(workshop.checkpoint, weights=weights)
    with pytest.raises(ModelError, match="torch against ONNX") as refused:
        verify(other, made.float_path, made.int8_path, workshop.windows)
    assert str(made.int8_path) in str(refused.value)


def test_the_float_file_of_another_network_is_refused(workshop: Workshop, made: Made, tmp_path: Path) -> None:
    other = with_bias(made.float_path, tmp_path / "other.onnx", lambda bias: bias + np.float32(0.01))
    with pytest.raises(ModelError, match="torch against ONNX"):
        verify(workshop.checkpoint, other, made.int8_path, workshop.windows)


def test_an_int8_file_that_decides_otherwise_is_refused(workshop: Workshop, made: Made, tmp_path: Path) -> None:
    """The INT8 file of a network whose every score is turned round, with a contract that is true of it."""
    turned = with_bias(made.float_path, tmp_path / "turned.onnx", lambda bias: bias[::-1] + np.float32(8))
    path = tmp_path / "int8.onnx"
    write_int8(turned, path, workshop.calibration)
    write_contract(path, contract_of("turned", workshop.checkpoint, workshop.manifest, {}, path))
    with pytest.raises(ModelError, match="INT8 against float, decisions"):
        verify(workshop.checkpoint, made.float_path, path, workshop.windows)


def test_an_int8_file_whose_contract_is_not_true_of_it_is_refused(
    workshop: Workshop, made: Made, tmp_path: Path
) -> None:
    path = tmp_path / "int8.onnx"
    shutil.copy(made.int8_path, path)
    contract = Classifier(path).contract
    untrue = msgspec.structs.replace(contract.parity, scores=[1 - score for score in contract.parity.scores])
    write_contract(path, msgspec.structs.replace(contract, parity=untrue))
    with pytest.raises(ModelError, match="parity check failed"):
        verify(workshop.checkpoint, made.float_path, path, workshop.windows)


# The command


def test_the_command_writes_a_model_that_the_device_shows_and_its_card(workshop: Workshop, exported: Path) -> None:
    shown = dawnchorus("model", exported)
    assert shown.returncode == 0, shown.stderr
    assert "smoke-1" in shown.stdout
    assert LICENCE in shown.stdout
    contract = Classifier(exported).contract
    assert contract.provenance.metrics["int8_against_float"]["windows"] > 0
    assert tuple(label.label for label in contract.labels) == workshop.checkpoint.labels
    assert sorted(path.name for path in exported.parent.iterdir()) == ["smoke.md", "smoke.onnx"]
    assert exported.with_suffix(".md").read_text(encoding="utf-8") == card(contract)


def test_a_model_that_is_refused_is_not_written_over_a_good_one(
    workshop: Workshop, exported: Path, tmp_path: Path
) -> None:
    """A network that is never sure of anything: no decision of its INT8 file can be held against it."""
    weights = dict(workshop.checkpoint.weights)
    weights["classifier.bias"] = weights["classifier.bias"] - 50
    dataclasses.replace(workshop.checkpoint, weights=weights).save(tmp_path / "unsure.pt")
    before = {path: path.read_bytes() for path in exported.parent.iterdir()}
    with pytest.raises(ModelError, match="is refused: INT8 against float"):
        export(workshop, exported, tmp_path / "unsure.pt")
    assert {path: path.read_bytes() for path in exported.parent.iterdir()} == before


def test_a_file_that_cannot_be_read_is_one_sentence_of_the_installed_command(
    workshop: Workshop, tmp_path: Path
) -> None:
    words = (BIN / "dawnchorus-export", COMMAND, "--data", workshop.data, "--out", tmp_path / "new.onnx")
    told = sentence(run(*words, "--checkpoint", tmp_path / "[/nowhere].pt"), 1)
    assert str(tmp_path / "[/nowhere].pt") in told
    (tmp_path / "text.json").write_text("no figures\n", encoding="utf-8")
    evaluation = ("--evaluation", tmp_path / "text.json")
    told = sentence(run(*words, "--checkpoint", workshop.checkpoint_path, *evaluation), 1)
    assert str(tmp_path / "text.json") in told
    assert not (tmp_path / "new.onnx").exists()


def test_the_help_holds_an_example() -> None:
    result = CliRunner().invoke(cli.app, ["model", "--help"])
    assert result.exit_code == 0
    assert "Example: dawnchorus-export model" in result.stdout


# The card


def test_the_card_names_licence_species_thresholds_figures_and_sources(made: Made) -> None:
    contract = Classifier(made.int8_path).contract
    page = card(contract)
    assert LICENCE in page
    assert contract.provenance.training_data_sha256 in page
    figures = contract.provenance.metrics
    for label in contract.labels:
        row = next(line for line in page.splitlines() if line.startswith(f"| {label.scientific_name} |"))
        right, every = figures["correct_and_all_by_label"][label.label]
        assert label.common_name in row
        assert f"{label.threshold:.2f}" in row
        assert f"{right} of {every}" in row
    for name, of in (("balanced top-1 over the species", "balanced_top1"), ("AUROC over recordings", "auroc")):
        found = figures["ranking"][of]
        assert f"| {name} | {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f}) |" in page
    assert f"| method | {figures['method']} |" in page
    for source in contract.provenance.attribution:
        link = f"[{source}](https://xeno-canto.org/{source[2:]})"
        assert (link in page) == source.startswith("XC")
        assert source in page


def test_the_contract_of_a_made_model_fits_the_schema(made: Made) -> None:
    props = onnx.load(made.int8_path).metadata_props
    text = next(entry.value for entry in props if entry.key == KEY)
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))

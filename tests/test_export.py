"""From a checkpoint to a file that the device opens, and what is not let through."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from export.bars import bars_of, check
from export.choices import read_choices
from export.describe import LICENCE, contract_of, write_contract
from export.evaluation import Evaluation, read_evaluation
from export.graph import EMBEDDING, INPUT, LOGITS, OUTPUTS
from export.make import held_out_windows, make_int8
from export.quantize import HEAD, LAST, METHODS, STEM, nodes_of, prepare
from export.runtime import logits_of, open_session
from export.verify import measure
from export.windows import Judged
from monitor.classifier import STARTER, Classifier
from monitor.contract import KEY, Calibration, Contract, schema
from monitor.errors import ConfigError, ModelError
from monitor.features import Floats, log_mel
from training.checkpoint import Checkpoint, Schedule
from training.corpus.manifest import Manifest, read_manifest
from training.drawing.examples import Examples
from training.drawing.spectra import SPEC, WINDOW_SAMPLES, read_samples, read_spectra
from training.evaluation.hear import hear
from training.evaluation.heard import Playlist
from training.evaluation.judged import Judged as JudgedRecordings
from training.evaluation.report import report
from training.evaluation.scored import Listener
from training.evaluation.thresholds import Wanted
from training.train import predict, sigmoid, train

SIZE = "0.25"
N_WINDOWS = 24
"""that calibrate; a real model takes a thousand"""
CHOICES_FILE = Path(__file__).parents[1] / "docs" / "choices.csv"
N_FRAMES = SPEC.n_frames(WINDOW_SAMPLES)
SCHEDULE = Schedule(steps=80, batch=12, peak_rate=4e-3, average=0.9)


@dataclass(frozen=True)
class Workshop:
    """What an export begins with, as it lies on the disk and as it is read."""

    data: Path
    checkpoint_path: Path
    evaluation_path: Path
    manifest: Manifest
    checkpoint: Checkpoint

    @property
    def evaluation(self) -> Evaluation:
        """What is in the file."""
        return read_evaluation(self.evaluation_path, self.checkpoint.labels)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("workshop")
    data = write_data(folder / "data")
    manifest = read_manifest(data)
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    names = {label: manifest.taxa[label].scientific_name for label in manifest.labels}
    weights = train(Examples(manifest.recordings, spectra, names, SPEC, N_FRAMES), SIZE, SCHEDULE)
    data_hash = manifest.content_hash()
    checkpoint = Checkpoint(weights, manifest.labels, SIZE, SPEC, WINDOW_SAMPLES, data_hash, SCHEDULE, None)
    checkpoint.save(folder / "all.pt")
    rng = np.random.default_rng(0)
    network = checkpoint.network()
    listener = Listener(lambda windows: predict(network, windows), SPEC, WINDOW_SAMPLES)
    playlist = Playlist({label: manifest.taxa[label] for label in manifest.labels}, manifest.recordings)
    heard = hear(playlist, dict.fromkeys(manifest.folds, listener), "heard before", rng)
    figures = report(JudgedRecordings.of(heard, Wanted()), rng, draws=20)
    (folder / "evaluation.json").write_text(json.dumps(figures), encoding="utf-8")
    return Workshop(data, folder / "all.pt", folder / "evaluation.json", manifest, checkpoint)


@dataclass(frozen=True)
class Made:
    """A float file and an INT8 file with their contract, and the windows to judge them by."""

    float_path: Path
    int8_path: Path
    contract: Contract
    held_out: Judged


def call(command: str, *words: object) -> None:
    """Run a command in this process; what it refuses is raised."""
    cli.app([command, *map(str, words)], standalone_mode=False)


@pytest.fixture(scope="module")
def made(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    float_path, int8_path = folder / "float.onnx", folder / "int8.onnx"
    data = ("--data", workshop.data)
    settings = ("--evaluation", workshop.evaluation_path, "--name", "smoke-1")
    call("onnx", "--checkpoint", workshop.checkpoint_path, *settings, *data, "--out", float_path)
    call("quantize", float_path, *data, "--out", int8_path, "--windows", N_WINDOWS)
    network, contract = workshop.checkpoint.network(), Classifier(int8_path).contract
    held_out = held_out_windows(contract, workshop.manifest, lambda windows: predict(network, windows))
    return Made(float_path, int8_path, contract, held_out)


@pytest.fixture(scope="module")
def figures(made: Made) -> dict[str, float]:
    """What the gate measures of these files."""
    return measure(made.float_path, made.int8_path, made.held_out)


def export(workshop: Workshop, out: Path, checkpoint: Path | None = None) -> None:
    """All steps in a row, with fewer windows than it takes for a real model."""
    call(
        "model",
        *("--checkpoint", checkpoint or workshop.checkpoint_path),
        *("--evaluation", workshop.evaluation_path),
        *("--data", workshop.data),
        *("--out", out),
        *("--name", "smoke-1"),
        *("--windows", N_WINDOWS),
        *("--choices", CHOICES_FILE),
    )


@pytest.fixture(scope="module")
def exported(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command wrote."""
    out = tmp_path_factory.mktemp("exported") / "smoke.onnx"
    export(workshop, out)
    return out


# Float and INT8


def test_the_float_file_gives_torchs_scores_for_any_batch(workshop: Workshop, made: Made) -> None:
    pictures = made.held_out.pictures
    expected = sigmoid(predict(workshop.checkpoint.network(), pictures))
    for batch in (1, 5, len(pictures)):
        assert sigmoid(logits_of(made.float_path, pictures, batch)) == pytest.approx(expected, abs=1e-4)
    onnx.checker.check_model(made.float_path, full_check=True)


def test_both_files_take_any_batch_of_pictures_and_give_logits_and_an_embedding(made: Made) -> None:
    for path in (made.float_path, made.int8_path):
        graph = onnx.load(path).graph
        assert [taken.name for taken in graph.input] == [INPUT]
        assert [given.name for given in graph.output] == list(OUTPUTS)
        for value in (*graph.input, *graph.output):
            batch = value.type.tensor_type.shape.dim[0]
            assert batch.dim_param
            assert not batch.dim_value


def test_the_embedding_is_what_the_last_layer_sees(workshop: Workshop, made: Made) -> None:
    seen: list[torch.Tensor] = []
    network = workshop.checkpoint.network()
    network.classifier.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    windows = made.held_out.pictures[:4]
    predict(network, windows)
    floats, ints = (
        open_session(path).run([EMBEDDING], {INPUT: np.stack(windows)})[0] for path in (made.float_path, made.int8_path)
    )
    assert floats == pytest.approx(seen[0].numpy(), abs=1e-4)
    assert ints.shape == floats.shape
    assert np.corrcoef(ints.ravel(), floats.ravel())[0, 1] > 0.95


def test_no_batch_norm_is_left_and_convolutions_have_taken_it_over(workshop: Workshop, made: Made) -> None:
    """As many convolutions as the network has, each with a bias of its own, which the checkpoint's do not have."""
    layers = [layer for layer in workshop.checkpoint.network().modules() if isinstance(layer, torch.nn.Conv2d)]
    assert all(layer.bias is None for layer in layers)
    for path in (made.float_path, made.int8_path):
        nodes = onnx.load(path).graph.node
        assert "BatchNormalization" not in {node.op_type for node in nodes}
        convolutions = [node for node in nodes if node.op_type == "Conv"]
        assert len(convolutions) == len(layers)
        assert all(len(node.input) == 3 for node in convolutions)


def test_the_int8_file_keeps_its_weights_as_bytes_and_is_smaller(made: Made) -> None:
    assert made.int8_path.stat().st_size < 0.6 * made.float_path.stat().st_size
    stored = [numpy_helper.to_array(array) for array in onnx.load(made.int8_path).graph.initializer]
    size = {np.int8: 0, np.float32: 0}
    for array in stored:
        if array.dtype.type in size:
            size[array.dtype.type] += array.size
    assert size[np.int8] > 10 * size[np.float32]


def test_the_stem_stays_float_and_every_later_convolution_does_not(made: Made) -> None:
    """A quantized convolution takes its weights from bytes; the stem's are floats, as they were."""
    graph = onnx.load(made.int8_path).graph
    floats = {array.name for array in graph.initializer if array.data_type == onnx.TensorProto.FLOAT}
    kept = [node.input[1] in floats for node in graph.node if node.op_type == "Conv"]
    assert kept[:3] == [True] * 3
    assert not any(kept[3:])
    assert made.contract.provenance.metrics["quantization"]["kept_in_float"] == [STEM, LAST]


def test_what_the_file_gives_is_not_rounded_to_steps(made: Made) -> None:
    """Logits in steps would move by a whole one where another machine rounds an earlier sum otherwise."""
    graph = onnx.load(made.int8_path).graph
    given = {name: node.op_type for node in graph.node for name in node.output}
    assert "DequantizeLinear" not in {given[output.name] for output in graph.output}


def test_the_parts_that_may_stay_float_are_the_first_block_the_last_convolution_and_the_last_layer(
    made: Made, tmp_path: Path
) -> None:
    prepare(made.float_path, tmp_path / "prepared.onnx")
    nodes = onnx.load(tmp_path / "prepared.onnx").graph.node
    kinds = {node.name: node.op_type for node in nodes}
    found = {part: [kinds[name] for name in nodes_of(tmp_path / "prepared.onnx", part)] for part in (STEM, HEAD, LAST)}
    assert found == {STEM: ["Conv", "Clip", "Conv", "Clip", "Conv"], HEAD: ["Conv", "Clip"], LAST: ["Gemm"]}


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
    figures = json.loads(workshop.evaluation_path.read_text(encoding="utf-8"))
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


def test_a_network_that_was_not_evaluated_has_thresholds_of_a_half(workshop: Workshop) -> None:
    contract = contract_of("new", workshop.checkpoint, workshop.manifest, Evaluation())
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


def with_bias(path: Path, out: Path, change: Callable[[Floats], Floats]) -> Path:
    """The float file with another bias in its last layer."""
    model = onnx.load(path)
    n_labels = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    bias = next(stored for stored in model.graph.initializer if list(stored.dims) == [n_labels])
    bias.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(bias)), bias.name))
    onnx.save(model, out)
    return out


def refusal(float_path: Path, int8_path: Path, held_out: Judged) -> str:
    with pytest.raises(ModelError) as refused:
        check(int8_path, measure(float_path, int8_path, held_out), bars_of(SIZE))
    return str(refused.value)


def test_a_faithful_file_is_let_through_with_its_figures(made: Made, figures: dict[str, float]) -> None:
    check(made.int8_path, figures, bars_of(SIZE))
    assert set(figures) == {bar.figure for bar in bars_of(SIZE)}
    assert figures["float_difference"] <= 1e-4
    assert figures["average_precision"] > 0.9
    assert figures["average_precision_loss"] <= 0.005
    assert figures["repeat_difference"] == 0
    assert 0 < figures["score_error"] < figures["score_difference"] < 0.5
    assert figures["windows"] == len(made.held_out.pictures)
    assert figures["size_mb"] == made.int8_path.stat().st_size / 1e6


def test_files_of_another_network_than_the_checkpoint_are_refused(made: Made, tmp_path: Path) -> None:
    other = with_bias(made.float_path, tmp_path / "other.onnx", lambda bias: bias + np.float32(0.01))
    told = refusal(other, made.int8_path, made.held_out)
    assert told.startswith(f"{made.int8_path} is refused: torch against ONNX, largest difference of a score: 0.00")
    assert told.endswith("at most 0.0001")


def test_an_int8_file_that_decides_otherwise_is_refused(workshop: Workshop, made: Made, tmp_path: Path) -> None:
    """The INT8 file of a network whose every score is turned round, with a contract that is true of it."""
    turned = with_bias(made.float_path, tmp_path / "turned.onnx", lambda bias: bias[::-1] + np.float32([0, 30, 60]))
    path = tmp_path / "int8.onnx"
    make_int8(turned, path, made.contract, workshop.manifest, made.held_out, 8, METHODS[:1])
    told = refusal(made.float_path, path, made.held_out)
    assert "INT8 against float, decisions at the thresholds" in told
    assert "INT8 against float, top-1 agreement" in told
    assert "torch" not in told
    tried = Classifier(path).contract.provenance.metrics["quantization"]["score_error"]
    assert set(tried) == {"min-max, stem and last layer in float", "min-max, stem and last layer and head in float"}


def test_an_int8_file_whose_contract_is_not_true_of_it_is_refused(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    shutil.copy(made.int8_path, path)
    contract = Classifier(path).contract
    assert contract.parity is not None
    untrue = msgspec.structs.replace(contract.parity, scores=[1 - score for score in contract.parity.scores])
    write_contract(path, msgspec.structs.replace(contract, parity=untrue))
    with pytest.raises(ModelError, match="parity check failed"):
        measure(made.float_path, path, made.held_out)


# The commands


def test_the_command_writes_a_model_that_the_device_shows_and_its_cards(workshop: Workshop, exported: Path) -> None:
    shown = dawnchorus("model", exported)
    assert shown.returncode == 0, shown.stderr
    assert "smoke-1" in shown.stdout
    assert LICENCE in shown.stdout
    assert "negative_windows:" in shown.stdout
    assert "choices" not in shown.stdout  # tables are for the card
    contract = Classifier(exported).contract
    metrics = contract.provenance.metrics
    assert metrics["choices"] == read_choices(CHOICES_FILE)
    assert metrics["int8_against_float"]["windows"] > 0
    assert metrics["quantization"]["calibration_windows"] == N_WINDOWS
    error = metrics["quantization"]["score_error"]
    assert {name.split(",")[0] for name in error} == {method.name for method in METHODS}
    assert next(iter(error.values())) == min(error.values()) == metrics["int8_against_float"]["score_error"]
    assert 0 < metrics["int8_against_float"]["float_difference"] < 1e-4
    assert tuple(label.label for label in contract.labels) == workshop.checkpoint.labels
    assert sorted(path.name for path in exported.parent.iterdir()) == ["smoke.html", "smoke.md", "smoke.onnx"]


def test_the_single_commands_lead_to_the_same_network_as_all_in_a_row(made: Made, exported: Path) -> None:
    assert onnx.load(made.int8_path).graph == onnx.load(exported).graph
    contract = Classifier(exported).contract
    for path in (made.float_path, made.int8_path):
        assert Classifier(path).contract.labels == contract.labels
    at_once, by_steps = (
        msgspec.json.decode(msgspec.json.encode(Classifier(path).contract.provenance.metrics))
        for path in (exported, made.int8_path)
    )
    del at_once["int8_against_float"], at_once["choices"]
    errors = [metrics["quantization"].pop("score_error") for metrics in (at_once, by_steps)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)  # torch's scores round otherwise in another process
    assert by_steps == at_once


def test_verify_tells_each_figure_of_a_faithful_file(
    workshop: Workshop, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("verify", workshop.checkpoint_path, exported, "--data", workshop.data)
    shown = capsys.readouterr().out
    assert "MISSED" not in shown
    assert all(bar.says in shown for bar in bars_of(SIZE))


def test_verify_names_the_failing_line_and_exits_with_1(
    workshop: Workshop,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another network of the same make."""
    torch.manual_seed(5)
    weights = dict(workshop.checkpoint.weights)
    weights["classifier.weight"] = weights["classifier.weight"] + 0.2 * torch.randn_like(weights["classifier.weight"])
    other = tmp_path / "other.pt"
    dataclasses.replace(workshop.checkpoint, weights=weights).save(other)
    words = ("verify", other, exported, "--data", workshop.data)
    monkeypatch.setattr("sys.argv", ["dawnchorus-export", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    shown, told = capsys.readouterr()
    assert f"{exported} is refused: INT8 against float" in told
    assert "MISSED: INT8 against float" in shown
    assert "MISSED: torch" not in shown


def test_verify_refuses_a_file_of_other_labels_without_comparing(
    workshop: Workshop, exported: Path, tmp_path: Path
) -> None:
    labels = ("anas_platyrhynchos", *workshop.checkpoint.labels[1:])
    dataclasses.replace(workshop.checkpoint, labels=labels).save(tmp_path / "other.pt")
    with pytest.raises(ModelError, match=f"{exported} is of another network than the checkpoint: labels is"):
        call("verify", tmp_path / "other.pt", exported, "--data", workshop.data)


def test_a_model_that_is_refused_is_not_written_over_a_good_one(
    workshop: Workshop, exported: Path, tmp_path: Path
) -> None:
    """A network that is never sure of anything: no decision of its INT8 file can be held against it."""
    weights = dict(workshop.checkpoint.weights)
    weights["classifier.bias"] = weights["classifier.bias"] - 50
    dataclasses.replace(workshop.checkpoint, weights=weights).save(tmp_path / "unsure.pt")
    before = {path: path.read_bytes() for path in exported.parent.iterdir()}
    with pytest.raises(ModelError, match=r"is refused: INT8 against float, top-1 agreement: nan, at least 0\.99"):
        export(workshop, exported, tmp_path / "unsure.pt")
    assert {path: path.read_bytes() for path in exported.parent.iterdir()} == before


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that has room for a card, but not for a model."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    yield folder
    run("umount", folder)


def test_a_full_disk_is_told_and_the_old_model_stays(workshop: Workshop, made: Made, full_disk: Path) -> None:
    old = full_disk / "smoke.onnx"
    old.write_bytes(b"good")
    with pytest.raises(ConfigError, match=f"{old} cannot be written: No space left on device"):
        call("quantize", made.float_path, "--data", workshop.data, "--out", old, "--windows", 8)
    assert {path.name: path.read_bytes() for path in full_disk.iterdir()} == {"smoke.onnx": b"good"}


def test_a_folder_that_cannot_be_written_is_told(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{tmp_path / 'file'}/int8.md cannot be written: "):
        call("card", made.int8_path, "--out", tmp_path / "file")


def test_what_cannot_be_read_is_one_sentence_of_the_installed_command(workshop: Workshop, tmp_path: Path) -> None:
    words = (BIN / "dawnchorus-export", "model", "--data", workshop.data, "--out", tmp_path / "new.onnx")
    told = sentence(run(*words, "--checkpoint", tmp_path / "[/nowhere].pt"), 1)
    assert str(tmp_path / "[/nowhere].pt") in told
    assert not (tmp_path / "new.onnx").exists()


def test_a_truncated_checkpoint_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pt"
    cut.write_bytes(workshop.checkpoint_path.read_bytes()[:20_000])
    with pytest.raises(ModelError, match=f"{cut} (is not a checkpoint of this program|cannot be read)"):
        call("onnx", "--checkpoint", cut, "--data", workshop.data, "--out", tmp_path / "new.onnx")


def test_a_truncated_float_file_is_refused(workshop: Workshop, made: Made, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(made.float_path.read_bytes()[:20_000])
    with pytest.raises(ModelError, match=f"model {cut}: not an ONNX file that this runtime can run"):
        call("quantize", cut, "--data", workshop.data, "--out", tmp_path / "new.onnx")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda found: found["thresholds"].pop("parus_major"), "is of another network: its thresholds .*parus_major"),
        (lambda found: found["calibration"].update(dodo={}), "is of another network: its calibration .*dodo"),
        (lambda found: found["thresholds"]["parus_major"].update(threshold=2), "is not what .* writes: Expected"),
        (lambda found: found.update(thresholds=3), "is not what .* writes: Expected"),
    ],
)
def test_an_evaluation_of_another_network_is_refused(
    workshop: Workshop, tmp_path: Path, change: Callable[[dict[str, dict[str, object]]], object], named: str
) -> None:
    found = json.loads(workshop.evaluation_path.read_text(encoding="utf-8"))
    change(found)
    (tmp_path / "other.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ModelError, match=named):
        read_evaluation(tmp_path / "other.json", workshop.checkpoint.labels)


@pytest.mark.parametrize("text", [b"", b"no figures", b"[]", b'{"thresholds": {}', b"\xff"])
def test_an_evaluation_that_is_none_is_refused(workshop: Workshop, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "text.json").write_bytes(text)
    with pytest.raises(ModelError, match="is not what `dawnchorus-training evaluate` writes"):
        read_evaluation(tmp_path / "text.json", workshop.checkpoint.labels)


def test_a_contract_names_no_recordings_that_the_network_did_not_learn_from(workshop: Workshop) -> None:
    other = dataclasses.replace(workshop.checkpoint, data_hash="ab" * 32)
    with pytest.raises(ModelError, match="learned from other recordings: their hash is abababababab there"):
        contract_of("new", other, workshop.manifest, Evaluation())
    stranger = dataclasses.replace(workshop.checkpoint, labels=("dodo", *workshop.checkpoint.labels[1:]))
    with pytest.raises(ModelError, match="name no taxon for the network's dodo"):
        contract_of("new", stranger, workshop.manifest, Evaluation())


@pytest.mark.parametrize("command", ["model", "onnx", "quantize", "verify", "card"])
def test_every_help_holds_an_example(command: str) -> None:
    result = CliRunner().invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: dawnchorus-export {command}" in " ".join(result.stdout.split())


def test_the_contract_of_a_made_model_fits_the_schema(made: Made) -> None:
    props = onnx.load(made.int8_path).metadata_props
    text = next(entry.value for entry in props if entry.key == KEY)
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))


@pytest.mark.parametrize("path", sorted(STARTER.parent.glob("*.onnx")), ids=lambda path: path.name)
def test_every_bundled_model_passes_what_of_the_gate_needs_no_recordings(path: Path) -> None:
    """The device's own parity check, schema, size, outputs, no batch norm, the same scores once more."""
    device = Classifier(path)
    contract, model = device.contract, onnx.load(path)
    assert contract.parity is not None
    [text] = [entry.value for entry in model.metadata_props]
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    outputs = [value.name for value in model.graph.output]
    assert outputs[0] == LOGITS
    assert set(outputs) <= set(OUTPUTS)
    assert path.stat().st_size / 1e6 <= 1.5
    sound = contract.parity.window(contract.window_samples)
    window = log_mel(sound, contract.mel_spec)
    first, again = (logits_of(path, [window, window[..., ::-1]]) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first, logits_of(path, [window, window[..., ::-1]], batch=2))
    slopes, intercepts = np.array([(x.calibration.slope, x.calibration.intercept) for x in contract.labels]).T
    assert device.scores(sound) == pytest.approx(1 / (1 + np.exp(-(slopes * first[0] + intercepts))), abs=1e-5)
    gate = contract.provenance.metrics["int8_against_float"]
    for bar in bars_of(0.5):
        assert bar.figure not in gate or bar.met(gate[bar.figure]), bar.line(gate[bar.figure])

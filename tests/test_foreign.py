"""Other people's models: files with their signatures, through a YAML file beside them and the device's classifier."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from scipy.special import expit, logit, softmax
from standins import (
    BIRDNET_2,
    BIRDNET_3,
    PERCH,
    ROOK,
    TIT,
    expected,
    tone,
    weights,
    write_birdnet_2,
    write_birdnet_3,
    write_contract,
    write_network,
    write_perch,
    write_small,
)

from monitor.catalogue.entries import FOLDER
from monitor.classifier import STARTER, Classifier, levelled
from monitor.contract import VERSION, LogMel, Parity, Waveform, parity_samples
from monitor.errors import ModelError
from monitor.records import Samples, Window

RATE = 16_000
modest = settings(derandomize=True, deadline=None, max_examples=60)


def refusal(path: Path) -> str:
    """The sentence with which a model is refused."""
    with pytest.raises(ModelError) as refused:
        Classifier(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def noise(size: int) -> Samples:
    return np.random.default_rng(2).uniform(-0.3, 0.3, size).astype(np.float32)


def ready_made(model: Path) -> Classifier:
    """The stand-in with the contract that this program has for the real file."""
    shutil.copy(FOLDER / f"{model.stem}.yaml", model.with_suffix(".yaml"))
    return Classifier(model)


# The ready-made contracts, on files with the signatures of the real ones


def test_birdnet_2_gives_the_sigmoid_of_its_logits_for_the_waveform_as_it_is(tmp_path: Path) -> None:
    classifier = ready_made(write_birdnet_2(tmp_path))
    contract, window = classifier.contract, noise(144_000)
    scores = classifier.scores(window)
    assert (contract.sample_rate, contract.window_s, scores.shape) == (48_000, 3.0, (BIRDNET_2,))
    assert scores[0] == pytest.approx(expit(expected(window, weights({0: (1.0, 0.0, 6.0)}, 1))[0]), rel=1e-3)
    assert (scores[1:] < 1e-6).all()
    assert contract.labels[0].label == "Parus major_Majorbird"
    assert contract.labels[0].taxon.common_name == "Majorbird"
    assert {label.label for label in contract.labels if label.rank == "sound"} == {
        "Engine_Engine",
        "Human vocal_Human vocal",
    }


@pytest.mark.parametrize("embedding_first", [False, True])
def test_birdnet_3_gives_its_scores_and_its_embedding_in_whatever_order_they_come(
    embedding_first: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    classifier = ready_made(write_birdnet_3(tmp_path, embedding_first=embedding_first))
    window = Window(0, 160_000, noise(160_000))
    [(_, scores)] = classifier.score([window])
    [(same, embedding)] = classifier.embeddings([window])
    assert same is window
    assert scores.shape == (BIRDNET_3,)
    assert scores[0] == pytest.approx(expit(expected(window.samples, weights({0: (1.0, 0.0, 6.0)}, 1))[0]), rel=1e-3)
    assert embedding.shape == (1_280,)
    assert embedding == pytest.approx(np.full(1_280, 0.5))
    assert classifier.contract.labels[1].taxon.common_name == "Bird 1"


def test_perch_gives_the_softmax_of_its_logits_for_the_window_without_its_mean_and_at_its_peak(tmp_path: Path) -> None:
    classifier = ready_made(write_perch(tmp_path))
    window = np.float32(0.01) * noise(160_000) + np.float32(0.2)
    centred = window.astype(np.float64) - window.mean(dtype=np.float64)
    seen = (centred * 0.25 / np.abs(centred).max()).astype(np.float32)
    label = weights({0: (0.0, 1.0, 12.0)}, PERCH)
    assert classifier.scores(window) == pytest.approx(softmax(expected(seen, label)), rel=2e-3, abs=1e-9)
    [(_, embedding)] = classifier.embeddings([Window(0, 160_000, window)])
    assert embedding.shape == (1_536,)
    assert embedding[7] == pytest.approx(expected(seen, weights({0: (1.0, 0.0, 0.0)}, 1))[0], abs=1e-3)
    assert classifier.contract.labels[0].rank == "species"
    assert classifier.contract.labels[-1].rank == "sound"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_made_contract_is_named_as_its_file_and_says_where_it_comes_from(path: Path) -> None:
    terms = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert terms["name"] == path.stem
    assert terms["labels"]["file"].startswith(path.stem)
    assert {"model", "labels", "licence_text"} == terms["download"].keys()
    assert terms["licence"]
    assert terms["attribution"]


# What the network takes


@modest
@given(
    values=st.lists(st.floats(-2, 2, width=32) | st.sampled_from([np.nan, np.inf]), min_size=1, max_size=50),
    centred=st.booleans(),
    peak=st.none() | st.floats(0.01, 1),
)
def test_a_window_has_the_mean_and_the_peak_that_the_contract_wants(
    values: list[float],
    centred: bool,  # noqa: FBT001
    peak: float | None,
) -> None:
    found = levelled(np.array(values, np.float32), Waveform(centred, peak))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    if centred:
        assert float(found.mean(dtype=np.float64)) == pytest.approx(0, abs=2e-6)
    if peak is not None and np.ptp(found) > 1e-6:
        assert np.abs(found).max() == pytest.approx(peak, rel=1e-5)


def test_silence_stays_silence_and_a_window_is_not_changed() -> None:
    silence = np.zeros(100, np.float32)
    assert not levelled(silence, Waveform(centred=True, peak=0.25)).any()
    loud = np.full(100, 2.0, np.float32)
    levelled(loud, Waveform(centred=True, peak=0.25))
    assert (loud == 2).all()


def test_a_network_may_want_a_channel_between_batch_and_samples(tmp_path: Path) -> None:
    path = write_small(tmp_path / "channel.onnx")
    plain = Classifier(path).scores(tone(RATE, 1, 3_200))
    write_network(path, [1, 1, RATE], {"logits": weights({0: (1.0, 4.0, 10.0), 1: (1.0, -4.0, 4.0)}, 2)})
    assert Classifier(path).scores(tone(RATE, 1, 3_200)) == pytest.approx(plain, abs=1e-6)


def test_overlapping_windows_in_a_row_have_the_scores_that_each_has_alone(tmp_path: Path) -> None:
    classifier = Classifier(write_small(tmp_path / "small.onnx"))
    sound = noise(3 * RATE)
    row = [Window(start, start + RATE, sound[start : start + RATE]) for start in (0, 8_000, 16_000, 31_999)]
    found = list(classifier.score(row))
    assert [window for window, _ in found] == row
    for window, scores in found:
        assert (scores == classifier.scores(window.samples)).all()


def test_a_foreign_log_mel_model_has_every_constant_of_the_front_end_in_its_contract(tmp_path: Path) -> None:
    ours, contract = tmp_path / "mel.onnx", Classifier().contract
    model = onnx.load(STARTER)
    onnx.helper.set_model_props(model, {})
    onnx.save(model, ours)
    (tmp_path / "mel.labels.txt").write_text("\n".join(label.label for label in contract.labels), encoding="utf-8")
    takes = msgspec.to_builtins(contract.input)
    sizes = {"sample_rate": contract.sample_rate, "window_samples": contract.window_samples}
    foreign = Classifier(write_contract(ours, input=takes, **sizes))
    assert isinstance(foreign.contract.input, LogMel)
    sound = noise(contract.window_samples)
    slopes, intercepts = np.array([(x.calibration.slope, x.calibration.intercept) for x in contract.labels]).T
    logits = (logit(Classifier().scores(sound).astype(np.float64)) - intercepts) / slopes
    assert foreign.scores(sound) == pytest.approx(expit(logits), rel=1e-3)
    write_contract(ours, input={**takes, "n_mels": 64}, **sizes)
    assert "but its contract says float [batch, " in refusal(ours)
    write_contract(ours, input={**takes, "fmax_hz": 90_000.0}, **sizes)
    assert "fmin_hz < fmax_hz <= 12000" in refusal(ours)


# Labels and thresholds


def test_one_threshold_is_for_all_labels_but_those_that_are_named(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx", threshold=0.8, thresholds={"great tit": 0.3})
    assert [label.threshold for label in Classifier(path).contract.labels] == [0.3, 0.8]


def test_a_threshold_of_a_name_that_no_label_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    message = refusal(write_small(tmp_path / "small.onnx", thresholds={"Parus maior": 0.3}))
    assert "thresholds names 'Parus maior', which the model does not know: did you mean 'Parus major'?" in message
    assert "small.yaml" in message


TABLE = "code,scientific_name,english\n1,Parus major,Great Tit\n2,Corvus frugilegus,Rook\n"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (TABLE, {"scientific": "scientific_name", "common": "english"}),
        (TABLE.replace(",", ";"), {"separator": ";", "scientific": "scientific_name", "common": "english"}),
        ("Parus major\tGreat Tit\nCorvus frugilegus\tRook\n", {"separator": "\t", "scientific": 1, "common": 2}),
        (TABLE.replace("\n", "\r\n"), {"common": "english"}),
        ("\ufeff" + TABLE + "\n\n", {"common": "english"}),
    ],
)
def test_labels_are_read_from_tables_of_many_kinds(text: str, columns: dict[str, Any], tmp_path: Path) -> None:
    listed = {"file": "labels.csv", "format": "csv", **columns}
    path = write_small(tmp_path / "small.onnx", names=["a", "b"])
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    taxa = [label.taxon for label in Classifier(write_contract(path, labels=listed)).contract.labels]
    assert [(t.scientific_name, t.common_name) for t in taxa] == [
        ("Parus major", "Great Tit"),
        ("Corvus frugilegus", "Rook"),
    ]


def test_without_common_names_the_scientific_one_stands_for_them(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx", names=["Parus major", "Corvus frugilegus"])
    assert [label.taxon.common_name for label in Classifier(path).contract.labels] == [
        "Parus major",
        "Corvus frugilegus",
    ]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        (f"{TIT}\n", {}, "its contract names 1 labels"),
        (f"{TIT}\n{ROOK}\nCorvus corax_Raven\n", {}, "its contract names 3 labels"),
        (f"{TIT}\n\n{ROOK}\n", {}, "line 2 is empty"),
        (f"{TIT}\n{TIT}\n", {}, f"'{TIT}' is both label 1 and label 2"),
        ("", {}, "line 1 is empty|names 0 labels|at least one"),
        (
            TABLE,
            {"format": "csv", "scientific": "scientific"},
            "no column 'scientific'.*did you mean 'scientific_name'",
        ),
        (TABLE, {"format": "csv", "common": 9}, "line 2 has no name in column 'scientific_name', or too few columns"),
        ("code,scientific_name\n1\n", {"format": "csv"}, "line 2 has no name in column"),
    ],
)
def test_labels_that_do_not_fit_are_refused(text: str, columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    (tmp_path / "labels.txt").write_text(text, encoding="utf-8")
    message = refusal(write_contract(path, labels={"file": "labels.txt", **columns}))
    assert re.search(said, message), message


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    (tmp_path / "small.labels.txt").write_bytes(b"Parus major_Great Tit\n\xff")
    assert "small.labels.txt cannot be read" in refusal(path)
    (tmp_path / "small.labels.txt").unlink()
    assert "small.labels.txt cannot be read: No such file" in refusal(path)


# Outputs


TWO = weights({}, 2)


@pytest.mark.parametrize(
    ("outputs", "output", "said"),
    [
        ({"a": TWO, "b": TWO}, {}, "returns a of 2, b of 2, but its contract names 2 labels"),
        ({"a": weights({}, 3)}, {}, "returns a of 3, but its contract names 2 labels, so that one output of 2"),
        ({"a": TWO}, {"name": "b"}, "returns a of 2.*an output b of 2 is expected"),
        ({"a": TWO, "b": weights({}, 3)}, {"name": "b"}, "an output b of 2 is expected"),
        ({"logits": TWO}, {"embedding": "features"}, "says that the embedding is features"),
        ({"logits": TWO}, {"embedding": 7}, "says that the embedding is 7"),
        ({"logits": TWO}, {"kind": "scores", "activation": "none"}, "scores lie between -20 and -20: 0 to 1 expected"),
        ({"logits": TWO}, {"kind": "scores"}, "kind scores with activation sigmoid"),
        ({"logits": TWO}, {"activation": "none"}, "kind logits with activation none"),
        ({"logits": weights({0: (np.nan, 0, 0)}, 2)}, {}, "scores lie between nan"),
    ],
)
def test_outputs_that_are_not_what_the_contract_says_are_refused_with_what_there_is(
    outputs: dict[str, Any], output: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = write_small(tmp_path / "small.onnx", output=output)
    write_network(path, ["batch", RATE], outputs)
    message = refusal(path)
    assert re.search(said, message), message
    assert str(path) in message


def test_a_named_output_counts_although_another_has_as_many_values(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx", output={"name": "b"})
    write_network(path, ["batch", RATE], {"a": TWO, "b": weights({}, 2, rest=0.0)})
    assert Classifier(path).scores(noise(RATE)) == pytest.approx([0.5, 0.5])


def test_an_embedding_of_as_many_values_as_labels_does_not_stand_in_the_way_of_logits(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    write_network(path, ["batch", RATE], {"embedding": TWO, "logits": weights({}, 2, rest=0.0)})
    classifier = Classifier(path)
    assert classifier.scores(noise(RATE)) == pytest.approx([0.5, 0.5])
    [(_, embedding)] = classifier.embeddings([Window(0, RATE, noise(RATE))])
    assert embedding == pytest.approx([-20, -20])


def test_a_network_without_an_embedding_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives no embedding; its outputs are logits"):
        list(Classifier(write_small(tmp_path / "small.onnx")).embeddings([]))


# The file itself


def _opset(path: Path) -> None:
    model = onnx.load(path)
    model.opset_import[0].version = 99
    onnx.save(model, path)


def _format(path: Path) -> None:
    model = onnx.load(path)
    model.ir_version = 99
    onnx.save(model, path)


def _operator(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[0].op_type = "Listen"
    onnx.save(model, path)


def _domain(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Listen", "org.birds"
    model.opset_import.append(onnx.helper.make_opsetid("org.birds", 1))
    onnx.save(model, path)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _half_floats(path: Path) -> None:
    write_network(path, ["batch", RATE], {}, numbers=TensorProto.FLOAT16)


def _shorter(path: Path) -> None:
    write_network(path, ["batch", RATE // 2], {"logits": TWO})


def _pairs(path: Path) -> None:
    write_network(path, [2, RATE], {"logits": TWO})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_opset, r"it needs opset 99, known up to \d+ \(ONNX Runtime \d"),
        (_format, r"its format is 99, known up to \d+ \(ONNX Runtime \d"),
        (_operator, r"it lacks the operator Listen of opset 17 \(ONNX Runtime \d"),
        (_domain, r"it lacks the operator org.birds:Listen \(ONNX Runtime \d"),
        (_truncated, "not an ONNX file that this runtime can run"),
        (_half_floats, "float16|not an ONNX file"),
        (
            _shorter,
            r"takes float \['batch', 8000\], but its contract says float \[batch, 16000\] or .*\[batch, 1, 16000\]",
        ),
        (_pairs, "batches of 2"),
        (lambda path: path.unlink(), "no such file"),
    ],
)
def test_a_file_that_cannot_run_is_refused_with_the_reason(
    spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = write_small(tmp_path / "small.onnx")
    spoil(path)
    message = refusal(path)
    assert re.search(said, message), message
    assert str(path) in message


def test_a_parity_check_that_the_maker_gave_is_made(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    sound = parity_samples(tone(RATE, 0.1, 3_200))
    scores = [float(s) for s in Classifier(path).scores(Parity(sound, [], 0).window(RATE))]
    Classifier(write_contract(path, parity={"samples": sound, "scores": scores, "tolerance": 0.001}))
    write_contract(path, parity={"samples": sound, "scores": [0.0, 0.0], "tolerance": 0.001})
    assert "parity check failed" in refusal(path)
    write_contract(path, parity={"samples": sound, "scores": [0.0], "tolerance": 0.001})
    assert "2 labels but a parity check for 1" in refusal(path)


# The YAML file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": 3}, "unknown key 'window': did you mean 'window_samples'"),
        ({"input": {"kind": "waveform", "centered": True}}, "unknown key 'input.centered': did you mean 'centred'"),
        ({"input": {"kind": "wave"}}, "input.kind is 'wave': expected log_mel or waveform; did you mean 'waveform'"),
        ({"output": {"activation": "tanh"}}, "output.activation: .*sigmoid, softmax, none, got 'tanh'"),
        ({"input": {"kind": "waveform", "peak": 0}}, "input.peak: .*got 0"),
        ({"sample_rate": 0}, "sample_rate: .*got 0"),
        ({"licence": None}, "missing required field `licence`"),
        ({"threshold": 2}, "threshold: .*got 2"),
        ({"labels": {"file": "../labels.txt"}}, "labels.file: "),
        ({"version": VERSION + 1, "more": 1}, f"contract version {VERSION + 1}: this program reads version {VERSION}"),
    ],
)
def test_a_contract_that_says_what_is_not_allowed_is_refused_with_its_place(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    message = refusal(write_small(tmp_path / "small.onnx", **change))
    assert re.search(said, message), message
    assert "small.yaml" in message


@pytest.mark.parametrize("text", ["", "- a", "a: [", "version: 1", "just words", b"\xff", b"name: \x00"])
def test_a_contract_that_is_none_is_refused(text: str | bytes, tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    path.with_suffix(".yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "small.yaml" in refusal(path)


def test_a_file_that_says_nothing_of_itself_needs_a_contract_beside_it(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    path.with_suffix(".yaml").unlink()
    assert "carries no contract" in refusal(path)
    assert "there is no small.yaml beside it" in refusal(path)


def test_a_file_with_a_contract_of_its_own_wants_no_other_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "ours.onnx"
    shutil.copy(STARTER, path)
    write_contract(path)
    assert "carries a contract of its own" in refusal(path)

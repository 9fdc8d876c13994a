"""The bundled model and models made by hand, through the device's own classifier."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.special import expit
from synthetic import SONG_S, great_tit

from monitor.classifier import STARTER, Classifier
from monitor.contract import KEY
from monitor.errors import ModelError
from monitor.records import Samples, Window
from monitor.soundscape import song, soundscape


@pytest.fixture(scope="module")
def bundled() -> Classifier:
    return Classifier()


def contract_text() -> dict[str, Any]:
    """The bundled model's contract as plain values."""
    props = onnx.load(STARTER, load_external_data=False).metadata_props
    return dict(json.loads(next(entry.value for entry in props if entry.key == KEY)))


def constant_model(
    path: Path,
    logits: list[float],
    calibrations: list[dict[str, float]],
    *,
    batch: str | int = "batch",
    inputs: int = 1,
    only_pairs: bool = False,
) -> Path:
    """A model that returns the same logits for every window, with the contract that fits it."""
    text = contract_text()
    text["labels"] = [
        {**text["labels"][0], "label": f"label{index}", "calibration": calibration}
        for index, calibration in enumerate(calibrations)
    ]
    scores = [expit(c["slope"] * x + c["intercept"]) for c, x in zip(calibrations, logits, strict=True)]
    text["parity"]["scores"] = [float(score) for score in scores]
    n_frames = 1 + (text["window_samples"] - text["input"]["n_fft"]) // text["input"]["hop"]
    shape = [batch, len(text["input"]["channels"]), text["input"]["n_mels"], n_frames]
    cells = shape[1] * shape[2] * n_frames
    rows = 2 if only_pairs else -1
    constants = {
        "weights": np.zeros((cells, len(logits)), np.float32),
        "bias": np.array(logits, np.float32),
        "flat": np.array([rows, cells], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["window0", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    taken = [helper.make_tensor_value_info(f"window{index}", TensorProto.FLOAT, shape) for index in range(inputs)]
    given = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, len(logits)])]
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "constant", taken, given, stored),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {KEY: json.dumps(text)})
    onnx.save(model, path)
    return path


UNCALIBRATED = {"slope": 1.0, "intercept": 0.0}


# The bundled model


def test_the_bundled_model_scores_its_parity_sound_as_the_exporter_did(bundled: Classifier) -> None:
    contract = bundled.contract
    scores = bundled.scores(contract.parity.window(contract.window_samples))
    assert scores == pytest.approx(np.array(contract.parity.scores), abs=contract.parity.tolerance)
    assert max(contract.parity.scores) - min(contract.parity.scores) > contract.parity.tolerance


def test_scores_are_one_number_from_0_to_1_a_label(bundled: Classifier) -> None:
    scores = bundled.scores(song(bundled.contract.sample_rate, bundled.contract.window_s))
    assert scores.shape == (len(bundled.contract.labels),)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_same_window_has_the_same_scores_in_another_session(bundled: Classifier) -> None:
    window = song(bundled.contract.sample_rate, bundled.contract.window_s)
    first = bundled.scores(window)
    bundled.scores(np.zeros_like(window))
    assert np.array_equal(bundled.scores(window), first)
    assert np.array_equal(Classifier().scores(window), first)


def test_overlapping_windows_in_a_row_have_the_scores_that_each_has_alone(bundled: Classifier) -> None:
    rate, size = bundled.contract.sample_rate, bundled.contract.window_samples
    sound = soundscape(rate)[3 * rate : 9 * rate]
    starts = [0, rate, 2 * rate, 2 * rate + 7, len(sound) - size, 2 * rate]
    row = [Window(start, start + size, sound[start : start + size]) for start in starts]
    found = list(bundled.score(iter(row)))
    assert [window for window, _scores in found] == row
    assert bundled.contract.parity is not None
    for window, scores in found:  # the frames that they share are rounded otherwise, which INT8 may make a step of
        assert scores == pytest.approx(bundled.scores(window.samples), abs=bundled.contract.parity.tolerance)


def test_a_window_is_not_changed_by_scoring_it(bundled: Classifier) -> None:
    window = np.full(bundled.contract.window_samples, 2.0, np.float32)
    bundled.scores(window)
    assert (window == 2).all()


def _silence(size: int) -> Samples:
    return np.zeros(size, np.float32)


def _noise(size: int) -> Samples:
    return np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)


def _clipped(size: int) -> Samples:
    return np.where(np.arange(size) // 12 % 2, 1.0, -1.0).astype(np.float32)


def _click(size: int) -> Samples:
    samples = np.zeros(size, np.float32)
    samples[size // 2] = 1
    return samples


def _offset(size: int) -> Samples:
    return np.ones(size, np.float32)


def _broken(size: int) -> Samples:
    return np.resize(np.array([np.nan, np.inf, -np.inf, 1e30], np.float32), size)


@pytest.mark.parametrize("sound", [_silence, _noise, _clipped, _click, _offset, _broken])
def test_no_sound_gives_a_score_that_is_no_number(sound: Any, bundled: Classifier) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = bundled.scores(sound(bundled.contract.window_samples))
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("sound", [_silence, _noise])
def test_neither_silence_nor_noise_at_full_scale_is_a_bird(sound: Any, bundled: Classifier) -> None:  # noqa: ANN401
    scores = bundled.scores(sound(bundled.contract.window_samples))
    assert (scores < [label.threshold for label in bundled.contract.labels]).all()


def test_the_synthesised_song_is_a_great_tit(bundled: Classifier) -> None:
    start = round(SONG_S[0] * bundled.contract.sample_rate)
    scores = bundled.scores(great_tit(bundled.contract.sample_rate)[start:][: bundled.contract.window_samples])
    best = bundled.contract.labels[int(scores.argmax())]
    assert best.scientific_name == "Parus major"
    assert scores.max() >= best.threshold


# Models made by hand


def test_a_score_is_the_calibrated_sigmoid_of_its_logit(tmp_path: Path) -> None:
    logits = [-2.0, 0.0, 3.0, 7.5]
    calibrations = [
        {"slope": slope, "intercept": i} for slope, i in ((1.0, 0.0), (2.0, -1.0), (0.5, 0.25), (0.1, -3.0))
    ]
    classifier = Classifier(constant_model(tmp_path / "constant.onnx", logits, calibrations))
    expected = [expit(c["slope"] * x + c["intercept"]) for c, x in zip(calibrations, logits, strict=True)]
    assert classifier.scores(_noise(classifier.contract.window_samples)) == pytest.approx(expected, abs=1e-6)


def test_logits_beyond_every_bound_are_scores_of_0_and_1_without_a_warning(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "sure.onnx", [-1e4, 1e4, -90.0], [UNCALIBRATED] * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = Classifier(path)
        scores = classifier.scores(np.zeros(classifier.contract.window_samples, np.float32))
    assert scores == pytest.approx([0.0, 1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"batch": 4}, "batches of 4"),
        ({"inputs": 2}, "2 inputs"),
        ({"only_pairs": True}, "[ONNXRuntimeError]"),
    ],
)
def test_a_model_that_cannot_take_one_window_is_refused(others: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = constant_model(tmp_path / "many.onnx", [0.0], [UNCALIBRATED], **others)
    with pytest.raises(ModelError) as refused:
        Classifier(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_model_whose_logits_are_no_numbers_is_refused(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "nan.onnx", [0.0], [UNCALIBRATED])
    model = onnx.load(path)
    bias = next(stored for stored in model.graph.initializer if stored.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan], np.float32), "bias"))
    onnx.save(model, path)
    with pytest.raises(ModelError, match="parity check failed"):
        Classifier(path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_model_is_refused_wherever_it_ends(share: float, tmp_path: Path) -> None:
    content = STARTER.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        Classifier(tmp_path / "cut.onnx")


def test_other_weights_under_the_same_contract_fail_the_parity_check(tmp_path: Path) -> None:
    model = onnx.load(STARTER)
    largest = max(model.graph.initializer, key=lambda stored: int(np.prod(stored.dims)))
    array = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array[::-1]), largest.name))
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="parity check failed"):
        Classifier(tmp_path / "other.onnx")

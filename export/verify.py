"""A gate, not a report: a file that misses any bar is refused, and nothing is written over a good one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from export.graph import INPUT
from monitor.classifier import Classifier
from monitor.errors import ModelError
from monitor.features import Floats
from training.checkpoint import Checkpoint
from training.evaluation.calibration import confidences
from training.train import predict, sigmoid

FLOAT_DIFFERENCE = 1e-4
TOP1_AGREEMENT = 0.97
DECISION_AGREEMENT = 0.99
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """How far the files differ on the same windows."""

    float_difference: float
    """largest difference of a score, torch against float ONNX"""
    top1_agreement: float
    """share of windows with some score of at least 0.5 whose highest label INT8 keeps; 0 where none has"""
    decision_agreement: float
    """share of (window, label) decisions at the contract's calibration and thresholds that INT8 keeps"""
    int8_difference: float
    """largest difference of a score, INT8 against float"""
    windows: int


def verify(checkpoint: Checkpoint, float_path: Path, int8_path: Path, windows: Sequence[Floats]) -> Figures:
    """Compare on windows that were not used to calibrate. Raises ModelError, naming the bar that was missed.

    The INT8 file is also opened by `monitor.classifier`, the device's own path, which checks its parity.
    """
    labels = Classifier(int8_path).contract.labels
    logits = [run(path, windows) for path in (float_path, int8_path)]
    expected, (floats, ints) = sigmoid(predict(checkpoint.network(), windows)), map(sigmoid, logits)
    thresholds, calibrations = [label.threshold for label in labels], [label.calibration for label in labels]
    float_decisions, int_decisions = (confidences(one, calibrations) >= thresholds for one in logits)
    clear = floats.max(axis=1) >= HALF
    figures = Figures(
        float_difference=float(np.abs(expected - floats).max()),
        top1_agreement=float((floats.argmax(axis=1) == ints.argmax(axis=1))[clear].mean()) if clear.any() else 0.0,
        decision_agreement=float((float_decisions == int_decisions).mean()),
        int8_difference=float(np.abs(floats - ints).max()),
        windows=len(windows),
    )
    bars = [
        ("torch against ONNX, largest difference", figures.float_difference <= FLOAT_DIFFERENCE, FLOAT_DIFFERENCE),
        ("INT8 against float, top-1 agreement", figures.top1_agreement >= TOP1_AGREEMENT, TOP1_AGREEMENT),
        ("INT8 against float, decisions", figures.decision_agreement >= DECISION_AGREEMENT, DECISION_AGREEMENT),
    ]
    if missed := [f"{name} misses {bar}" for name, met, bar in bars if not met]:
        msg = f"{int8_path} is refused: {'; '.join(missed)}; measured {figures}"
        raise ModelError(msg)
    return figures


def run(path: Path, windows: Sequence[Floats]) -> Floats:
    """Logits (n, n_labels) of windows (n_channels, n_mels, n_frames), one at a time as on the device."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {INPUT: window[None]})[0] for window in windows])

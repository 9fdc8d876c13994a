"""How far INT8 is from float on windows that did not calibrate it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.windows import Judged
from monitor.contract import Label
from monitor.features import Floats
from training.evaluation.calibration import confidences
from training.evaluation.claims import Truths
from training.evaluation.metrics import average_precisions, class_mean
from training.train import sigmoid

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """Scores are not calibrated; decisions are those of the contract's calibration and thresholds."""

    windows: int
    average_precision: float
    """class mean over the windows of which it is known what they hold, of the float network; NaN: of none"""
    average_precision_loss: float
    """by how much that of INT8 is lower"""
    top1_agreement: float
    """share of the windows with some score of at least 0.5 whose highest label INT8 keeps; NaN: there is none"""
    decision_agreement: float
    """share of (window, label) decisions that INT8 keeps"""
    reports_kept: float
    """share of the positive ones alone; NaN: there is none"""
    score_error: float
    """root mean square difference of a score: what the ways to quantize are chosen by"""
    score_difference: float
    """largest difference of a score"""


def agreement(judged: Judged, logits: Floats, labels: Sequence[Label]) -> Agreement:
    """Compare `logits` (n, n_labels), of INT8, with those of the float network on the same windows."""
    floats, ints = sigmoid(judged.logits), sigmoid(logits)
    thresholds, calibrations = [one.threshold for one in labels], [one.calibration for one in labels]
    before, after = (confidences(one, calibrations) >= thresholds for one in (judged.logits, logits))
    clear = floats.max(axis=1) >= HALF
    precision = class_mean_precision(judged.truth, judged.logits)
    return Agreement(
        windows=len(floats),
        average_precision=precision,
        average_precision_loss=precision - class_mean_precision(judged.truth, logits),
        top1_agreement=_share((floats.argmax(axis=1) == ints.argmax(axis=1))[clear]),
        decision_agreement=_share(before == after),
        reports_kept=_share(after[before]),
        score_error=float(np.sqrt(np.square(floats - ints).mean())),
        score_difference=float(np.abs(floats - ints).max()),
    )


def class_mean_precision(truth: Truths, logits: Floats) -> float:
    """Mean over the labels of average precision, (n, n_labels) each. What is UNKNOWN does not count."""
    return float(class_mean(average_precisions, truth, logits, np.ones((1, len(logits))))[0])


def _share(hits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    return float(hits.mean()) if hits.size else float("nan")

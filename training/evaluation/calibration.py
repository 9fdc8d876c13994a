"""Logit -> confidence: Platt scaling (1999) of each label, drawn towards the one that fits all labels together.

What is calibrated is the claim that the device makes: the confidence of a detection is that of its highest window.
So a claim is a recording, a label and the highest logit of its windows; it is true where the label is in there. A
label of six recordings cannot say where its own curve lies: its curve is the most probable one where curves scatter
around the common one by as much as the constants below say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from monitor.contract import Calibration
from monitor.features import Floats
from training.evaluation.claims import UNKNOWN, Truths
from training.evaluation.intervals import Reals


@dataclass(frozen=True, slots=True)
class Curve:
    """Confidence = sigmoid(slope * (logit - midpoint)), and by how much labels differ in it."""

    midpoint: float
    log_slope: float
    midpoint_spread: float
    """standard deviation, in logits"""
    log_slope_spread: float
    """standard deviation, of the natural logarithm"""

    @property
    def calibration(self) -> Calibration:
        """As the contract says it."""
        slope = float(np.exp(self.log_slope))
        return Calibration(slope=slope, intercept=-slope * self.midpoint)


ANY = Curve(midpoint=0.0, log_slope=0.0, midpoint_spread=3.0, log_slope_spread=1.0)
"""before anything was heard: the network's own scores, give or take much"""
LABEL_MIDPOINT_SPREAD = 1.0
LABEL_LOG_SLOPE_SPREAD = 0.35


def fit(logits: Floats, truth: Truths) -> tuple[Calibration, ...]:
    """A calibration for each label from claims, (n, n_labels) each."""
    known = truth != UNKNOWN
    pooled = most_probable(logits[known], platt_targets(truth[known] == 1), ANY)
    around = Curve(pooled.midpoint, pooled.log_slope, LABEL_MIDPOINT_SPREAD, LABEL_LOG_SLOPE_SPREAD)
    columns = zip(logits.T, truth.T, known.T, strict=True)
    return tuple(most_probable(x[k], (t[k] == 1).astype(np.float64), around).calibration for x, t, k in columns)


def platt_targets(truth: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Reals:
    """1 and 0, each as far from certainty as the number of its claims leaves open (Platt 1999, section 2.2)."""
    n_true = int(truth.sum())
    return np.where(truth, (n_true + 1) / (n_true + 2), 1 / (len(truth) - n_true + 2))


def most_probable(logits: Floats, targets: Reals, prior: Curve) -> Curve:
    """The curve that targets in [0, 1] and a prior make most probable; both (n,)."""
    x = logits.astype(np.float64)

    def loss(at: Reals) -> tuple[float, Reals]:
        z = np.exp(at[1]) * (x - at[0])
        errors = expit(z) - targets
        off = (at - centre) / spread
        value = np.logaddexp(0, z).sum() - (targets * z).sum() + np.square(off).sum() / 2
        slopes = np.array([-np.exp(at[1]) * errors.sum(), (errors * z).sum()])
        return float(value), slopes + off / spread

    centre = np.array([prior.midpoint, prior.log_slope])
    spread = np.array([prior.midpoint_spread, prior.log_slope_spread])
    midpoint, log_slope = minimize(loss, centre, jac=True, method="L-BFGS-B").x
    return Curve(float(midpoint), float(log_slope), prior.midpoint_spread, prior.log_slope_spread)


def confidences(logits: Floats, calibrations: Sequence[Calibration]) -> Floats:
    """Logits (..., n_labels) -> confidences in [0, 1], as the device computes them."""
    slopes = np.array([one.slope for one in calibrations])
    intercepts = np.array([one.intercept for one in calibrations])
    return expit(logits * slopes + intercepts).astype(np.float32)

"""Whether a confidence of 0.8 is right in eight cases of ten, before and after calibration.

Over all claims the error is always small, as most labels are plainly not in a recording. So the error that counts is
that of the highest claim of each recording, negatives and other birds among them. Beside it stand all claims, and the
windows of the boxed recordings, which no calibration was fitted to as windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.features import Floats
from training.evaluation.bins import boxed, window_truths
from training.evaluation.claims import UNKNOWN
from training.evaluation.events import confidences_of
from training.evaluation.intervals import estimate, numbered, session_weights
from training.evaluation.judged import Judged
from training.evaluation.metrics import BINS, Bools, calibration_errors, mass_bins, width_bins
from training.train import sigmoid

DIGITS = 4
"""of a curve, behind the point"""


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Confidences and whether they were right, (n,) each, with the session of each."""

    before: Floats
    """the network's own scores"""
    after: Floats
    """calibrated on other folds"""
    truth_before: Bools
    truth_after: Bools
    """another one than before where another label became the highest"""
    session: npt.NDArray[np.int64]


class Curve(msgspec.Struct, frozen=True):
    """Bins of equal mass, those of least confidence first; one value for each bin that holds any statement."""

    confidence: list[float]
    """mean"""
    share: list[float]
    """that is right"""
    claims: list[int]
    """so many"""


def errors(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """ECE before and after, in bins of equal mass and of equal width, of three kinds of statement and by label.

    Of the three kinds also the curves that the errors are read from.
    """
    kinds = {"highest_claims": highest_claims(judged), "all_claims": all_claims(judged), "windows": windows(judged)}
    found: dict[str, object] = {
        name: {**_errors(some, rng, draws), "curves": _curves(some)} for name, some in kinds.items()
    }
    by_label = {label: _errors(label_claims(judged, i), rng, draws) for i, label in enumerate(judged.labels)}
    return {**found, "by_label": by_label}


def highest_claims(judged: Judged) -> Statements:
    """The most confident label of each recording. One where that is UNKNOWN is left out."""
    claims = judged.everything
    scores = (sigmoid(claims.logits), judged.confidences(claims))
    rows = np.arange(len(claims.label))
    truths = [claims.truth[rows, some.argmax(axis=1)] for some in scores]
    known = (truths[0] != UNKNOWN) & (truths[1] != UNKNOWN)
    before, after = (some.max(axis=1)[known] for some in scores)
    return Statements(before, after, truths[0][known] == 1, truths[1][known] == 1, claims.session[known])


def all_claims(judged: Judged) -> Statements:
    """Every recording and label of which the truth is known."""
    claims = judged.everything
    known = claims.truth != UNKNOWN
    sessions = np.broadcast_to(claims.session[:, None], known.shape)[known]
    truth = claims.truth[known] == 1
    return Statements(sigmoid(claims.logits)[known], judged.confidences(claims)[known], truth, truth, sessions)


def label_claims(judged: Judged, index: int) -> Statements:
    """Every recording of which it is known whether it holds a label."""
    claims = judged.everything
    known = claims.truth[:, index] != UNKNOWN
    before, after = (some[known, index] for some in (sigmoid(claims.logits), judged.confidences(claims)))
    truth = claims.truth[known, index] == 1
    return Statements(before, after, truth, truth, claims.session[known])


def windows(judged: Judged) -> Statements:
    """Every window of the boxed recordings and label: true where boxes cover at least 0.1 s of it."""
    heard = judged.heard
    scored = boxed(heard.recordings)
    none = np.zeros(0, np.float32)
    before = np.concatenate([none, *(one.scores.ravel() for one in scored)])
    after = np.concatenate([none, *(confidences_of(one, judged.labels_of(one)).ravel() for one in scored)])
    truth = np.concatenate([none, *(window_truths(one, heard.taxa, heard.window_s).ravel() for one in scored)]) > 0
    sizes = np.array([one.logits.size for one in scored], np.int64)
    return Statements(
        before, after, truth, truth, np.repeat(numbered([one.recording.session for one in scored]), sizes)
    )


def _errors(some: Statements, rng: np.random.Generator, draws: int) -> Mapping[str, object]:
    weights = session_weights(some.session, rng, draws)
    pairs = {"before": (some.before, some.truth_before), "after": (some.after, some.truth_after)}
    found: dict[str, object] = {"claims": len(some.before)}
    for name, (scores, truth) in pairs.items():
        for kind, bins in (("", mass_bins(scores)), ("_equal_width", width_bins(scores))):
            found[name + kind] = estimate(partial(calibration_errors, scores, truth, bins), weights)
    return found


def _curves(some: Statements) -> dict[str, Curve]:
    return {"before": curve(some.before, some.truth_before), "after": curve(some.after, some.truth_after)}


def curve(scores: Floats, truth: Bools) -> Curve:
    """Whether confidence is right, bin by bin; scores and truth (n,)."""
    bins = mass_bins(scores)
    counts = np.bincount(bins, minlength=BINS)
    some = counts > 0
    confidence, share = (np.bincount(bins, values, BINS)[some] / counts[some] for values in (scores, truth))
    return Curve(confidence.round(DIGITS).tolist(), share.round(DIGITS).tolist(), counts[some].tolist())

"""Measures of scores against truths, by the names and definitions of BirdSet (Rauch et al. 2024, arXiv:2403.10380).

cmAP is the mean over the labels of average precision, AUROC the mean over the labels of the area under the ROC curve,
T1 the share of recordings whose highest-scored label is in there. A label that is nowhere is left out of a mean. All
take weights (draws, n) as `intervals` draws them and return one value a draw.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from monitor.features import Floats
from training.evaluation.claims import UNKNOWN, Claims, Truths
from training.evaluation.intervals import Reals, ratio

BINS = 15
"""of the calibration error, as Guo et al. (2017, arXiv:1706.04599) count it"""
Bools = npt.NDArray[np.bool_]
ByLabel = Callable[[Bools, Floats, Reals], Reals]
"""truth (n,), scores (n,), weights (draws, n) -> (draws,)"""


def average_precisions(relevant: Bools, scores: Floats, weights: Reals) -> Reals:
    """Area under the precision-recall steps: the mean precision at each relevant item, best score first."""
    order = np.argsort(-scores, kind="stable")
    drawn = weights[:, order]
    hits = drawn * relevant[order]
    precision = np.cumsum(hits, axis=1) / np.maximum(np.cumsum(drawn, axis=1), 1)
    return ratio((hits * precision).sum(axis=1), hits.sum(axis=1))


def average_precision(relevant: Bools, scores: Floats) -> float:
    """The same over every item once. At least one must be relevant."""
    return float(average_precisions(relevant, scores, np.ones((1, len(scores))))[0])


def aurocs(relevant: Bools, scores: Floats, weights: Reals) -> Reals:
    """Chance that a relevant item scores above another one; equal scores count half (Mann and Whitney 1947)."""
    order = np.argsort(scores, kind="stable")
    groups = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) > 0]))
    hits = np.add.reduceat(weights[:, order] * relevant[order], groups, axis=1)
    misses = np.add.reduceat(weights[:, order] * ~relevant[order], groups, axis=1)
    below = np.cumsum(misses, axis=1) - misses / 2
    return ratio((hits * below).sum(axis=1), hits.sum(axis=1) * misses.sum(axis=1))


def class_mean(measure: ByLabel, truth: Truths, scores: Floats, weights: Reals) -> Reals:
    """Mean of a measure over the labels, (n, n_labels) each; what is UNKNOWN counts for no label."""
    columns = [
        measure(truth[:, index] == 1, scores[:, index], weights * (truth[:, index] != UNKNOWN))
        for index in range(truth.shape[1])
    ]
    return mean_of_known(np.stack(columns))


def mean_of_known(values: Reals) -> Reals:
    """Mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def shares(hits: Bools, weights: Reals) -> Reals:
    """Weighted share of hits, (n,)."""
    return ratio((weights * hits).sum(axis=1), weights.sum(axis=1))


def top1(claims: Claims) -> Bools:
    """For each recording whether its highest-scored label is in there, (n,)."""
    return np.take_along_axis(claims.truth, claims.logits.argmax(axis=1)[:, None], axis=1)[:, 0] == 1


def balanced_top1(claims: Claims, weights: Reals) -> Reals:
    """Mean over the labels of the share of their recordings that was named right."""
    return balanced_shares(claims.logits.argmax(axis=1) == claims.label, claims.label, weights)


def balanced_shares(hits: Bools, label: npt.NDArray[np.int64], weights: Reals) -> Reals:
    """Mean over the labels of their share of hits; hits and label (n,)."""
    return mean_of_known(np.stack([shares(hits[label == one], weights[:, label == one]) for one in np.unique(label)]))


def mass_bins(confidences: Floats) -> npt.NDArray[np.int64]:
    """The bin of each confidence, (n,), where all bins hold equally many."""
    ranks = np.empty(len(confidences), np.int64)
    ranks[np.argsort(confidences, kind="stable")] = np.arange(len(confidences))
    return ranks * BINS // max(1, len(confidences))


def width_bins(confidences: Floats) -> npt.NDArray[np.int64]:
    """The bin of each confidence, (n,), where all bins are equally wide."""
    return np.clip((confidences * BINS).astype(np.int64), 0, BINS - 1)


def calibration_errors(confidences: Floats, truth: Bools, bins: npt.NDArray[np.int64], weights: Reals) -> Reals:
    """Mean over the claims of the distance between confidence and the share that is true in the claim's bin (ECE)."""
    distance = weights * (confidences.astype(np.float64) - truth)
    return ratio(np.abs(distance @ np.eye(BINS)[bins]).sum(axis=1), weights.sum(axis=1))

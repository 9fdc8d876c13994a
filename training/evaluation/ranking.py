"""How well recordings, seconds and mixed calls are ranked: no threshold, and no calibration across labels."""

import numpy as np

from training.evaluation.bins import bin_sessions, second_bins
from training.evaluation.claims import UNKNOWN, Claims
from training.evaluation.intervals import Estimate, Reals, estimate, session_weights
from training.evaluation.judged import Judged
from training.evaluation.metrics import aurocs, average_precisions, balanced_top1, class_mean, shares, top1


def ranking(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """cmAP, AUROC, T1, balanced T1 and each label's average precision, over the recordings aimed at a label."""
    claims = judged.claims.where(judged.birds)
    weights = session_weights(claims.session, rng, draws)
    named = top1(claims)
    return {
        "cmap": estimate(lambda w: class_mean(average_precisions, claims.truth, claims.logits, w), weights),
        "auroc": estimate(lambda w: class_mean(aurocs, claims.truth, claims.logits, w), weights),
        "top1": estimate(lambda w: shares(named, w), weights),
        "balanced_top1": estimate(lambda w: balanced_top1(claims, w), weights),
        "second_bin_cmap": second_bin_cmap(judged, rng, draws),
        "average_precision_by_label": {
            label: _average_precision(claims, index, weights) for index, label in enumerate(judged.labels)
        },
    }


def _average_precision(claims: Claims, index: int, weights: Reals) -> Estimate:
    truth, logits = claims.truth[:, index], claims.logits[:, index]
    return estimate(lambda w: average_precisions(truth == 1, logits, w * (truth != UNKNOWN)), weights)


def second_bin_cmap(judged: Judged, rng: np.random.Generator, draws: int) -> Estimate:
    """Class-mean average precision over the one-second bins of the boxed recordings."""
    heard = judged.heard
    relevant, ranked = second_bins(heard.recordings, heard.taxa, heard.window_s)
    weights = session_weights(bin_sessions(heard.recordings, heard.window_s), rng, draws)
    return estimate(lambda w: class_mean(average_precisions, relevant.astype(np.int8), ranked, w), weights)

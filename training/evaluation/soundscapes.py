"""From focal recordings to soundscapes: recall and cmAP of held-out calls by the noise they lie in."""

from dataclasses import replace
from functools import partial

import numpy as np

from training.evaluation.claims import Claims
from training.evaluation.intervals import Reals, estimate, session_weights
from training.evaluation.judged import Judged
from training.evaluation.metrics import average_precisions, class_mean, shares
from training.evaluation.mixing import SNR_DB, Mixed


def soundscape(judged: Judged, mixed: Mixed, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """For each level, from the call alone down, recall at the thresholds and cmAP over the mixed windows.

    The recording's label is in its window, no other one is known to be.
    """
    rows = np.array(mixed.rows, np.int64)
    label = judged.claims.label[rows]
    truth = (label[:, None] == np.arange(len(judged.labels))).astype(np.int8)
    calls = Claims(mixed.logits[0], truth, label, judged.claims.fold[rows], judged.claims.session[rows])
    weights = session_weights(calls.session, rng, draws)
    levels = [replace(calls, logits=logits) for logits in mixed.logits]
    hits = [judged.reported(claims)[np.arange(len(rows)), label] for claims in levels]
    return {
        "snr_db": [None, *SNR_DB],
        "calls": len(rows),
        "recall": [estimate(partial(shares, own), weights) for own in hits],
        "cmap": [estimate(partial(_cmap, claims), weights) for claims in levels],
    }


def _cmap(claims: Claims, weights: Reals) -> Reals:
    return class_mean(average_precisions, claims.truth, claims.logits, weights)

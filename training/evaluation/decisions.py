"""What is reported and what is missed: by recording, of other birds, and by the hour."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from training.evaluation.claims import UNKNOWN, Claims, Truths, claims_of
from training.evaluation.events import hours
from training.evaluation.intervals import NOT_MEASURED, Reals, estimate, rate, ratio, session_weights, share
from training.evaluation.judged import Judged
from training.evaluation.metrics import Bools, aurocs, balanced_shares, shares
from training.evaluation.scored import Scored

NOTHING = "nothing"
NO_BIRD = "none of these"
STRANGER = "another bird"


def recall_and_precision(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """Over recordings, the negatives among them: pooled, balanced over the labels, and for each label."""
    claims = judged.claims
    hits, truth = judged.reported(claims), claims.truth
    weights = session_weights(claims.session, rng, draws)
    own = hits[np.arange(len(hits)), claims.label] & judged.birds
    return {
        "recall": estimate(lambda w: shares(own, w * judged.birds), weights),
        "balanced_recall": estimate(
            lambda w: balanced_shares(own[judged.birds], claims.label[judged.birds], w[:, judged.birds]), weights
        ),
        "precision": estimate(lambda w: precisions(hits, truth, w), weights),
        "by_label": {
            label: {
                "recall": estimate(partial(_recall, hits[:, index], truth[:, index]), weights),
                "precision": estimate(partial(precisions, hits[:, [index]], truth[:, [index]]), weights),
            }
            for index, label in enumerate(judged.labels)
        },
    }


def _recall(hits: Bools, truth: npt.NDArray[np.int8], weights: Reals) -> Reals:
    return shares(hits, weights * (truth == 1))


def precisions(hits: Bools, truth: Truths, weights: Reals) -> Reals:
    """Share of what is reported that is true, pooled over the labels; what is UNKNOWN does not count."""
    right, known = (hits & (truth == 1)).sum(axis=1), (hits & (truth != UNKNOWN)).sum(axis=1)
    return ratio(weights @ right, weights @ known)


def confusion(judged: Judged) -> dict[str, object]:
    """Recordings by what they are and what they are taken for: by the highest label, and by what is reported.

    Reported is the most confident of the labels that are above their thresholds.
    """
    birds, labels = judged.claims.where(judged.birds), judged.labels
    actual = np.concatenate(
        [
            np.where(judged.birds, judged.claims.label, len(labels)),
            np.full(len(judged.strangers.label), len(labels) + 1),
        ]
    )
    taken = taken_for(judged, judged.everything)
    return {
        "labels": list(labels),
        "highest": _counted(birds.label, birds.logits.argmax(axis=1), len(labels), len(labels)),
        "reported_rows": [*labels, NO_BIRD, STRANGER],
        "reported_columns": [*labels, NOTHING],
        "reported": _counted(actual, taken, len(labels) + 2, len(labels) + 1),
    }


def taken_for(judged: Judged, claims: Claims) -> npt.NDArray[np.int64]:
    """For each recording the label it is reported as, n_labels where nothing is reported, (n,)."""
    hits = judged.reported(claims)
    most = np.where(hits, judged.confidences(claims), -1).argmax(axis=1)
    return np.where(hits.any(axis=1), most, len(judged.labels))


def _counted(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], height: int, width: int) -> list[list[int]]:
    counts = np.zeros((height, width), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts.tolist()


def open_set(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """How often another bird is reported as one of the labels, as which, and how well confidence tells them apart."""
    taken = taken_for(judged, judged.strangers)
    names = Counter(judged.labels[index] for index in taken if index < len(judged.labels))
    count = len(judged.strangers.label)
    both = judged.claims.where(judged.birds).and_those(judged.strangers)
    highest = judged.confidences(both).max(axis=1, initial=0)
    weights = session_weights(both.session, rng, draws)
    return {
        "recordings": count,
        "reported": share(sum(names.values()), count),
        "taken_for": dict(names.most_common()),
        "auroc": estimate(lambda w: aurocs(both.label >= 0, highest, w), weights) if count else NOT_MEASURED,
    }


def hourly(judged: Judged, scored: Sequence[Scored]) -> dict[str, object]:
    """Detections an hour of listening, as the device's tracker counts them."""
    found = Counter(detection.label for one in scored for detection in judged.detections(one))
    listened = hours(scored, judged.heard)
    return {
        "recordings": len(scored),
        "hours": round(listened, 4),
        "detections": sum(found.values()),
        "per_hour": rate(sum(found.values()), listened),
        "by_label": dict(found.most_common()),
    }


def false_reports(judged: Judged) -> dict[str, object] | None:
    """What the network that ships reports, at the thresholds that ship, where no label is; None where nobody asked."""
    if (whole := judged.whole) is None:
        return None
    alone = replace(judged.as_shipped(), heard=whole)
    strangers: Bools = alone.reported(claims_of(whole.strangers, whole.taxa)).max(axis=1, initial=False)
    return {
        **hourly(alone, (*whole.negatives, *whole.elsewhere)),
        "strangers": len(strangers),
        "strangers_reported": int(strangers.sum()),
    }

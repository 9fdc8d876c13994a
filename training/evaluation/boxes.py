"""Detections against the boxes of annotators."""

import numpy as np

from training.evaluation.bins import boxed
from training.evaluation.events import Matched, match
from training.evaluation.intervals import Reals, estimate, numbered, ratio, session_weights
from training.evaluation.judged import Judged

QUARTILES = (0.25, 0.5, 0.75)


def events(judged: Judged, rng: np.random.Generator, draws: int) -> dict[str, object]:
    """Precision of detections, recall of boxes, F1 and onset error over the boxed recordings. Null without any."""
    heard = judged.heard
    scored = boxed(heard.recordings)
    matches = [
        match(judged.detections(one), one.recording.boxes or (), heard.taxa, heard.sample_rate) for one in scored
    ]
    weights = session_weights(numbered([one.recording.session for one in scored]), rng, draws)
    counts = np.array([[m.detections, m.right, m.boxes, m.found] for m in matches], np.float64).reshape(-1, 4)
    errors_s = [error for one in matches for error in one.onset_errors_s]
    return {
        "recordings": len(scored),
        "detections": _total(matches, "detections"),
        "right": _total(matches, "right"),
        "boxes": _total(matches, "boxes"),
        "found": _total(matches, "found"),
        "precision": estimate(lambda w: _precision(w @ counts), weights),
        "recall": estimate(lambda w: _recall(w @ counts), weights),
        "f1": estimate(lambda w: _f1(w @ counts), weights),
        "onset_error_s": [round(float(q), 3) for q in np.quantile(errors_s, QUARTILES)] if errors_s else None,
    }


def _total(matches: list[Matched], name: str) -> int:
    return sum(getattr(one, name) for one in matches)


def _precision(sums: Reals) -> Reals:
    return ratio(sums[:, 1], sums[:, 0])


def _recall(sums: Reals) -> Reals:
    return ratio(sums[:, 3], sums[:, 2])


def _f1(sums: Reals) -> Reals:
    """Harmonic mean of the two; 0 where nothing at all is right."""
    precision, recall = _precision(sums), _recall(sums)
    known = ~(np.isnan(precision) | np.isnan(recall))
    total = np.where(known, precision + recall, 0)
    return np.where(known & (total == 0), 0.0, ratio(2 * precision * recall, total))

"""Boxed recordings second by second and window by window: what is there, and what the network says."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from monitor.features import Floats
from monitor.records import Taxon
from training.corpus.recordings import Box
from training.drawing.examples import LEAST_CALL_S
from training.evaluation.intervals import numbered
from training.evaluation.scored import Scored

LEAST_COVER_S = 0.5
"""of a one-second bin, by a window"""
Bools = npt.NDArray[np.bool_]


def boxed(scored: Sequence[Scored]) -> list[Scored]:
    """The recordings that somebody annotated."""
    return [one for one in scored if one.recording.boxes is not None]


def second_bins(scored: Sequence[Scored], taxa: Mapping[str, Taxon], window_s: float) -> tuple[Bools, Floats]:
    """One-second bins of the boxed recordings: what is there, and the highest logit of a window over it.

    A bin is true where boxes of the label cover at least 0.1 s of it; a window counts for a bin of
    which it covers at least half. Returns two arrays of shape (bins, n_labels).
    """
    relevant, ranked = [np.zeros((0, len(taxa)), bool)], [np.zeros((0, len(taxa)), np.float32)]
    for one in boxed(scored):
        begins = np.arange(_count(one, window_s), dtype=np.float64)
        relevant.append(covered_s(one.recording.boxes or (), taxa, begins, begins + 1) >= LEAST_CALL_S)
        starts = np.arange(len(one.logits), dtype=np.float64)
        over = np.minimum(starts + window_s, begins[:, None] + 1) - np.maximum(starts, begins[:, None])
        ranked.append(np.stack([one.logits[row >= LEAST_COVER_S].max(axis=0) for row in over]))
    return np.concatenate(relevant), np.concatenate(ranked)


def bin_sessions(scored: Sequence[Scored], window_s: float) -> npt.NDArray[np.int64]:
    """For each of the `second_bins` the number of its session, (bins,)."""
    numbers = numbered([one.recording.session for one in boxed(scored)])
    counts = [_count(one, window_s) for one in boxed(scored)]
    return np.repeat(numbers, np.array(counts, np.int64))


def _count(one: Scored, window_s: float) -> int:
    """How many one-second bins windows cover at least half of, one window beginning each second."""
    return int(len(one.logits) + window_s - LEAST_COVER_S)


def window_truths(one: Scored, taxa: Mapping[str, Taxon], window_s: float) -> Bools:
    """For each window of a boxed recording and each label whether boxes cover at least 0.1 s, (n_windows, n_labels)."""
    starts_s = one.starts_s
    return covered_s(one.recording.boxes or (), taxa, starts_s, starts_s + window_s) >= LEAST_CALL_S


def covered_s(
    boxes: Sequence[Box],
    taxa: Mapping[str, Taxon],
    begins_s: npt.NDArray[np.float64],
    ends_s: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Seconds of each stretch that a label's boxes cover, summed over the boxes: (stretches, n_labels)."""
    columns = []
    for taxon in taxa.values():
        own = [box for box in boxes if box.scientific_name == taxon.scientific_name]
        first, last = np.array([[box.begin_s, box.end_s] for box in own]).reshape(-1, 2).T
        inside = np.minimum(ends_s[:, None], last) - np.maximum(begins_s[:, None], first)
        columns.append(np.maximum(inside, 0).sum(axis=1))
    return np.stack(columns, axis=1)

"""How good a network is, from scores of recordings it has never heard.

Each recording is scored by the fold's network that did not learn from it (pooled out-of-fold), as the
device would: windows of the contract's length every second. A recording's score for a label is the
highest of its windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, compress
from training.examples import LEAST_CALL_S
from training.manifest import TAXA, Recording
from training.network import EfficientNetLite
from training.train import SPEC, WINDOW_SAMPLES, predict, sigmoid

STEP_FRAMES = SPEC.sample_rate // SPEC.hop
"""one second"""
HALF = 0.5
LEAST_COVER_S = 0.5
"""of a one-second bin, by a window"""


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording and its windows' scores (n_windows, n_labels), one window a second from its start."""

    recording: Recording
    scores: Floats


def score_recordings(
    network: EfficientNetLite, recordings: Sequence[Recording], spectra: Mapping[Path, Floats]
) -> list[Scored]:
    """Score each recording with a network."""
    return [Scored(r, sigmoid(predict(network, windows_of(spectra[r.path])))) for r in recordings]


def windows_of(power: Floats) -> list[Floats]:
    """Mel power of a recording -> standardised windows, one a second and one at the very end."""
    n_frames = SPEC.n_frames(WINDOW_SAMPLES)
    last = power.shape[1] - n_frames
    starts = [*range(0, last, STEP_FRAMES), last]
    return [compress(power[:, start : start + n_frames], SPEC) for start in starts]


def report(scored: Sequence[Scored], labels: Sequence[str]) -> dict[str, object]:
    """All figures of a model card, as plain values."""
    birds = [s for s in scored if s.recording.label is not None]
    truth = np.array([labels.index(str(s.recording.label)) for s in birds])
    highest = np.stack([s.scores.max(axis=0) for s in birds])
    guess = highest.argmax(axis=1)
    recall = {label: [int((guess[truth == i] == i).sum()), int((truth == i).sum())] for i, label in enumerate(labels)}
    low, high = _interval(birds, truth, guess)
    negatives = [s for s in scored if s.recording.label is None]
    windows = np.concatenate([s.scores for s in negatives]) if negatives else np.zeros((0, len(labels)))
    relevant, ranked = second_bins(birds, labels)
    return {
        "balanced_top1": round(balanced_accuracy(truth, guess), 4),
        "balanced_top1_95": [low, high],
        "recordings": len(birds),
        "correct_and_all_by_label": recall,
        "recording_mean_average_precision": _mean_precision(truth[:, None] == np.arange(len(labels)), highest),
        "second_bin_mean_average_precision": _mean_precision(relevant, ranked),
        "negative_windows": len(windows),
        "negative_windows_over_half": int((windows.max(axis=1) > HALF).sum()) if len(windows) else 0,
        "thresholds": {label: threshold(scored, label, index) for index, label in enumerate(labels)},
    }


def threshold(scored: Sequence[Scored], label: str, index: int) -> float:
    """The score that 99 % of the windows of other recordings stay below, at least 0.5 and at most 0.9."""
    others = np.concatenate([s.scores[:, index] for s in scored if s.recording.label != label])
    return round(float(np.clip(np.quantile(others, 0.99), 0.5, 0.9)), 2)


def balanced_accuracy(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64]) -> float:
    """Mean over the labels of the share of their recordings that was named right."""
    return float(np.mean([np.mean(guess[truth == label] == label) for label in np.unique(truth)]))


def average_precision(relevant: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Area under the precision-recall steps: the mean precision at each relevant item, best score first."""
    order = np.argsort(-scores, kind="stable")
    hits = relevant[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def second_bins(birds: Sequence[Scored], labels: Sequence[str]) -> tuple[npt.NDArray[np.bool_], Floats]:
    """One-second bins of the boxed recordings: what is there, and the highest score of a window over it.

    A bin is true where boxes of the label cover at least 0.1 s of it; a window counts for a bin of
    which it covers at least half. Returns two arrays of shape (bins, n_labels).
    """
    names = [TAXA[label][0] for label in labels]
    relevant, ranked = [], []
    window_s = WINDOW_SAMPLES / SPEC.sample_rate
    for one in birds:
        starts = np.arange(len(one.scores), dtype=np.float64)
        for begin in range(len(one.scores) + int(window_s) - 1) if one.recording.boxes is not None else ():
            boxes = one.recording.boxes or ()
            covered = [
                sum(
                    max(0.0, min(begin + 1, b.end_s) - max(begin, b.begin_s))
                    for b in boxes
                    if b.scientific_name == name
                )
                for name in names
            ]
            over = np.minimum(starts + window_s, begin + 1) - np.maximum(starts, begin) >= LEAST_COVER_S
            relevant.append([seconds >= LEAST_CALL_S for seconds in covered])
            ranked.append(one.scores[over].max(axis=0))
    return np.array(relevant, bool).reshape(-1, len(labels)), np.array(ranked, np.float32).reshape(-1, len(labels))


def _mean_precision(relevant: npt.NDArray[np.bool_], scores: Floats) -> float | None:
    present = [i for i in range(relevant.shape[1]) if relevant[:, i].any()]
    if not present:
        return None
    return round(float(np.mean([average_precision(relevant[:, i], scores[:, i]) for i in present])), 4)


def _interval(
    birds: Sequence[Scored], truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64], draws: int = 1000
) -> tuple[float, float]:
    """95 % bootstrap interval of balanced accuracy, drawing whole sessions."""
    rng = np.random.default_rng(0)
    sessions = np.unique([s.recording.session for s in birds], return_inverse=True)[1]
    members = [np.flatnonzero(sessions == i) for i in range(sessions.max() + 1)]
    values = []
    for _ in range(draws):
        drawn = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        values.append(balanced_accuracy(truth[drawn], guess[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)

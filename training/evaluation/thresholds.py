"""The confidence from which a label is reported, chosen for a stated precision.

Precision is counted over recordings: of those in which the label would be reported, the share that holds it. Other
labels' recordings, negatives and strangers are false. A small count is not taken at its word: half a recording is
added to either side (the mean under Jeffreys' prior). A label whose few recordings cannot reach the precision gets the
threshold of the best F0.5, which minds precision twice as much as recall (van Rijsbergen 1979, chapter 7). Then, as
long as more strangers are reported than were asked for, or more is detected where no label can be, the threshold goes
up that pays most: false reports gone by recall lost. The network that ships, which learned from every fold, is held to
the same: it may err where those of the folds do not. At the end thresholds go down again where that costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.contract import Calibration, Label
from monitor.errors import ConfigError
from monitor.features import Floats
from training.evaluation import calibration
from training.evaluation.claims import UNKNOWN, Claims, Truths, claims_of
from training.evaluation.events import detections, hours
from training.evaluation.heard import Heard
from training.evaluation.intervals import Reals

GRID = np.concatenate([np.arange(50, 99) / 100, np.arange(990, 1000) / 1000])
"""thresholds that are tried: finer near certainty, where a step of confidence is a large one of the logit"""
STEPS = GRID.astype(np.float32)
"""the same, as precise as confidences are"""
PRECISION = 0.95
LEAST_LOSS = 0.01
"""of recall: so that what costs nothing is not worth infinitely much"""
Steps = npt.NDArray[np.int64]
"""of each label, where in the GRID its threshold lies"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the thresholds are chosen for."""

    precision: float = PRECISION
    """of each label, over recordings"""
    strangers: float = 0.05
    """share of other birds' recordings that may be reported as one of the labels"""
    hourly: float = 1.0
    """detections an hour where no label can be"""


class Threshold(msgspec.Struct, frozen=True):
    """A label's threshold and what it does over recordings."""

    threshold: float
    precision: float
    """with half a recording added to either side"""
    recall: float | None
    right: int
    """recordings in which the label was reported and is"""
    reported: int
    held: int
    """recordings in which the label is"""
    reached: bool
    """whether the precision is what was wanted"""


def fit_labels(heard: Heard, wanted: Wanted, whole: Heard | None = None) -> tuple[Label, ...]:
    """The labels with the calibration and the thresholds that these recordings and strangers ask for.

    `whole`: what the network that ships makes of what holds no label.
    """
    claims, strangers = claims_of(heard.recordings, heard.taxa), claims_of(heard.strangers, heard.taxa)
    everything = claims.and_those(strangers)
    calibrations = calibration.fit(everything.logits, everything.truth)
    known, unknown = (calibration.confidences(some.logits, calibrations) for some in (claims, strangers))
    precisions = smoothed_precisions(np.concatenate([known, unknown]), everything.truth)
    recalls = recalls_of(known, claims.truth)
    chosen = choose(precisions, recalls, wanted.precision)
    lowest = labels_of(heard, calibrations, GRID[np.zeros_like(chosen)])
    bounds = [bound for one in (heard, whole) if one is not None for bound in _bounds(one, lowest, wanted)]
    steps = chosen
    for false, most in bounds:
        steps = raised(steps, recalls, false, most)
    return labels_of(heard, calibrations, GRID[lowered(steps, chosen, recalls, bounds)])


def smoothed_precisions(scores: Floats, truth: Truths) -> Reals:
    """Precision at each threshold of the GRID, (n_grid, n_labels), of confidences and truths (n, n_labels)."""
    reported = (scores >= STEPS[:, None, None]) & (truth != UNKNOWN)
    right = (reported & (truth == 1)).sum(axis=1)
    return (right + 0.5) / (reported.sum(axis=1) + 1)


def recalls_of(scores: Floats, truth: Truths) -> Reals:
    """Recall at each threshold of the GRID, (n_grid, n_labels), of confidences and truths (n, n_labels)."""
    right = ((scores >= STEPS[:, None, None]) & (truth == 1)).sum(axis=1)
    return right / np.maximum((truth == 1).sum(axis=0), 1)


def choose(precisions: Reals, recalls: Reals, precision: float) -> Steps:
    """For each label the lowest threshold with that precision; where there is none, the one of the best F0.5."""
    enough = precisions >= precision
    balance = 1.25 * precisions * recalls / (0.25 * precisions + recalls)
    return np.where(enough.any(axis=0), enough.argmax(axis=0), balance.argmax(axis=0))


def raised(steps: Steps, recalls: Reals, false: Floats, most: int) -> Steps:
    """Raise thresholds until at most `most` of the rows of `false`, (n, n_labels) confidences, hold a reported label.

    Each time the label and height are taken that silence most for the recall (n_grid, n_labels) that is lost, where a
    row that several labels are reported in is silenced by each in part. What even the highest threshold of its label
    reports stays.
    """
    steps = steps.copy()
    labels = np.arange(len(steps))
    heights = np.arange(len(GRID))[:, None]
    while (hits := false >= STEPS[steps]).any(axis=1).sum() > most:
        part = hits / np.maximum(hits.sum(axis=1, keepdims=True), 1)
        silenced = (part * (false < STEPS[:, None, None])).sum(axis=1)
        lost = np.maximum(recalls[steps, labels] - recalls, 0)
        worth = np.where(heights > steps, silenced / (lost + LEAST_LOSS), 0)
        if worth.max() <= 0:
            break
        height, label = np.unravel_index(worth.argmax(), worth.shape)
        steps[label] = height
    return steps


def lowered(steps: Steps, least: Steps, recalls: Reals, bounds: Sequence[tuple[Floats, int]]) -> Steps:
    """Lower thresholds towards `least` as far as the bounds on rows of false reports let them.

    Raising one label may have made it needless that another was raised as high. The label that gains most recall,
    (n_grid, n_labels), goes first, until none gains any. A bound that is not kept is at least not broken further.
    """
    steps = steps.copy()
    most = [max(bound, _reported(false, steps)) for false, bound in bounds]
    while True:
        best, gain = steps, 0.0
        for label, height in ((i, h) for i in range(len(steps)) for h in range(least[i], steps[i])):
            tried = steps.copy()
            tried[label] = height
            won = float(recalls[height, label] - recalls[steps[label], label])
            if won > gain and all(_reported(false, tried) <= n for (false, _), n in zip(bounds, most, strict=True)):
                best, gain = tried, won
        if gain == 0:
            return steps
        steps = best


def _reported(false: Floats, steps: Steps) -> int:
    """Rows, (n, n_labels), in which some label is reported."""
    return int((false >= STEPS[steps]).any(axis=1).sum())


def _bounds(heard: Heard, lowest: Sequence[Label], wanted: Wanted) -> tuple[tuple[Floats, int], ...]:
    """Confidences that are false, (n, n_labels), and in how many of the rows a label may be reported all the same."""
    strangers = calibration.confidences(
        claims_of(heard.strangers, heard.taxa).logits, [label.calibration for label in lowest]
    )
    alarms, listened = _alarms(heard, lowest)
    return (strangers, int(wanted.strangers * len(strangers))), (alarms, int(wanted.hourly * listened))


def _alarms(heard: Heard, labels: Sequence[Label]) -> tuple[Floats, float]:
    """Detections where no label can be, at the lowest thresholds: confidences (n, n_labels), and hours listened."""
    scored = (*heard.negatives, *heard.elsewhere)
    names = [label.label for label in labels]
    found = [detection for one in scored for detection in detections(one, labels, heard)]
    confidences = np.zeros((len(found), len(labels)), np.float32)
    columns = np.array([names.index(one.label) for one in found], np.int64)
    confidences[np.arange(len(found)), columns] = [one.confidence for one in found]
    return confidences, hours(scored, heard)


def labels_of(heard: Heard, calibrations: Sequence[Calibration], thresholds: Reals) -> tuple[Label, ...]:
    """The labels as a contract holds them."""
    return tuple(
        Label(label, taxon.scientific_name, taxon.common_name, "species", float(threshold), fitted)
        for (label, taxon), fitted, threshold in zip(heard.taxa.items(), calibrations, thresholds, strict=True)
    )


def at_least(labels: Sequence[Label], least: Mapping[str, float]) -> tuple[Label, ...]:
    """The labels with no threshold below what is stated for it. ConfigError where a label is not among them."""
    names = [label.label for label in labels]
    if strangers := sorted(least.keys() - set(names)):
        msg = f"a least threshold is stated for {', '.join(strangers)}, but the labels are {', '.join(names)}"
        raise ConfigError(msg)
    return tuple(
        msgspec.structs.replace(label, threshold=max(label.threshold, least.get(label.label, 0.0))) for label in labels
    )


def reported(claims: Claims, labels: Sequence[Label]) -> npt.NDArray[np.bool_]:
    """Whether each label is reported in each recording, (n, n_labels)."""
    scores = calibration.confidences(claims.logits, [label.calibration for label in labels])
    return scores >= np.array([label.threshold for label in labels], np.float32)


def account(
    labels: Sequence[Label], hits: npt.NDArray[np.bool_], truth: Truths, wanted: Wanted
) -> dict[str, Threshold]:
    """Label -> its threshold and what it does, where `hits` says in which recordings it is reported, (n, n_labels)."""
    rows = {}
    for label, own, true in zip(labels, hits.T, truth.T, strict=True):
        right, held = int((own & (true == 1)).sum()), int((true == 1).sum())
        total = int((own & (true != UNKNOWN)).sum())
        precision = (right + 0.5) / (total + 1)
        rows[label.label] = Threshold(
            threshold=label.threshold,
            precision=round(precision, 4),
            recall=round(right / held, 4) if held else None,
            right=right,
            reported=total,
            held=held,
            reached=precision >= wanted.precision,
        )
    return rows

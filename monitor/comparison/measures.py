"""Precision, recall, F1 and average precision of each species.

Precision is the share of detections that match an annotation, recall the share of annotations that a detection
matches. Average precision is the area under the steps of precision over recall as the confidence that is asked for
goes down (sum over the steps of the gain in recall times the precision there; Everingham et al. 2010 without
interpolation). It ends where the detections end: for all of it, tables of single windows from a low score on are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.comparison.matching import Rule
from monitor.comparison.occurrences import Occurrence, grouped

Reals = npt.NDArray[np.float64]
ALL = "all species"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What became of the detections and the annotations of a species."""

    confidences: Reals
    """of each detection, (n,)"""
    right: npt.NDArray[np.bool_]
    """whether it matches an annotation, (n,)"""
    found_at: Reals
    """of each annotation the highest confidence of a detection that matches it, 0 where none does, (m,)"""

    @property
    def precision(self) -> float | None:
        """None where nothing was detected."""
        return _share(self.right.sum(), len(self.right))

    @property
    def recall(self) -> float | None:
        """None where nothing was annotated."""
        return _share((self.found_at > 0).sum(), len(self.found_at))

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None where one of them is."""
        if self.precision is None or self.recall is None:
            return None
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.right.any() else 0.0

    @property
    def average_precision(self) -> float | None:
        """None where nothing was annotated."""
        if not len(self.found_at):
            return None
        recalls, precisions = self.curve()
        return float(np.sum(np.diff(recalls, prepend=0.0) * precisions))

    def curve(self) -> tuple[Reals, Reals]:
        """Recall and precision at each confidence that occurs, from the highest down, (k,) each."""
        levels = np.unique(self.confidences)[::-1]
        detected = _at_least(self.confidences, levels)
        return (
            _at_least(self.found_at, levels) / max(1, len(self.found_at)),
            _at_least(self.confidences[self.right], levels) / detected,
        )


def judge(rule: Rule, detections: Sequence[Occurrence], annotations: Sequence[Occurrence]) -> Mapping[str, Judged]:
    """Each species by its name, in alphabetical order, and last all together."""
    found, wanted = grouped(detections), grouped(annotations)
    parts: dict[str, list[Judged]] = {}
    for key in sorted({*found, *wanted}, key=lambda key: key[1]):
        parts.setdefault(key[1], []).append(_judged(found.get(key, []), wanted.get(key, []), rule))
    species = {name: _together(some) for name, some in parts.items()}
    return {**species, ALL: _together([one for some in parts.values() for one in some])}


def _judged(detections: Sequence[Occurrence], annotations: Sequence[Occurrence], rule: Rule) -> Judged:
    matching = rule.matches(detections, annotations)
    confidences = np.array([one.confidence for one in detections], np.float64)
    found_at = np.where(matching, confidences[:, None], 0.0).max(axis=0, initial=0.0)
    return Judged(confidences, np.asarray(matching.any(axis=1)), found_at)


def _together(parts: Sequence[Judged]) -> Judged:
    return Judged(
        np.concatenate([np.zeros(0), *(one.confidences for one in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(one.right for one in parts)]),
        np.concatenate([np.zeros(0), *(one.found_at for one in parts)]),
    )


def _at_least(values: Reals, levels: Reals) -> Reals:
    """How many values reach each level."""
    return (len(values) - np.searchsorted(np.sort(values), levels, side="left")).astype(np.float64)


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None

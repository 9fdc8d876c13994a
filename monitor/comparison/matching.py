"""Which detections and annotations overlap enough, by a stated rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.comparison.occurrences import Occurrence

Matches = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a detection and an annotation of the same species are the same sound."""

    least_s: float = 0.1
    """of overlap; an annotation that is shorter has to be overlapped whole"""
    least_iou: float = 0.0
    """of the overlap in what both cover together"""
    once: bool = False
    """an annotation counts for one detection only, the most confident; without it one detection may hold many calls"""

    def matches(self, detections: Sequence[Occurrence], annotations: Sequence[Occurrence]) -> Matches:
        """All of one recording and species -> (n_detections, n_annotations)."""
        found, wanted = _spans(detections), _spans(annotations)
        begin_s = np.maximum(found[:, None, 0], wanted[None, :, 0])
        inside_s = np.minimum(found[:, None, 1], wanted[None, :, 1]) - begin_s
        found_s, wanted_s = np.diff(found, axis=1), np.diff(wanted, axis=1).T
        enough = np.minimum(self.least_s, np.minimum(found_s, wanted_s))
        together_s = found_s + wanted_s - np.maximum(inside_s, 0)
        matching = (inside_s >= enough) & (inside_s >= self.least_iou * together_s)
        return _one_each(matching, detections) if self.once else matching


def _spans(occurrences: Sequence[Occurrence]) -> npt.NDArray[np.float64]:
    return np.array([(one.onset_s, one.offset_s) for one in occurrences], np.float64).reshape(-1, 2)


def _one_each(matching: Matches, detections: Sequence[Occurrence]) -> Matches:
    """The most confident detection first takes the first annotation that is left, as in PASCAL VOC's measure."""
    single = np.zeros_like(matching)
    free = np.ones(matching.shape[1], np.bool_)
    for row in sorted(range(len(detections)), key=lambda row: -detections[row].confidence):
        fitting = np.flatnonzero(matching[row] & free)
        if len(fitting):
            single[row, fitting[0]], free[fitting[0]] = True, False
    return single

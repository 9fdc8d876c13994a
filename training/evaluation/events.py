"""What the device's tracker makes of the windows: detections, held against boxes and counted by the hour.

A detection is right where it overlaps a box of its label for at least 0.1 s, and a box is found where a detection of
its label does so; a shorter box has to be overlapped whole. One detection may hold many calls, as the device cannot
tell calls apart that lie closer than a window. The onset error is the detection's onset less the begin of the first
call that it overlaps: a detection begins with its window, so that it is mostly early.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.contract import Label
from monitor.features import Floats
from monitor.records import Detection, Samples, Taxon, Window
from monitor.tracker import Rules, Tracker
from training.corpus.recordings import Box
from training.drawing.examples import LEAST_CALL_S
from training.evaluation.calibration import confidences
from training.evaluation.heard import Heard
from training.evaluation.scored import Scored

MAX_DETECTION_S = 60
"""as the device's default"""


@dataclass(frozen=True, slots=True)
class Matched:
    """A recording's detections against its boxes."""

    detections: int
    right: int
    """detections that overlap a box"""
    boxes: int
    found: int
    """boxes that a detection overlaps"""
    onset_errors_s: tuple[float, ...]
    """of the detections that are right"""


def confidences_of(one: Scored, labels: Sequence[Label]) -> Floats:
    """Calibrated confidences of a recording's windows, (n_windows, n_labels)."""
    return confidences(one.logits, [label.calibration for label in labels])


def detections(one: Scored, labels: Sequence[Label], heard: Heard) -> list[Detection]:
    """The detections that the device would report of a recording, by their onset."""
    rules = Rules.of(labels, max_samples=MAX_DETECTION_S * heard.sample_rate)
    tracker = Tracker(labels, rules, uuid.NAMESPACE_OID)
    nothing: Samples = np.zeros(0, np.float32)
    found: list[Detection] = []
    for start_s, scores in zip(one.starts_s, confidences_of(one, labels), strict=True):
        start = round(start_s * heard.sample_rate)
        found += tracker.update(Window(start, start + heard.window_samples, nothing), scores)
    return sorted(found + tracker.finish(), key=lambda detection: (detection.onset_sample, detection.label))


def hours(scored: Sequence[Scored], heard: Heard) -> float:
    """How long was listened."""
    return sum(one.last_s + heard.window_s for one in scored) / 3600


def match(found: Sequence[Detection], boxes: Sequence[Box], taxa: Mapping[str, Taxon], sample_rate: int) -> Matched:
    """Hold the detections of a recording against the boxes of its labels."""
    names = {taxon.scientific_name for taxon in taxa.values()}
    boxes = [box for box in boxes if box.scientific_name in names]
    overlaps = np.array(
        [[_overlap(detection, box, sample_rate) for box in boxes] for detection in found], bool
    ).reshape(len(found), len(boxes))
    begins_s = np.array([box.begin_s for box in boxes])
    right = overlaps.any(axis=1)
    errors_s = tuple(
        found[index].onset_sample / sample_rate - float(begins_s[overlaps[index]].min())
        for index in np.flatnonzero(right).tolist()
    )
    return Matched(len(found), int(right.sum()), len(boxes), int(overlaps.any(axis=0).sum()), errors_s)


def _overlap(detection: Detection, box: Box, sample_rate: int) -> bool:
    if box.scientific_name != detection.taxon.scientific_name:
        return False
    ends_s = min(detection.offset_sample / sample_rate, box.end_s)
    inside_s = ends_s - max(detection.onset_sample / sample_rate, box.begin_s)
    return inside_s >= min(LEAST_CALL_S, box.end_s - box.begin_s)

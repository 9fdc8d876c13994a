"""Offline analysis of many recordings: one pipeline run a file, tables out, damaged files reported."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from monitor import pipeline
from monitor.classifier import Classifier
from monitor.clock import SampleClock
from monitor.effort import EffortMeter
from monitor.errors import MonitorError, RecordingError
from monitor.features import Floats
from monitor.records import Detection, Gap, Window
from monitor.sinks.tables import DetectionRows, Format, Row, ScoreRows, Source, Table, detection_table, score_table
from monitor.sources import until_broken
from monitor.sources.recordings import find_recordings, open_recording
from monitor.tracker import Rules, Tracker


@dataclass(frozen=True, slots=True)
class Analysis:
    """What to do with each recording."""

    rules: Rules
    step: int
    """samples at the model's rate"""
    zone: tzinfo | None = None
    """of times in file names that do not say"""
    scores_floor: float | None = None


@dataclass(slots=True)
class Summary:
    """What came of it."""

    files: int = 0
    errors: list[MonitorError] = field(default_factory=list)
    heard_s: float = 0.0
    lost_s: float = 0.0
    detections: Counter[str] = field(default_factory=Counter)
    """by common name"""


def find(paths: Sequence[Path]) -> tuple[list[Path], list[MonitorError]]:
    """All recordings of the files and folders named, each once, and what cannot be looked into."""
    found: dict[Path, None] = {}
    errors: list[MonitorError] = []
    for path in paths:
        try:
            found.update(dict.fromkeys(find_recordings([path])))
        except RecordingError as error:
            errors.append(error)
    return list(found), errors


def analyze(
    paths: Sequence[Path],
    classifier: Classifier,
    analysis: Analysis,
    directory: Path,
    form: Format,
    progress: Callable[[int, Path], None] = lambda _done, _path: None,
) -> Summary:
    """Analyse recordings one after the other and write the tables into `directory`.

    A recording that breaks off keeps the rows up to there; it and the unreadable ones are in the summary's
    errors. StoreError where a table cannot be written.
    """
    summary = Summary()
    with contextlib.ExitStack() as stack:
        detections = stack.enter_context(detection_table(directory, form, classifier.contract))
        scores = None if analysis.scores_floor is None else stack.enter_context(score_table(directory))
        for done, path in enumerate(paths):
            progress(done, path)
            offset_s = summary.heard_s + summary.lost_s
            try:
                detections.write(_analyze_file(path, classifier, analysis, scores, summary), offset_s)
            except RecordingError as error:
                summary.errors.append(error)
    return summary


def _analyze_file(
    path: Path, classifier: Classifier, analysis: Analysis, scores: Table | None, summary: Summary
) -> list[Row]:
    """Run one file through the pipeline; return its detections and add its effort to the summary."""
    contract = classifier.contract
    stream = open_recording(path, analysis.zone)
    clock = SampleClock(contract.sample_rate, stream.start, stream.quality)
    source = Source(stream.name, clock, summary.heard_s + summary.lost_s)
    found, effort = DetectionRows(source), _EffortTotal(contract.sample_rate)
    sinks: list[pipeline.Sink] = [found, effort]
    if scores is not None and analysis.scores_floor is not None:
        sinks.append(ScoreRows(source, contract.labels, analysis.scores_floor, scores))
    tracker = Tracker(contract.labels, analysis.rules, stream.id)
    blocks = until_broken(stream.blocks, summary.errors.append)
    pipeline.run(blocks, stream.sample_rate, [pipeline.Chain(classifier, tracker, analysis.step, sinks)])
    summary.heard_s += effort.heard_s
    summary.lost_s += effort.elapsed_s - effort.heard_s
    if effort.elapsed_s > 0 and effort.heard_s == 0:
        msg = f"{path}: {effort.elapsed_s:.2f} s are too short to judge: at least {contract.window_s / 3:g} s expected"
        raise RecordingError(msg)
    summary.files += effort.heard_s > 0  # one that breaks off at its first sample is not analysed
    summary.detections.update(row.common_name for row in found.rows)
    return found.rows


class _EffortTotal:
    """How much of one file was heard."""

    def __init__(self, sample_rate: int) -> None:
        self._meter, self._sample_rate = EffortMeter(sys.maxsize), sample_rate
        self.heard_s = self.elapsed_s = 0.0

    def heard(self, window: Window, scores: Floats) -> None:
        del scores
        self._meter.heard(window)

    def lost(self, gap: Gap) -> None:
        """Nothing to do: what no window covers is lost."""

    def handle(self, detection: Detection) -> None:
        """Nothing to do."""

    def ended(self, end_sample: int) -> None:
        effort = self._meter.ended(end_sample)
        if effort is not None:
            self.heard_s = effort.heard_samples / self._sample_rate
            self.elapsed_s = end_sample / self._sample_rate

"""Offline analysis of many recordings: one pipeline run a file, tables out, damaged files reported."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from monitor import pipeline
from monitor.clock import SampleClock
from monitor.effort import Ledger
from monitor.errors import MonitorError, RecordingError
from monitor.features import Floats
from monitor.recogniser import Recogniser
from monitor.records import Detection, Gap, Window
from monitor.sinks.tables import DetectionRows, Format, Row, ScoreRows, Source, Table, detection_table, score_table
from monitor.sources import Stream, until_broken
from monitor.sources.recordings import find_recordings, open_recording


@dataclass(frozen=True, slots=True)
class Analysis:
    """What to do with each recording."""

    recognisers: Sequence[Recogniser]
    """all hear the same audio"""
    zone: tzinfo | None = None
    """of times in file names that do not say"""
    scores_floor: float | None = None


@dataclass(slots=True)
class Summary:
    """What came of it."""

    files: int = 0
    errors: list[MonitorError] = field(default_factory=list)
    heard_s: float = 0.0
    """by every model"""
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
    analysis: Analysis,
    directory: Path,
    form: Format,
    progress: Callable[[int, Path], None] = lambda _done, _path: None,
) -> Summary:
    """Analyse recordings one after the other and write the tables into `directory`.

    A recording that breaks off keeps the rows up to there; it, the unreadable ones and those too short for a model
    are in the summary's errors. StoreError where a table cannot be written.
    """
    summary = Summary()
    with contextlib.ExitStack() as stack:
        detections = stack.enter_context(detection_table(directory, form, _band_hz(analysis)))
        scores = None if analysis.scores_floor is None else stack.enter_context(score_table(directory))
        for done, path in enumerate(paths):
            progress(done, path)
            offset_s = summary.heard_s + summary.lost_s
            try:
                detections.write(_analyze_file(path, analysis, scores, summary), offset_s)
            except RecordingError as error:
                summary.errors.append(error)
    return summary


def _analyze_file(path: Path, analysis: Analysis, scores: Table | None, summary: Summary) -> list[Row]:
    """Run one file through the pipeline; return its detections and add its effort to the summary."""
    stream = open_recording(path, analysis.zone)
    offset_s = summary.heard_s + summary.lost_s
    heard = [_Hearing(one, stream, offset_s, analysis.scores_floor, scores) for one in analysis.recognisers]
    blocks = until_broken(stream.blocks, summary.errors.append)
    pipeline.run(blocks, stream.sample_rate, [one.chain for one in heard])
    elapsed_s, heard_s = max(one.effort.elapsed_s for one in heard), min(one.effort.heard_s for one in heard)
    summary.heard_s += heard_s
    summary.lost_s += elapsed_s - heard_s
    deaf = [one.recogniser for one in heard if one.effort.heard_s == 0 and one.effort.elapsed_s > 0]
    summary.errors += [_too_short(path, elapsed_s, recogniser) for recogniser in deaf]
    summary.files += heard_s > 0  # one that breaks off at its first sample, or that a model cannot judge, is not
    rows = sorted((row for one in heard for row in one.found.rows), key=lambda row: (row.onset_s, row.scientific_name))
    summary.detections.update(row.common_name for row in rows)
    return rows


def _too_short(path: Path, elapsed_s: float, recogniser: Recogniser) -> RecordingError:
    least_s = recogniser.classifier.contract.window_s / 3
    msg = f"{path}: {elapsed_s:.2f} s are too short to judge for {recogniser.name}: at least {least_s:g} s expected"
    return RecordingError(msg)


def _band_hz(analysis: Analysis) -> tuple[float, float]:
    """What the models can hear, all together."""
    bands_hz = [one.classifier.contract.band_hz for one in analysis.recognisers]
    return min(low for low, _high in bands_hz), max(high for _low, high in bands_hz)


class _Hearing:
    """What one model hears of one file."""

    def __init__(
        self, recogniser: Recogniser, stream: Stream, offset_s: float, floor: float | None, scores: Table | None
    ) -> None:
        clock = SampleClock(recogniser.sample_rate, stream.start, stream.quality)
        source = Source(stream.name, clock, offset_s, recogniser.name)
        self.recogniser = recogniser
        self.found, self.effort = DetectionRows(source), _EffortTotal(recogniser.sample_rate)
        sinks: list[pipeline.Sink] = [self.found, self.effort]
        if scores is not None and floor is not None:
            sinks.append(ScoreRows(source, recogniser.classifier.contract.labels, floor, scores))
        self.chain = recogniser.chain(stream.id, clock, sinks)


class _EffortTotal:
    """How much of one file was heard."""

    def __init__(self, sample_rate: int) -> None:
        self._ledger, self._sample_rate = Ledger(lambda _: sys.maxsize), sample_rate
        self.heard_s = self.elapsed_s = 0.0

    def heard(self, window: Window, scores: Floats) -> None:
        del scores
        self._ledger.heard(window)

    def lost(self, gap: Gap) -> None:
        self._ledger.lost(gap)

    def handle(self, detection: Detection) -> None:
        """Nothing to do."""

    def ended(self, end_sample: int) -> None:
        for effort in self._ledger.ended(end_sample):
            self.heard_s = effort.heard_samples / self._sample_rate
            self.elapsed_s = end_sample / self._sample_rate

"""One recording -> its outcome."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor import pipeline
from monitor.batch.found import Failure
from monitor.batch.outcome import Outcome, Packed
from monitor.clock import SampleClock, rfc3339
from monitor.effort import Ledger
from monitor.errors import MonitorError, RecordingError
from monitor.features import Floats
from monitor.recogniser import Recogniser
from monitor.records import Detection, Gap, Window
from monitor.sinks.tables import DetectionRows, Heard, ScoreRows, Source
from monitor.sources import Stream, until_broken
from monitor.sources.recordings import Reading, open_recordings


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Models and what they are asked; one process opens them once."""

    recognisers: Sequence[Recogniser]
    """all hear the same audio"""
    reading: Reading = field(default_factory=Reading)
    scores_floor: float | None = None
    """from which on single windows are reported too"""

    @property
    def band_hz(self) -> tuple[float, float]:
        """What the models can hear, all together."""
        bands_hz = [one.classifier.contract.band_hz for one in self.recognisers]
        return min(low for low, _high in bands_hz), max(high for _low, high in bands_hz)

    def outcome(self, paths: Sequence[Path]) -> Outcome:
        """Run a file, or files that continue each other, through the pipeline.

        What breaks off keeps what was found up to there; why, and why it cannot be opened or is too short for a model,
        are the outcome's failures.
        """
        errors: list[MonitorError] = []
        heard: list[_Channel] = []
        scores = Packed()
        try:
            for stream in open_recordings(paths, self.reading, errors.append):
                heard.append(_Channel(self, stream, scores))
                heard[-1].hear(errors)
        except RecordingError as error:
            errors.append(error)
        except OSError as error:  # it vanished while it was looked at
            errors.append(RecordingError(f"{paths[0]}: {error.strerror or error}"))
        return Outcome(
            heard=tuple(one.heard() for one in heard),
            failures=tuple(Failure.of(error, paths) for error in errors),
            heard_s=min((one.heard_s for one in heard), default=0.0),
            start_utc=rfc3339(heard[0].stream.start) if heard else None,
            zoneless=any(one.source.known.local_start is not None for one in heard),
            scores=scores.close(),
        )


class _Channel:
    """What all models hear of one stream."""

    def __init__(self, analysis: Analysis, stream: Stream, scores: Packed) -> None:
        self.stream = stream
        floor = analysis.scores_floor
        self._ears = [_Ear(recogniser, stream, floor, scores) for recogniser in analysis.recognisers]
        self.source = self._ears[0].source

    @property
    def heard_s(self) -> float:
        """By every model."""
        return min(ear.effort.heard_s for ear in self._ears)

    def hear(self, errors: list[MonitorError]) -> None:
        """Run the pipeline; add why not all was heard."""
        blocks = until_broken(self.stream.blocks, errors.append)
        pipeline.run(blocks, self.stream.sample_rate, [ear.chain for ear in self._ears])
        errors += [error for ear in self._ears for error in ear.deaf()]

    def heard(self) -> Heard:
        """File by file."""
        length_s = max(ear.effort.length_s for ear in self._ears)
        return Heard.of(self.source.known, length_s, [row for ear in self._ears for row in ear.found.rows])


class _Ear:
    """What one model hears of one stream."""

    def __init__(self, recogniser: Recogniser, stream: Stream, floor: float | None, scores: Packed) -> None:
        clock = SampleClock(recogniser.sample_rate, stream.start, stream.quality)
        self.source = Source(stream.name, clock, 0.0, recogniser.name, stream.recorded)
        self._recogniser = recogniser
        self.found, self.effort = DetectionRows(self.source), _EffortTotal(recogniser.sample_rate)
        sinks: list[pipeline.Sink] = [self.found, self.effort]
        if floor is not None:
            sinks.append(ScoreRows(self.source, recogniser.classifier.contract.labels, floor, scores))
        self.chain = recogniser.chain(stream.id, clock, sinks)

    def deaf(self) -> list[RecordingError]:
        """Why it heard nothing, where it did not."""
        length_s, contract = self.effort.length_s, self._recogniser.classifier.contract
        if self.effort.heard_s > 0 or length_s == 0:
            return []
        told = f"{self.source.name}: {length_s:.2f} s are too short to judge for {contract.name}"
        return [RecordingError(f"{told}: at least {contract.window_s / 3:g} s expected")]


class _EffortTotal:
    """How much of one stream was heard."""

    def __init__(self, sample_rate: int) -> None:
        self._ledger, self._sample_rate = Ledger(lambda _: sys.maxsize), sample_rate
        self.heard_s = self.length_s = 0.0

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
            self.length_s = end_sample / self._sample_rate

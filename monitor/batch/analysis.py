"""One recording -> its outcome."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from monitor import pipeline
from monitor.batch.found import Failure
from monitor.batch.outcome import Outcome, Packed
from monitor.clock import SampleClock, minute_after, rfc3339
from monitor.effort import Minutes
from monitor.errors import MonitorError, RecordingError
from monitor.recogniser import Recogniser
from monitor.sinks.origin import Origin
from monitor.sinks.tables import DetectionRows, EffortRows, Heard, ScoreRows, Source
from monitor.sources import Stream, until_broken
from monitor.sources.recordings import Reading, open_recordings
from monitor.sources.remote import Named, here


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

    def outcome(self, paths: Sequence[Named]) -> Outcome:
        """Run a file, or files that continue each other, through the pipeline; what lies elsewhere is fetched first.

        What breaks off keeps what was found up to there; why, and why it cannot be opened or is too short for a model,
        are the outcome's failures.
        """
        errors: list[MonitorError] = []
        heard: list[_Channel] = []
        scores = Packed()
        try:
            with here(paths) as places:
                for stream in open_recordings(places, self.reading, errors.append):
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
        floor, clock = analysis.scores_floor, SampleClock(stream.sample_rate, stream.start, stream.quality)
        minutes = Minutes(stream.sample_rate, partial(minute_after, clock))
        self._ears = [_Ear(one, stream, minutes, floor, scores) for one in analysis.recognisers]
        self.source = self._ears[0].source

    @property
    def heard_s(self) -> float:
        """By every model."""
        return min(ear.heard_s for ear in self._ears)

    def hear(self, errors: list[MonitorError]) -> None:
        """Run the pipeline; add why not all was heard."""
        blocks = until_broken(self.stream.blocks, errors.append)
        pipeline.run(blocks, self.stream.sample_rate, [ear.chain for ear in self._ears])
        errors += [error for ear in self._ears for error in ear.deaf()]

    def heard(self) -> Heard:
        """File by file."""
        length_s = max(ear.length_s for ear in self._ears)
        return Heard.of(
            self.source.known,
            length_s,
            [row for ear in self._ears for row in ear.found.rows],
            [minute for ear in self._ears for minute in ear.effort.minutes],
            [hour for ear in self._ears for hour in ear.effort.hours],
        )


class _Ear:
    """What one model hears of one stream."""

    def __init__(
        self, recogniser: Recogniser, stream: Stream, minutes: Minutes, floor: float | None, scores: Packed
    ) -> None:
        """`minutes` are those of the stream."""
        clock = SampleClock(recogniser.sample_rate, stream.start, stream.quality)
        self.source = Source(stream.name, clock, 0.0, recogniser.name, stream.recorded)
        self._recogniser = recogniser
        name = os.fsencode(stream.name).decode(errors="replace")  # a file name need not be UTF-8, what is kept must
        origin = Origin(self.source.known.site or "", name, clock, recogniser.name)
        self.found, self.effort = DetectionRows(self.source), EffortRows(origin, minutes, stream.id)
        sinks: list[pipeline.Sink] = [self.found, self.effort]
        if floor is not None:
            sinks.append(ScoreRows(self.source, recogniser.classifier.contract.labels, floor, scores))
        self.chain = recogniser.chain(stream.id, clock, sinks)

    @property
    def heard_s(self) -> float:
        """What was heard."""
        return sum(minute.heard for minute in self.effort.minutes) / self._recogniser.sample_rate

    @property
    def length_s(self) -> float:
        """And what was not."""
        return sum(minute.elapsed for minute in self.effort.minutes) / self._recogniser.sample_rate

    def deaf(self) -> list[RecordingError]:
        """Why it heard nothing, where it did not."""
        length_s, contract = self.length_s, self._recogniser.classifier.contract
        if self.heard_s > 0 or length_s == 0:
            return []
        told = f"{self.source.name}: {length_s:.2f} s are too short to judge for {contract.name}"
        return [RecordingError(f"{told}: at least {contract.window_s / 3:g} s expected")]

"""A detection as a line of a table, and the sinks that collect such lines from the pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from monitor.clock import SampleClock, rfc3339
from monitor.contract import Label
from monitor.features import Floats
from monitor.recorded import Part, Recorded
from monitor.records import Detection, Gap, Taxon, Window


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; the fields are its columns. What nobody knows is None."""

    file: str
    """in which it begins"""
    onset_s: float
    """from the start of that file"""
    offset_s: float
    """the same: beyond its end, where a recording goes on in the next file"""
    scientific_name: str
    common_name: str
    confidence: float
    onset_utc: str | None
    offset_utc: str | None
    model: str
    label: str = ""
    """the model's own name of it"""
    id: str | None = None
    """of the detection; a single window has none"""
    channel: int | None = None
    """from 1; None: all of them, averaged"""
    site: str | None = None
    latitude: float | None = None
    longitude: float | None = None


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True)
class Source:
    """The recording that rows are about."""

    name: str
    clock: SampleClock
    """at the model's rate"""
    offset_s: float
    """what all files before it last together"""
    model: str
    """that heard it"""
    recorded: Recorded | None = None
    """None: a file of which no more is known"""

    @property
    def known(self) -> Recorded:
        """What is known of it."""
        return self.recorded or Recorded(self.clock.sample_rate, [Part(self.name, 0, None, self.clock.start)])


def row_of(
    source: Source,
    span: tuple[int, int],
    taxon: Taxon,
    confidence: float,
    detection: Detection | None = None,
    label: str = "",
) -> Row:
    """A row about samples `span` of a recording, which may be those of a detection."""
    known, rate = source.known, source.clock.sample_rate
    part = known.part_at(span[0], rate)
    onset_s, offset_s = (known.seconds(part, sample, rate) for sample in span)
    return Row(
        file=part.file,
        onset_s=round(onset_s, 3),
        offset_s=round(offset_s, 3),
        scientific_name=taxon.scientific_name,
        common_name=taxon.common_name,
        confidence=round(confidence, 4),
        onset_utc=rfc3339(part.utc(onset_s)),
        offset_utc=rfc3339(part.utc(offset_s)),
        model=source.model,
        label=label if detection is None else detection.label,
        id=None if detection is None else detection.id,
        channel=known.channel,
        site=known.site or None,
        latitude=None if known.position is None else known.position.latitude,
        longitude=None if known.position is None else known.position.longitude,
    )


class DetectionRows:
    """Collects the detections of one recording, in the order of their onsets when it has ended."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: list[tuple[int, Row]] = []

    @property
    def rows(self) -> list[Row]:
        """What has been found."""
        return [row for _onset, row in self._found]

    def heard(self, window: Window, scores: Floats) -> None:
        """Nothing to do."""

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

    def handle(self, detection: Detection) -> None:
        """Note a detection."""
        span = (detection.onset_sample, detection.offset_sample)
        row = row_of(self._source, span, detection.taxon, detection.confidence, detection)
        self._found.append((detection.onset_sample, row))

    def ended(self, end_sample: int) -> None:
        """Sort: detections come in the order in which they ended."""
        del end_sample
        self._found.sort(key=lambda found: (found[0], found[1].scientific_name))


class Written(Protocol):
    """What takes rows of one file."""

    def write(self, rows: Iterable[Row], file_offset_s: float) -> None:
        """Add rows; all files before theirs last `file_offset_s` together."""


class ScoreRows:
    """Writes every window and label at or above a floor, as they come."""

    def __init__(self, source: Source, labels: Sequence[Label], floor: float, table: Written) -> None:
        self._source, self._labels, self._floor, self._table = source, labels, floor, table

    def heard(self, window: Window, scores: Floats) -> None:
        """Write the window's rows."""
        span = (window.start_sample, window.end_sample)
        above = np.flatnonzero(scores >= self._floor).tolist()
        found = [(self._labels[index], float(scores[index])) for index in above]
        rows = [row_of(self._source, span, label.taxon, score, label=label.label) for label, score in found]
        self._table.write(rows, self._source.offset_s)

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

    def handle(self, detection: Detection) -> None:
        """Nothing to do."""

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""

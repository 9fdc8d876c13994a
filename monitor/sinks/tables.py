"""Detections as files that people open: CSV, JSON lines, Raven selection tables.

A table appears under its name when it is complete, never half written.
"""

import contextlib
import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

import numpy as np

from monitor.clock import SampleClock, rfc3339
from monitor.contract import Label
from monitor.errors import StoreError
from monitor.features import Floats
from monitor.records import Detection, Gap, Taxon, Window


class Format(StrEnum):
    """What a table of detections can be written as."""

    CSV = "csv"
    JSONL = "jsonl"
    RAVEN = "raven"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; the fields are its columns."""

    file: str
    onset_s: float
    offset_s: float
    scientific_name: str
    common_name: str
    confidence: float
    onset_utc: str | None
    offset_utc: str | None
    model: str


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True)
class Source:
    """The file that rows are about."""

    name: str
    clock: SampleClock
    """at the model's rate"""
    offset_s: float
    """what all files before it last together"""
    model: str
    """that heard it"""


def row_of(source: Source, span: tuple[int, int], taxon: Taxon, confidence: float) -> Row:
    """A row about samples `span` of a file."""
    (onset, offset), clock = span, source.clock
    return Row(
        file=source.name,
        onset_s=round(clock.seconds(onset), 3),
        offset_s=round(clock.seconds(offset), 3),
        scientific_name=taxon.scientific_name,
        common_name=taxon.common_name,
        confidence=round(confidence, 4),
        onset_utc=rfc3339(clock.utc(onset)),
        offset_utc=rfc3339(clock.utc(offset)),
        model=source.model,
    )


class Encoder(Protocol):
    """How one format writes its rows."""

    def begin(self, file: TextIO) -> None:
        """Write what stands above the rows."""

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row; all files before its own last `file_offset_s` together."""


class CsvRows:
    """Comma-separated, with a header."""

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        csv.writer(file, lineterminator="\n").writerow(COLUMNS)

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row; what is unknown stays empty."""
        del file_offset_s
        csv.writer(file, lineterminator="\n").writerow([getattr(row, column) for column in COLUMNS])


class JsonRows:
    """One JSON object a line."""

    def begin(self, file: TextIO) -> None:
        """Nothing stands above."""

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row."""
        del file_offset_s
        file.write(json.dumps({column: getattr(row, column) for column in COLUMNS}, ensure_ascii=False) + "\n")


_BLANKS = str.maketrans("\t\n\r", "   ")


class RavenRows:
    """A selection table of Raven Pro over all files: Begin Time counts through all of them, also empty ones."""

    def __init__(self, low_hz: float, high_hz: float) -> None:
        self._band_hz, self._selection = (low_hz, high_hz), 0

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        file.write(
            "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\t"
            "Scientific Name\tConfidence\tBegin Path\tFile Offset (s)\tModel\n"
        )

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a selection."""
        self._selection += 1
        cells: list[Any] = [self._selection, "Spectrogram 1", 1]
        cells += [f"{file_offset_s + row.onset_s:.3f}", f"{file_offset_s + row.offset_s:.3f}", *self._band_hz]
        cells += [row.common_name, row.scientific_name, row.confidence, row.file, row.onset_s, row.model]
        file.write("\t".join(str(cell).translate(_BLANKS) for cell in cells) + "\n")


class Table:
    """A file of rows that appears whole when it is closed without an error."""

    def __init__(self, path: Path, encoder: Encoder) -> None:
        """StoreError where the file cannot be created."""
        self.path, self._encoder = path, encoder
        self._partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            encoder.begin(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, rows: Iterable[Row], file_offset_s: float) -> None:
        """Add rows of one file. StoreError where the disk refuses."""
        try:
            for row in rows:
                self._encoder.write(self._file, row, file_offset_s)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._partial.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(f"table {self.path} cannot be written: {error.strerror or error}")


NAMES = {Format.CSV: "detections.csv", Format.JSONL: "detections.jsonl", Format.RAVEN: "detections.selections.txt"}


def detection_table(directory: Path, form: Format, band_hz: tuple[float, float]) -> Table:
    """The table of detections in a format; Raven's want to know between which frequencies they were looked for."""
    encoders: dict[Format, Encoder] = {
        Format.CSV: CsvRows(),
        Format.JSONL: JsonRows(),
        Format.RAVEN: RavenRows(*band_hz),
    }
    return Table(directory / NAMES[form], encoders[form])


def score_table(directory: Path) -> Table:
    """The table of single windows."""
    return Table(directory / "scores.csv", CsvRows())


class DetectionRows:
    """Collects the detections of one file, in the order of their onsets when it has ended."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.rows: list[Row] = []

    def heard(self, window: Window, scores: Floats) -> None:
        """Nothing to do."""

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

    def handle(self, detection: Detection) -> None:
        """Note a detection."""
        span = (detection.onset_sample, detection.offset_sample)
        self.rows.append(row_of(self._source, span, detection.taxon, detection.confidence))

    def ended(self, end_sample: int) -> None:
        """Sort: detections come in the order in which they ended."""
        del end_sample
        self.rows.sort(key=lambda row: (row.onset_s, row.scientific_name))


class ScoreRows:
    """Writes every window and label at or above a floor, as they come."""

    def __init__(self, source: Source, labels: Sequence[Label], floor: float, table: Table) -> None:
        self._source, self._labels, self._floor, self._table = source, labels, floor, table

    def heard(self, window: Window, scores: Floats) -> None:
        """Write the window's rows."""
        span = (window.start_sample, window.end_sample)
        above = np.flatnonzero(scores >= self._floor).tolist()
        rows = [row_of(self._source, span, self._labels[index].taxon, float(scores[index])) for index in above]
        self._table.write(rows, self._source.offset_s)

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

    def handle(self, detection: Detection) -> None:
        """Nothing to do."""

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""

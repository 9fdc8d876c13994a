"""Comma-separated tables: our own, BirdNET's and Kaleidoscope's."""

import csv
from pathlib import Path
from typing import TextIO

from monitor.sinks.tables.rows import COLUMNS, Row

BIRDNET_COLUMNS = ("Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File")
KALEIDOSCOPE_COLUMNS = ("INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST")


class CsvRows:
    """All that is known, with a header."""

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        _write(file, *COLUMNS)

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row; what is unknown stays empty."""
        del file_offset_s
        _write(file, *(getattr(row, column) for column in COLUMNS))


class BirdnetRows:
    """As BirdNET-Analyzer writes its CSV, for programs that read that."""

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        _write(file, *BIRDNET_COLUMNS)

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row."""
        del file_offset_s
        _write(file, row.onset_s, row.offset_s, row.scientific_name, row.common_name, row.confidence, row.file)


class KaleidoscopeRows:
    """As Kaleidoscope (Wildlife Acoustics) reads results. TOP1DIST is a distance there: 0 is certain."""

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        _write(file, *KALEIDOSCOPE_COLUMNS)

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row."""
        del file_offset_s
        path = Path(row.file)
        place = (path.parent.parent, path.parent.name, path.name)
        length_s, distance = round(row.offset_s - row.onset_s, 3), round(1 - row.confidence, 4)
        _write(file, *place, row.onset_s, length_s, row.scientific_name, distance)


def _write(file: TextIO, *cells: object) -> None:
    csv.writer(file, lineterminator="\n").writerow(cells)

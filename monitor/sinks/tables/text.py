"""JSON lines, Raven's selection tables and Audacity's labels."""

import json
from typing import TextIO

from monitor.sinks.tables.rows import COLUMNS, Row

_BLANKS = str.maketrans("\t\n\r", "   ")
RAVEN_COLUMNS = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Common Name", "Scientific Name", "Confidence", "Begin Path", "File Offset (s)", "Model"),
)


class JsonRows:
    """One JSON object a line."""

    def begin(self, file: TextIO) -> None:
        """Nothing stands above."""

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row."""
        del file_offset_s
        file.write(json.dumps({column: getattr(row, column) for column in COLUMNS}, ensure_ascii=False) + "\n")


class RavenRows:
    """A selection table of Raven Pro. Over several files, Begin Time counts through all of them, also empty ones."""

    def __init__(self, low_hz: float, high_hz: float) -> None:
        self._band_hz, self._selection = (low_hz, high_hz), 0

    def begin(self, file: TextIO) -> None:
        """Write the header."""
        file.write("\t".join(RAVEN_COLUMNS) + "\n")

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a selection."""
        self._selection += 1
        cells: list[object] = [self._selection, "Spectrogram 1", row.channel or 1]
        cells += [f"{file_offset_s + row.onset_s:.3f}", f"{file_offset_s + row.offset_s:.3f}", *self._band_hz]
        cells += [row.common_name, row.scientific_name, row.confidence, row.file, row.onset_s, row.model]
        _write(file, *cells)


class AudacityRows:
    """A label track of Audacity: start, end and text, without a header."""

    def begin(self, file: TextIO) -> None:
        """Nothing stands above."""

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a label."""
        start_s, end_s = file_offset_s + row.onset_s, file_offset_s + row.offset_s
        _write(file, f"{start_s:.6f}", f"{end_s:.6f}", f"{row.common_name} {row.confidence:.4f}")


def _write(file: TextIO, *cells: object) -> None:
    file.write("\t".join(str(cell).translate(_BLANKS) for cell in cells) + "\n")

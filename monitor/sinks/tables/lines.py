"""Tables of a line a detection: one over all files, or one for each."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self, TextIO

from monitor.sinks.tables.heard import HeardFile
from monitor.sinks.tables.rows import Row
from monitor.sinks.tables.whole import beside, refusing, whole


class Encoder(Protocol):
    """How one format writes its rows."""

    def begin(self, file: TextIO) -> None:
        """Write what stands above the rows."""

    def write(self, file: TextIO, row: Row, file_offset_s: float) -> None:
        """Write a row; all files before its own last `file_offset_s` together."""


class Table:
    """A file of rows that appears whole when it is closed without an error."""

    def __init__(self, path: Path, encoder: Encoder) -> None:
        """StoreError where the file cannot be created."""
        self.path, self._encoder = path, encoder
        with ExitStack() as stack:
            partial = stack.enter_context(whole(path))
            with refusing(path):
                opened = partial.open("w", encoding="utf-8", errors="surrogateescape", newline="")
                self._file = stack.enter_context(opened)
                encoder.begin(self._file)
            self._open = stack.pop_all()

    def add(self, file: HeardFile, file_offset_s: float) -> None:
        """Add what was found in a file."""
        self.write(file.rows, file_offset_s)

    def write(self, rows: Iterable[Row], file_offset_s: float) -> None:
        """Add rows of one file. StoreError where the disk refuses."""
        for row in rows:
            with refusing(self.path):
                self._encoder.write(self._file, row, file_offset_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        with refusing(self.path):
            self._open.__exit__(*reason)  # type: ignore[arg-type]


class TableEach:
    """A table for each file that was heard, empty where nothing was found: then it was looked for."""

    def __init__(self, folder: Path, suffix: str, encoder: Callable[[], Encoder]) -> None:
        self.path, self._suffix, self._encoder = folder, suffix, encoder

    def add(self, file: HeardFile, file_offset_s: float) -> None:
        """Write the table of a file; times count from its start. StoreError where the disk refuses."""
        del file_offset_s
        with Table(beside(self.path, file.name, self._suffix), self._encoder()) as table:
            table.write(file.rows, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        """Nothing is open."""

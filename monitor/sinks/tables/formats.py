"""Which formats there are, and how any number of them is opened at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

from monitor.sinks.database import FILE
from monitor.sinks.tables.annotated import AnnotatedCopies
from monitor.sinks.tables.delimited import BirdnetRows, CsvRows, KaleidoscopeRows
from monitor.sinks.tables.heard import Heard, HeardFile
from monitor.sinks.tables.lines import Table, TableEach
from monitor.sinks.tables.parquet import ParquetTable
from monitor.sinks.tables.store import StoreTable
from monitor.sinks.tables.text import AudacityRows, JsonRows, RavenRows


class Format(StrEnum):
    """What detections can be written as."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    RAVEN = "raven"
    """one selection table over all files"""
    RAVEN_EACH = "raven-each"
    """a selection table for each file"""
    AUDACITY = "audacity"
    KALEIDOSCOPE = "kaleidoscope"
    BIRDNET = "birdnet"
    SQLITE = "sqlite"
    """as a station keeps them"""
    GUANO = "guano"
    """copies of the WAVs in which something was found"""


NAMES = {
    Format.CSV: "detections.csv",
    Format.JSONL: "detections.jsonl",
    Format.PARQUET: "detections.parquet",
    Format.RAVEN: "detections.selections.txt",
    Format.RAVEN_EACH: "raven",
    Format.AUDACITY: "audacity",
    Format.KALEIDOSCOPE: "detections.kaleidoscope.csv",
    Format.BIRDNET: "detections.birdnet.csv",
    Format.SQLITE: FILE,
    Format.GUANO: "annotated",
}
"""of the file, or of the folder that holds a file for each recording"""


class FileTable(Protocol):
    """What one format makes of files, each of which it is given once, in order."""

    def add(self, file: HeardFile, file_offset_s: float) -> None:
        """Take a file; all before it last `file_offset_s` together. StoreError where the disk refuses."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *reason: object) -> None: ...


class Tables:
    """All formats at once. Recordings come in order, several channels of the same files one after the other."""

    def __init__(self, tables: Sequence[FileTable], stores: Sequence[StoreTable]) -> None:
        self._tables, self._stores = tables, stores
        self._waiting: list[HeardFile] = []
        self._offset_s = 0.0

    def add(self, heard: Heard) -> None:
        """Take what came of a recording. StoreError where the disk refuses."""
        for store in self._stores:
            store.add(heard)
        if [file.name for file in heard.files] == [file.name for file in self._waiting]:
            self._waiting = [_both(*files) for files in zip(self._waiting, heard.files, strict=True)]
            return
        self.flush()
        self._waiting = list(heard.files)

    def flush(self) -> None:
        """Nothing more comes of the files that were last."""
        for file in self._waiting:
            for table in self._tables:
                table.add(file, self._offset_s)
            self._offset_s += file.duration_s
        self._waiting = []


def _both(first: HeardFile, second: HeardFile) -> HeardFile:
    """What two channels of a file came to."""
    rows = sorted((*first.rows, *second.rows), key=lambda row: (row.onset_s, row.scientific_name, row.channel or 0))
    return HeardFile(first.name, max(first.duration_s, second.duration_s), rows)


@contextmanager
def open_tables(directory: Path, forms: Iterable[Format], band_hz: tuple[float, float]) -> Iterator[Tables]:
    """Tables in the formats asked for; Raven's want to know between which frequencies was looked.

    They appear when all is done without an error. StoreError where one cannot be written, ConfigError where one needs
    a library that is not there.
    """
    forms = dict.fromkeys(forms)
    with ExitStack() as stack:
        opened = [stack.enter_context(_table(directory, form, band_hz)) for form in forms if form != Format.SQLITE]
        stores = [stack.enter_context(StoreTable(directory / FILE)) for _ in range(Format.SQLITE in forms)]
        tables = Tables(opened, stores)
        yield tables
        tables.flush()


def _table(directory: Path, form: Format, band_hz: tuple[float, float]) -> FileTable:
    """How a format is written: the one place where all are named."""
    path = directory / NAMES[form]
    makers: dict[Format, Callable[[], FileTable]] = {
        Format.CSV: lambda: Table(path, CsvRows()),
        Format.JSONL: lambda: Table(path, JsonRows()),
        Format.PARQUET: lambda: ParquetTable(path),
        Format.RAVEN: lambda: Table(path, RavenRows(*band_hz)),
        Format.RAVEN_EACH: lambda: TableEach(path, ".selections.txt", lambda: RavenRows(*band_hz)),
        Format.AUDACITY: lambda: TableEach(path, ".labels.txt", AudacityRows),
        Format.KALEIDOSCOPE: lambda: Table(path, KaleidoscopeRows()),
        Format.BIRDNET: lambda: Table(path, BirdnetRows()),
        Format.GUANO: lambda: AnnotatedCopies(path),
    }
    return makers[form]()


def score_table(directory: Path) -> Table:
    """The table of single windows."""
    return Table(directory / "scores.csv", CsvRows())

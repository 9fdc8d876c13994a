"""A folder of fetched recordings: the audio, the table of what it is, and who is to be thanked.

`fetch` writes it, `survey` and `build` read the table. Every row of the table has a complete file, and the table
and the attribution are replaced at once or not at all, so that it may be killed at any moment.
"""

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from monitor.errors import RecordingError, StoreError

TABLE = "recordings.csv"
ATTRIBUTION = "ATTRIBUTION.md"
SEPARATOR = "; "
"""between the species of `also`"""


class Fetched(msgspec.Struct, frozen=True):
    """One recording of xeno-canto and all that its recordist said of it. An empty text: nothing was said."""

    file: str
    """relative to the folder of the table, with / between its parts"""
    id: str
    """XC and the catalogue number"""
    scientific_name: str
    common_name: str
    group: str
    """birds, grasshoppers, bats, frogs, land mammals"""
    recordist: str
    licence: str
    """address of the licence's text"""
    url: str
    """page of the recording"""
    country: str
    locality: str
    latitude: float | None
    """degrees, north is positive; None where the place is withheld"""
    longitude: float | None
    """degrees, east is positive"""
    date: str
    """YYYY-MM-DD, local; 00 where a part is not known"""
    time: str
    """HH:MM, local, or what the recordist wrote instead"""
    sound_type: str
    """song, call, ... as the recordist wrote it"""
    quality: str
    """A (best) to E, or `no score`"""
    length_s: float
    """0 where xeno-canto does not say"""
    sample_rate: int | None
    """Hz of the file that was uploaded"""
    also: tuple[str, ...]
    """scientific names of the species in the background"""
    sha256: str
    """of the file, in hexadecimal digits"""


class Collection:
    """What a folder holds, while one `fetch` adds to it. Made by `opened`."""

    def __init__(self, folder: Path, rows: Iterable[Fetched] = ()) -> None:
        self.folder = folder
        self._rows = list(rows)

    @property
    def rows(self) -> tuple[Fetched, ...]:
        """In the order in which they came."""
        return tuple(self._rows)

    def of(self, scientific_name: str) -> tuple[Fetched, ...]:
        """The recordings of one species."""
        return tuple(row for row in self._rows if row.scientific_name == scientific_name)

    def add(self, row: Fetched) -> None:
        """Write the table with one more row. OSError where it cannot be written; then the file of the row is gone."""
        self._rows.append(row)
        try:
            write_collection(self.folder, self._rows)
        except OSError:
            self._rows.pop()
            (self.folder / row.file).unlink(missing_ok=True)
            raise
        write_attribution(self.folder, self._rows)


@contextmanager
def opened(folder: Path) -> Iterator[Collection]:
    """Make or take up a folder: rows whose file is gone are left out, and what a killed `fetch` left is removed.

    StoreError where the folder cannot be written, also later, or where another `fetch` is at work in it;
    RecordingError where its table cannot be read.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _claim(handle, folder)
            for partial in _partials(folder):
                partial.unlink()
            collection = Collection(folder, rows_here(folder))
            if collection.rows:  # a kill may have come between the table and the attribution
                write_attribution(folder, collection.rows)
            yield collection
        finally:
            os.close(handle)


def rows_here(folder: Path) -> tuple[Fetched, ...]:
    """The rows of a folder whose file is there; none where there is no table yet. RecordingError as below."""
    if not (folder / TABLE).exists():
        return ()
    return tuple(row for row in read_collection(folder) if (folder / row.file).is_file())


def read_collection(folder: Path) -> tuple[Fetched, ...]:
    """The rows of a folder's table. RecordingError where it is missing, or lacks or misspells a column."""
    table = folder / TABLE
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            return tuple(_fetched(row, f"{table} line {reader.line_num}") for row in reader)
    except OSError as error:
        msg = f"no table of recordings at {table}: {error.strerror}"
        raise RecordingError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{table} is not a table of recordings: {error}"
        raise RecordingError(msg) from error


def write_collection(folder: Path, rows: Iterable[Fetched]) -> None:
    """Write the table anew, at once or not at all. OSError where it cannot be written."""
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, Fetched.__struct_fields__, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = msgspec.structs.asdict(row)
        writer.writerow(cells | {"also": SEPARATOR.join(row.also)})
    _replace(folder / TABLE, lines.getvalue())


def write_attribution(folder: Path, rows: Iterable[Fetched]) -> None:
    """Write who recorded what, under which licence, by species. OSError where it cannot be written."""
    by_species: dict[str, list[Fetched]] = {}
    for row in sorted(rows, key=lambda row: (row.scientific_name, row.recordist, row.id)):
        by_species.setdefault(row.scientific_name, []).append(row)
    parts = ["# Recordings from xeno-canto\n\nTo be named with whatever is made from them.\n"]
    for name, recordings in by_species.items():
        lines = [f"- {row.id}, {row.recordist or 'unnamed'}, <{row.licence}>, <{row.url}>\n" for row in recordings]
        common_name = recordings[0].common_name
        parts.append(f"\n## {name}{f' ({common_name})' if common_name else ''}\n\n{''.join(lines)}")
    _replace(folder / ATTRIBUTION, "".join(parts))


def _replace(path: Path, text: str) -> None:
    """A reader, and whoever comes after a kill, sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _partials(folder: Path) -> Sequence[Path]:
    """Only what `fetch` itself names so: the folder may hold more than its recordings."""
    tables = [folder / f".{name}.partial" for name in (TABLE, ATTRIBUTION)]
    return [path for path in (*tables, *folder.glob("*/.XC*.partial")) if path.is_file()]


def _claim(handle: int, folder: Path) -> None:
    """Two at work in one folder would overwrite each other's table. The claim ends with the process."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        msg = f"another fetch is at work in {folder}: wait for its end, or choose another folder with --out"
        raise StoreError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} cannot be written: choose another folder with --out"
        raise StoreError(msg)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place, why = error.filename or folder, error.strerror or error
        msg = f"{place} cannot be written: {why}; all that was fetched before is kept"
        raise StoreError(msg) from error


def _fetched(row: dict[str, str], where: str) -> Fetched:
    cells: dict[str, object] = dict(row)
    for column in ("latitude", "longitude", "sample_rate"):
        cells[column] = row.get(column) or None
    cells["also"] = [name for name in (row.get("also") or "").split(SEPARATOR) if name]
    try:
        return msgspec.convert(cells, Fetched, strict=False)
    except msgspec.ValidationError as error:
        msg = f"{where}: {error}"
        raise RecordingError(msg) from error

"""The table of what was fetched, beside the audio. `fetch` writes it, `survey` and `build` read it."""

import csv
from collections.abc import Iterable
from pathlib import Path

import msgspec

from monitor.errors import RecordingError

TABLE = "recordings.csv"
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
    sample_rate: int | None
    """Hz of the file that was uploaded"""
    also: tuple[str, ...]
    """scientific names of the species in the background"""
    sha256: str
    """of the file, in hexadecimal digits"""


def read_collection(folder: Path) -> tuple[Fetched, ...]:
    """The rows of a folder's table. RecordingError where it is missing, or lacks or misspells a column."""
    table = folder / TABLE
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except OSError as error:
        msg = f"no table of recordings at {table}: {error.strerror}"
        raise RecordingError(msg) from error
    return tuple(_fetched(row, f"{table} line {number}") for number, row in enumerate(rows, start=2))


def write_collection(folder: Path, rows: Iterable[Fetched]) -> None:
    """Write the table anew, at once or not at all."""
    partial = folder / f".{TABLE}.partial"
    with partial.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, Fetched.__struct_fields__, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = msgspec.structs.asdict(row)
            writer.writerow(cells | {"also": SEPARATOR.join(row.also)})
    partial.replace(folder / TABLE)


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

"""A BirdCLEF competition's training recordings with their metadata table, whose columns vary over the years."""

import ast
from collections.abc import Mapping
from pathlib import Path

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.layouts.files import without_row
from training.corpus.layouts.found import Candidate, Found
from training.corpus.layouts.kinship import Visit, catalogued, visit_keys
from training.corpus.layouts.tables import read_rows

TABLES = ("train_metadata.csv", "train.csv")
FOLDERS = ("train_audio", "train_short_audio")

Row = Mapping[str, str]


def is_birdclef(folder: Path) -> bool:
    """Whether a folder has this layout, or is the train_audio of one."""
    return _table(folder) is not None


def read_birdclef(folder: Path) -> Found:
    """Each recording under its primary label; a session is one author, place and day.

    RecordingError where there is no table, or it lacks a column, or secondary labels are no list.
    """
    table = _table(folder)
    if table is None:
        msg = f"{folder} has no {' or '.join(TABLES)} beside {FOLDERS[0]}: this is no BirdCLEF folder"
        raise RecordingError(msg)
    audio = next((path for name in FOLDERS if (path := table.parent / name).is_dir()), folder)
    rows = read_rows(table, ("filename",))
    _check_columns(rows, table)
    keys = visit_keys([_visit(row) for row in rows])
    candidates = tuple(
        Candidate(
            path=_path(audio, row),
            label=_label(row),
            source=_number(row) or row["filename"],
            keys=(*filter(None, (_number(row),)), *own),
            also=_secondary(row, table),
            recordist=row.get("author", ""),
            licence=row.get("license", ""),
        )
        for row, own in zip(rows, keys, strict=True)
    )
    taxa = {_label(row): _taxon(row) for row in rows}
    return Found(candidates, taxa, skipped=tuple(without_row(audio, (c.path for c in candidates), table)))


def _table(folder: Path) -> Path | None:
    above = folder.parent if folder.name in FOLDERS else folder
    beside = any((above / name).is_dir() for name in FOLDERS)
    return next((above / name for name in TABLES if beside and (above / name).is_file()), None)


def _check_columns(rows: list[dict[str, str]], table: Path) -> None:
    if rows and not {"primary_label", "ebird_code"} & set(rows[0]):
        msg = f"{table} lacks the column primary_label or ebird_code"
        raise RecordingError(msg)


def _label(row: Row) -> str:
    """The code; in 2020 it stood in ebird_code, and primary_label was a pair of names."""
    return row.get("ebird_code") or row["primary_label"]


def _taxon(row: Row) -> Taxon:
    scientific = row.get("scientific_name") or row.get("sci_name") or _label(row)
    return Taxon(scientific, row.get("common_name") or row.get("species") or scientific)


def _path(audio: Path, row: Row) -> Path:
    """`filename` is with its folder since 2022, before without."""
    path = audio / row["filename"]
    return path if path.exists() or "/" in row["filename"] else audio / _label(row) / row["filename"]


def _number(row: Row) -> str | None:
    return catalogued(row["filename"]) or _from_address(row.get("url", ""))


def _from_address(url: str) -> str | None:
    """https://xeno-canto.org/123 -> XC123."""
    number = url.rstrip("/").rsplit("/", 1)[-1]
    return f"XC{number}" if "xeno-canto" in url and number.isdigit() else None


def _visit(row: Row) -> Visit:
    place = row.get("location") or row.get("locality") or ""
    return Visit(
        row.get("author", ""), _degrees(row, "latitude"), _degrees(row, "longitude"), place, row.get("date", "")
    )


def _degrees(row: Row, column: str) -> float | None:
    """None where nobody said; the tables write nothing, nan or Not specified."""
    try:
        value = float(row.get(column, ""))
    except ValueError:
        return None
    return value if -180 <= value <= 180 else None  # noqa: PLR2004 - degrees


def _secondary(row: Row, table: Path) -> tuple[str, ...]:
    """The list that is written as Python writes one."""
    text = row.get("secondary_labels", "").strip() or "[]"
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        names = None
    if not isinstance(names, list | tuple):
        msg = f"{table}: secondary_labels must be a list as ['norcar'], got {text!r} in the row of {row['filename']}"
        raise RecordingError(msg)
    return tuple(str(name) for name in names if name)

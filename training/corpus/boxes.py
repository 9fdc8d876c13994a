"""Annotations -> boxes: CSV, selection tables of Raven, label tracks of Audacity."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from monitor.errors import RecordingError
from training.corpus.recordings import AUDIO, Box

CSV_COLUMNS = ("file", "begin_s", "end_s", "label")
RAVEN_BEGIN, RAVEN_END, RAVEN_OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
RAVEN_FILES = ("Begin Path", "Begin File")
RAVEN_NAMES = ("Scientific Name", "Species", "Common Name", "Species Code")
_RAVEN_TAIL = re.compile(r"(\.Table\.\d+)?(\.BirdNET)?\.selections?(\.table)?$", re.IGNORECASE)
_AUDACITY = re.compile(r"^\s*\d+([.,]\d+)?\t\s*\d+([.,]\d+)?(\t|$)")

Boxes = dict[str, list[Box]]
"""recording, as the table names it -> its boxes, empty where somebody looked and found nothing"""


@dataclass(frozen=True, slots=True)
class Matched:
    """Boxes of recordings, and the names in the tables that fit none."""

    boxes: Mapping[Path, tuple[Box, ...]]
    unmatched: tuple[str, ...]


def read_boxes(source: Path) -> tuple[Boxes, list[str]]:
    """Boxes of a table, or of all tables below a folder; and which files there are none.

    A box's name is what the table says. RecordingError where the source is missing or no table, or a box of a table
    makes no sense.
    """
    if not source.is_dir():
        return _table(source, _text(source)), []
    boxes: Boxes = {}
    others = []
    tables = sorted(path for path in source.rglob("*") if path.suffix.lower() in {".csv", ".txt", ".tsv"})
    for path in tables:
        if _kind(text := _text(path)) is None:
            others.append(str(path))
            continue
        for name, some in _table(path, text).items():
            boxes.setdefault(name, []).extend(some)
    if not boxes:
        msg = f"{source} holds no annotations: {_expected()}"
        raise RecordingError(msg)
    return boxes, others


def match(boxes: Mapping[str, Iterable[Box]], recordings: Iterable[Path]) -> Matched:
    """Find the recordings that the tables name: by name with or without its ending, then by the folders above it.

    RecordingError where a name fits more than one recording.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in recordings:
        by_stem.setdefault(_without_ending(path.name), []).append(path)
    found: dict[Path, set[Box]] = {}
    unmatched = []
    for name, some in boxes.items():
        parts = PurePosixPath(name.replace("\\", "/")).parts
        fitting = _fitting(parts, by_stem.get(_without_ending(parts[-1]) if parts else "", []))
        if not fitting:
            unmatched.append(name)
        elif len(fitting) > 1:
            msg = f"annotations of {name} fit {fitting[0]} and {fitting[1]}: name the recording with its folder"
            raise RecordingError(msg)
        else:
            found.setdefault(fitting[0], set()).update(some)
    ordered = {path: tuple(sorted(some, key=_order)) for path, some in found.items()}
    return Matched(ordered, tuple(unmatched))


def _order(box: Box) -> tuple[float, float, str]:
    return box.begin_s, box.end_s, box.scientific_name


def _fitting(parts: tuple[str, ...], candidates: list[Path]) -> list[Path]:
    """Those whose name, then whose folders, are the most like the parts of a name."""
    exact = [path for path in candidates if path.name == parts[-1]] or candidates
    for depth in range(2, len(parts) + 1):
        nearer = [path for path in exact if path.parts[-depth:-1] == parts[-depth:-1]]
        exact = nearer or exact
    return exact


def _table(table: Path, text: str) -> Boxes:
    kind = _kind(text)
    if kind is None:
        msg = f"{table} is no table of annotations: {_expected()}"
        raise RecordingError(msg)
    read = {"csv": _csv, "raven": _raven, "audacity": _audacity}[kind]
    boxes: Boxes = {}
    for line, name, cells in read(text, _named(table)):
        boxes.setdefault(name, []).append(_box(cells, f"{table} line {line}"))
    return boxes if boxes or kind == "csv" else {_named(table): []}


def _box(cells: tuple[str, str, str, str], where: str) -> Box:
    """Begin, end, where the begin lies in the file if that is another place, and name, as the table writes them."""
    try:
        begin_s, end_s, offset_s = (float((cell.strip() or cells[0]).replace(",", ".")) for cell in cells[:3])
    except ValueError as error:
        msg = f"{where}: begin and end must be seconds, got {', '.join(map(repr, cells[:3]))}"
        raise RecordingError(msg) from error
    begin_s, end_s = offset_s, round(end_s - begin_s + offset_s, 6)
    if not (math.isfinite(end_s) and 0 <= begin_s <= end_s):
        msg = f"{where}: a box must begin at 0 or later and end after that, got {begin_s:g} to {end_s:g} s"
        raise RecordingError(msg)
    return Box(begin_s, end_s, cells[3].strip())


Line = tuple[int, str, tuple[str, str, str, str]]
"""number, recording, cells of `_box`"""


def _csv(text: str, _own: str) -> Iterator[Line]:
    for number, row in enumerate(csv.DictReader(io.StringIO(text), restval=""), start=2):
        yield number, row["file"], (row["begin_s"], row["end_s"], "", row["label"])


def _raven(text: str, own: str) -> Iterator[Line]:
    """Times count from the first of all files where the table is about several; its file offset then is the begin.

    Each selection has a line for every view, which makes equal boxes: `match` keeps one.
    """
    for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter="\t", restval=""), start=2):
        file = next((row[column] for column in RAVEN_FILES if row.get(column)), own)
        name = next((row[column] for column in RAVEN_NAMES if row.get(column)), "")
        yield number, file, (row[RAVEN_BEGIN], row[RAVEN_END], row.get(RAVEN_OFFSET, ""), name)


def _audacity(text: str, own: str) -> Iterator[Line]:
    """A line that starts with a backslash holds the frequencies of the label above it."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("\\"):
            begin, end, name = (*line.split("\t"), "", "")[:3]
            yield number, own, (begin, end, "", name)


def _kind(text: str) -> str | None:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if {RAVEN_BEGIN, RAVEN_END} <= set(first.split("\t")):
        return "raven"
    if set(CSV_COLUMNS) <= {cell.strip('"') for cell in first.split(",")}:
        return "csv"
    return "audacity" if _AUDACITY.match(first) else None


def _text(table: Path) -> str:
    try:
        return table.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"annotations {table} cannot be read: {error.strerror or error}"
        raise RecordingError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"annotations {table} are no text in UTF-8: {error.reason} at byte {error.start}"
        raise RecordingError(msg) from error


def _named(table: Path) -> str:
    """The recording that a table without a column of files is about: a.Table.1.selections.txt -> a."""
    return _RAVEN_TAIL.sub("", table.stem)


def _without_ending(name: str) -> str:
    return name[: -len(ending)] if (ending := Path(name).suffix).lower() in AUDIO else name


def _expected() -> str:
    return (
        f"expected is a CSV file with the columns {', '.join(CSV_COLUMNS)}, a selection table of Raven or "
        "a label track of Audacity"
    )

"""Tables of our own and of other programs -> occurrences.

A table is known by what stands in it: a header with the columns of Raven (tab-separated, `Begin Time (s)`), of BirdNET
(`Start (s)`) or of a CSV (`onset_s` or `begin_s`), JSON lines, or, without a header, Audacity's labels.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from monitor.comparison.occurrences import Listed, Occurrence, recording_of
from monitor.errors import RecordingError

FILES = ("file", "begin path", "begin file", "filename", "in file")
ONSETS = ("onset_s", "begin_s", "start_s", "begin time (s)", "start (s)", "start", "begin")
OFFSETS = ("offset_s", "end_s", "stop_s", "end time (s)", "end (s)", "end")
SPECIES = ("scientific_name", "scientific name", "species", "label", "annotation", "common_name", "common name")
COMMON = ("common_name", "common name")
CONFIDENCES = ("confidence", "score")
_IN_FILE = "file offset (s)"
_OWN_SUFFIXES = re.compile(r"(\.(selections|labels|table\.\d+|birdnet\.(results|selection\.table)))+$", re.IGNORECASE)
"""what programs put between a recording's name and .txt"""
_SOUND = re.compile(r"\.(wav|flac|ogg|opus|mp3|aiff?|w64|rf64|caf|au|m4a|wma|wv)$", re.IGNORECASE)
_AUDACITY = re.compile(r"(?P<onset>-?\d+(?:\.\d+)?)\t(?P<offset>-?\d+(?:\.\d+)?)\t(?P<label>.*)")
_TRAILING = re.compile(r"(?P<name>.*?)[\s(]+(?P<confidence>[01](?:\.\d+)?)\)?")
"""a confidence behind a name, as ours and BirdNET's label tracks have it"""

Cells = Mapping[str, str]


def read(path: Path) -> Listed:
    """What a table says, or all tables below a folder. RecordingError, with the line, for what makes no sense."""
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in {".txt", ".csv", ".jsonl"})
    files = files if path.is_dir() else [path]
    if not files:
        msg = f"{path}: no tables in this folder: .txt, .csv or .jsonl expected"
        raise RecordingError(msg)
    listed = [_read(file) for file in files]
    occurrences = [one for found, _names in listed for one in found]
    return Listed(occurrences, frozenset(name for _found, names in listed for name in names))


def _read(path: Path) -> tuple[list[Occurrence], set[str]]:
    """What one table says, and of which recordings."""
    own = _own_recording(path)
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        found = list(_occurrences(path, own, text.replace("\r\n", "\n").removesuffix("\n").split("\n")))
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        msg = f"annotations {path}: {getattr(error, 'strerror', None) or error}"
        raise RecordingError(msg) from error
    return found, {one.recording for one in found} or {recording_of(own)}


def _own_recording(path: Path) -> str:
    """The recording that a table is about which does not name one: that of its own name."""
    name = _OWN_SUFFIXES.sub("", path.stem)
    return name if _SOUND.search(name) else f"{name}.wav"


def _occurrences(path: Path, own: str, lines: list[str]) -> Iterator[Occurrence]:
    if not lines[0].strip():
        return
    if path.suffix.lower() == ".jsonl":
        yield from (_of_cells(path, number, own, _json(line, number)) for number, line in enumerate(lines, 1))
    elif _AUDACITY.fullmatch(lines[0]):
        yield from _labels(path, own, lines)
    else:
        tabs = "\t" in lines[0]
        reader = csv.DictReader(
            lines, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL
        )
        _check(reader.fieldnames or ())
        for cells in reader:
            if (cells.get("View") or "").startswith("Waveform"):  # Raven writes a selection once for each view
                continue
            yield _of_cells(path, reader.line_num, own, cells)


def _json(line: str, number: int) -> Mapping[str, object]:
    cells = json.loads(line)
    if isinstance(cells, dict):
        return cells
    msg = f"line {number} is {line}: a JSON object expected"
    raise ValueError(msg)


def _check(columns: Iterable[str]) -> None:
    """ValueError where a column is missing."""
    names = {column.lower() for column in columns}
    for wanted in (ONSETS, OFFSETS, SPECIES):
        if not names & set(wanted):
            msg = f"no column {', '.join(wanted)} among {', '.join(sorted(names))!r}"
            raise ValueError(msg)


def _labels(path: Path, own: str, lines: list[str]) -> Iterator[Occurrence]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("\\"):  # a box's frequencies, on a line of their own
            continue
        label = _AUDACITY.fullmatch(line)
        if label is None:
            msg = f"line {number} is {line!r}: start, end and label with tabs between them expected"
            raise ValueError(msg)
        trailing = _TRAILING.fullmatch(label["label"])
        name, confidence = (trailing["name"], trailing["confidence"]) if trailing else (label["label"], "1")
        cells = {"start": label["onset"], "end": label["offset"], "label": name.strip(), "confidence": confidence}
        yield _of_cells(path, number, own, cells)


def _of_cells(path: Path, number: int, own: str, cells: Mapping[str, object]) -> Occurrence:
    """A line by its columns, whatever program named them."""
    known = {name.lower(): str(cell) for name, cell in cells.items() if name and cell is not None}
    try:
        onset_s, offset_s = float(_first(known, ONSETS)), float(_first(known, OFFSETS))
        confidence = float(_first(known, CONFIDENCES) or 1)
    except ValueError as error:
        msg = f"line {number}: {error}"
        raise ValueError(msg) from error
    if _IN_FILE in known:  # begin and end count through all files of the table, this does not
        onset_s, offset_s = float(known[_IN_FILE]), float(known[_IN_FILE]) + offset_s - onset_s
    species = _first(known, SPECIES)
    if not (0 <= onset_s <= offset_s and 0 <= confidence <= 1 and species):
        msg = f"line {number} of {path.name} is no occurrence: {', '.join(known.values())}"
        raise ValueError(msg)
    return Occurrence(_first(known, FILES) or own, onset_s, offset_s, species, _first(known, COMMON), confidence)


def _first(cells: Cells, names: Iterable[str]) -> str:
    """The first cell that is there and not empty."""
    return next((cells[name].strip() for name in names if cells.get(name, "").strip()), "")

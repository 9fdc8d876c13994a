"""Lists of labels that other programs write, in the order of the network's outputs.

`scientific_common`: one `Scientific name_Common name` a line, as BirdNET v2.4 has it. `csv`: a table with named
columns, or without a header and with numbered ones.
"""

import csv
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from monitor.contract.terms import Calibration, Count, Label
from monitor.errors import ModelError

FileName = Annotated[str, msgspec.Meta(pattern=r"^[^/\x00]+$")]
Column = str | Count
"""its name in the header, or, without a header, its number from 1"""
Named = tuple[str, str, str]
"""label, scientific name, common name"""

_BINOMIAL = re.compile(r"[A-Z][a-z-]+ [a-z-]{2,}")
_TRINOMIAL = re.compile(r"[A-Z][a-z-]+ [a-z-]{2,} [a-z-]{2,}")


class LabelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the labels stand, and how they are written."""

    file: FileName
    """beside the contract"""
    format: Literal["scientific_common", "csv"] = "scientific_common"
    separator: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    scientific: Column = "scientific_name"
    common: Column | None = None
    """None: there are no common names, so the scientific one stands for it"""


def read_labels(listed: LabelFile, folder: Path, threshold: float) -> list[Label]:
    """The labels of a file, each with the same threshold and no calibration.

    ModelError, naming file and line, where it is missing, is no UTF-8, lacks a column or holds a label twice.
    """
    path = folder / listed.file
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"labels {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ModelError(msg) from error
    try:
        named = _of_lines(text) if listed.format == "scientific_common" else _of_table(text, listed)
        _check_unique([label for label, _scientific, _common in named])
    except ModelError as error:
        msg = f"labels {path}: {error}"
        raise ModelError(msg) from error
    ranks = [_rank(names, listed.format) for names in named]
    return [Label(*names, rank, threshold, Calibration()) for names, rank in zip(named, ranks, strict=True)]


def _of_lines(text: str) -> list[Named]:
    named = []
    for number, line in enumerate(text.rstrip().splitlines(), 1):
        label = line.strip()
        scientific, _, common = label.partition("_")
        if not label:
            msg = f"line {number} is empty: a name expected"
            raise ModelError(msg)
        named.append((label, scientific.strip(), common.strip() or scientific.strip()))
    return named


def _of_table(text: str, listed: LabelFile) -> list[Named]:
    rows = list(csv.reader(text.rstrip().splitlines(), delimiter=listed.separator))
    header = [] if isinstance(listed.scientific, int) else rows[0] if rows else []
    first = 0 if isinstance(listed.scientific, int) else 1
    scientific_at = _place(listed.scientific, header)
    common_at = scientific_at if listed.common is None else _place(listed.common, header)
    named = []
    for number, row in enumerate(rows[first:], first + 1):
        if max(scientific_at, common_at) >= len(row) or not row[scientific_at].strip():
            msg = f"line {number} has no name in column {listed.scientific!r}, or too few columns: {row}"
            raise ModelError(msg)
        scientific = row[scientific_at].strip()
        named.append((scientific, scientific, row[common_at].strip() or scientific))
    return named


def _place(column: Column, header: Sequence[str]) -> int:
    if isinstance(column, int):
        return column - 1
    if column not in header:
        near = difflib.get_close_matches(column, header, n=1, cutoff=0.0)
        msg = f"no column {column!r}; there are {', '.join(map(repr, header)) or 'none'}"
        raise ModelError(msg + (f"; did you mean {near[0]!r}?" if near else ""))
    return header.index(column)


def _check_unique(labels: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for number, label in enumerate(labels, 1):
        if label in seen:
            msg = f"{label!r} is both label {seen[label]} and label {number}: each once expected"
            raise ModelError(msg)
        seen[label] = number


def _rank(names: Named, form: str) -> Literal["species", "subspecies", "sound"]:
    """What the name looks like; BirdNET v2.4 writes what is no animal as `Engine_Engine`."""
    _label, scientific, common = names
    if form == "scientific_common" and scientific == common:
        return "sound"
    if _TRINOMIAL.fullmatch(scientific):
        return "subspecies"
    return "species" if _BINOMIAL.fullmatch(scientific) else "sound"

"""CSV tables with known columns."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from monitor.errors import RecordingError

Number = TypeVar("Number", int, float)


def read_rows(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table that has at least `columns`; what a short row lacks is empty.

    RecordingError where the table is missing, is no text, or lacks a column.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            rows = list(reader)
    except OSError as error:
        msg = f"no table of recordings at {table}: {error.strerror}"
        raise RecordingError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{table} is no table of text in UTF-8 with commas between its cells: {error}"
        raise RecordingError(msg) from error
    if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
        msg = f"{table} lacks the column {', '.join(missing)}: expected are {', '.join(columns)}"
        raise RecordingError(msg)
    return rows


def number(row: Mapping[str, str], column: str, kind: Callable[[str], Number], table: Path) -> Number:
    """A cell as a number. RecordingError where it is none."""
    try:
        return kind(row[column])
    except ValueError as error:
        msg = f"{table}: {column} must be a number, got {row[column]!r} in the row of {row.get('file', '?')}"
        raise RecordingError(msg) from error

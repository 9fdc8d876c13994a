"""A table of what each choice of a recipe brought: from a CSV file into the contract, and so onto the card."""

import csv
from pathlib import Path

from monitor.errors import ModelError

Table = list[list[str]]
"""a row each, the head first, all as long as the head"""


def read_choices(path: Path) -> Table:
    """Read a CSV file in UTF-8. ModelError where it is missing, no text, has no row, or has rows of another length."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except OSError as error:
        msg = f"choices {path} cannot be read: {error.strerror or error}"
        raise ModelError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"choices {path} are no CSV file in UTF-8: {error}"
        raise ModelError(msg) from error
    if len(rows) < 2:  # noqa: PLR2004 a head and what it is the head of
        msg = f"choices {path} hold no row: expected are a head and at least one row"
        raise ModelError(msg)
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            msg = f"choices {path}, row {number}, have {len(row)} cells: expected are {len(rows[0])}, as in the head"
            raise ModelError(msg)
    return rows

"""Tables as files: CSV, or Parquet by pyarrow, which the extra `fleet` brings. Rows are written as they are made."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.sinks.tables.parquet import ROW_GROUP, require
from monitor.sinks.tables.whole import refusing, whole

if TYPE_CHECKING:
    import pyarrow as pa

Row = Sequence[object]


class Form(StrEnum):
    """How a table is written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """Its name without a suffix, its columns and what they hold, and rows; `datetime` stands for UTC as RFC 3339."""

    name: str
    columns: Mapping[str, type]
    rows: Iterable[Row]


def check(forms: Iterable[Form]) -> None:
    """ConfigError where one cannot be written for want of a library."""
    if Form.PARQUET in forms:
        require()


def write_table(folder: Path, table: Table, forms: Iterable[Form] = (Form.CSV,)) -> None:
    """A table in each form, which appears whole. StoreError where it cannot be written.

    Its rows are asked for once for each form: an iterator does for one.
    """
    for form in forms:
        path = folder / f"{table.name}.{form}"
        if form is Form.CSV:
            _write_csv(path, table)
        else:
            _write_parquet(path, table)


def _write_csv(path: Path, table: Table) -> None:
    with whole(path) as partial, refusing(path), partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)


def _write_parquet(path: Path, table: Table) -> None:
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    schema = _schema(table.columns)
    with whole(path) as partial, refusing(path), ParquetWriter(partial, schema, compression="zstd") as writer:
        for batch in _batches(table, schema):
            writer.write_batch(batch)


def _schema(columns: Mapping[str, type]) -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415

    kinds = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        date: pa.date32(),
        datetime: pa.timestamp("ms", tz="UTC"),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def _batches(table: Table, schema: "pa.Schema") -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa  # noqa: PLC0415

    rows, kinds = iter(table.rows), list(table.columns.values())
    while some := list(islice(rows, ROW_GROUP)):
        cells = [
            [_cell(cell, kind) for cell in column] for column, kind in zip(zip(*some, strict=True), kinds, strict=True)
        ]
        arrays = [pa.array(column, type=field.type) for column, field in zip(cells, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _cell(cell: object, kind: type) -> object:
    """A cell of CSV as Arrow takes it: what is empty there, and is no text, is not known."""
    if cell is None or (cell == "" and kind is not str):
        return None
    if kind is datetime:
        return datetime.fromisoformat(str(cell))
    return str(cell) if kind is str else cell

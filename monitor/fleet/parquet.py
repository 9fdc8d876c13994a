"""Rows as Parquet files, and detections read from them with their corrections."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitor.fleet.columns import TABLES, Cell, Column, Kind
from monitor.fleet.letters import moment

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 20_000
"""rows that are in memory at once"""


def write_file(path: Path, columns: Sequence[Column], rows: Iterator[Sequence[Cell]]) -> None:
    """Write rows into a file that appears whole, and stays when the power goes. OSError where the disk refuses."""
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    schema = _schema(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")  # which readers of a folder pass over
    with partial.open("wb") as file:
        with ParquetWriter(file, schema, compression="zstd") as writer:
            while group := list(islice(rows, ROW_GROUP)):
                writer.write_batch(_batch(schema, columns, group))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    for folder in (path.parent, path.parent.parent):
        sync(folder)


def corrected(folders: Sequence[Path], of: Literal["detections", "effort"] = "detections") -> "pa.Table":
    """All detections, or accounts of effort, of some folders as one table, each with the times of its last correction.

    What was published is in the files as it came: a correction may come before what it corrects, and in another file.
    """
    from pyarrow import compute, dataset  # noqa: PLC0415

    def held(table: str) -> "pa.Table":
        files = [str(path) for folder in folders for path in sorted((folder / table).glob("received=*/*.parquet"))]
        return dataset.dataset(files, schema=_schema(TABLES[table])).to_table()

    start, end = ("onset_utc", "offset_utc") if of == "detections" else ("start_utc", "end_utc")
    right = held("corrections").filter(compute.field("of") == of)
    right = right.sort_by([("generation", "ascending"), ("sequence", "ascending")])
    names = ("onset_utc", "offset_utc", "clock_quality", "clock_error_s")
    last = right.group_by(["station", "id"], use_threads=False).aggregate(
        [(name, "last", compute.ScalarAggregateOptions(skip_nulls=False)) for name in names]
    )
    joined = held(of).join(last, ["station", "id"], join_type="left outer")
    is_right = compute.is_valid(joined["clock_quality_last"])
    for name, by in zip((start, end, "clock_quality", "clock_error_s"), names, strict=True):
        values = compute.if_else(is_right, joined[f"{by}_last"], joined[name])
        joined = joined.set_column(joined.schema.get_field_index(name), name, values)
    return joined.drop_columns([f"{name}_last" for name in names]).append_column("corrected", is_right)


def sync(folder: Path) -> None:
    """Let the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _schema(columns: Sequence[Column]) -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415

    types = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.REAL: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.TIME: pa.timestamp("ms", tz="UTC"),
        Kind.JSON: pa.string(),
        Kind.BYTES: pa.binary(),
    }
    return pa.schema([(column.name, types[column.kind]) for column in columns])


def _batch(schema: "pa.Schema", columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> "pa.RecordBatch":
    import pyarrow as pa  # noqa: PLC0415

    read = {Kind.TIME: _time, Kind.BOOLEAN: bool}
    cells = zip(*rows, strict=True)
    arrays = [
        pa.array([_read(read.get(column.kind), cell) for cell in held], type=field.type)
        for column, field, held in zip(columns, schema, cells, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _time(cell: Any) -> Any:  # noqa: ANN401
    return moment(cell)


def _read(read: Any, cell: Cell) -> Any:  # noqa: ANN401
    """A cell as Arrow takes it: SQLite keeps times as text and knows no truth."""
    return cell if read is None or cell is None else read(cell)

"""Detections as a Parquet file, by pyarrow, which the extra `fleet` brings."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitor.errors import ConfigError
from monitor.sinks.tables.heard import HeardFile
from monitor.sinks.tables.rows import COLUMNS, Row
from monitor.sinks.tables.whole import refusing, whole

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 20_000
"""rows that are in memory at once"""
_TIMES = ("onset_utc", "offset_utc")
_REALS = ("onset_s", "offset_s", "confidence", "latitude", "longitude")


def require() -> None:
    """ConfigError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415
    except ImportError as error:
        msg = "Parquet files need pyarrow, which is not installed: pip install 'dawnchorus[fleet]'"
        raise ConfigError(msg) from error


class ParquetTable:
    """All detections as columns: text, 64-bit floats, and times in UTC with milliseconds."""

    def __init__(self, path: Path) -> None:
        """ConfigError where pyarrow is not installed, StoreError where the file cannot be created."""
        require()
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

        self.path, self._schema = path, _schema()
        self._waiting: list[Row] = []
        with ExitStack() as stack:
            partial = stack.enter_context(whole(path))
            with refusing(path):
                file = stack.enter_context(partial.open("wb"))
                self._writer = stack.enter_context(ParquetWriter(file, self._schema, compression="zstd"))
            stack.push(self._finish)
            self._open = stack.pop_all()

    def add(self, file: HeardFile, file_offset_s: float) -> None:
        """Add what was found in a file. StoreError where the disk refuses."""
        del file_offset_s
        self._waiting += file.rows
        while len(self._waiting) >= ROW_GROUP:
            self._write(self._waiting[:ROW_GROUP])
            del self._waiting[:ROW_GROUP]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        with refusing(self.path):
            self._open.__exit__(*reason)  # type: ignore[arg-type]

    def _finish(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None and self._waiting:
            self._write(self._waiting)

    def _write(self, rows: Sequence[Row]) -> None:
        import pyarrow as pa  # noqa: PLC0415

        columns = [pa.array([_cell(row, field.name) for row in rows], type=field.type) for field in self._schema]
        with refusing(self.path):
            self._writer.write_batch(pa.record_batch(columns, schema=self._schema))


def _schema() -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415

    types = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(_REALS, pa.float64())
    types |= dict.fromkeys(_TIMES, pa.timestamp("ms", tz="UTC")) | {"channel": pa.int64()}
    return pa.schema(list(types.items()))


def _cell(row: Row, column: str) -> object:
    """A cell as Arrow takes it: a name need not be UTF-8, what is kept must."""
    cell: object = getattr(row, column)
    if column in _TIMES and isinstance(cell, str):
        return datetime.fromisoformat(cell)
    return cell.encode(errors="surrogateescape").decode(errors="replace") if isinstance(cell, str) else cell

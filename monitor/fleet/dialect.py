"""What SQLite and PostgreSQL say differently, and the tables of an archive in either."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from monitor.fleet.columns import TABLES, Column, Kind


class Cursor(Protocol):
    """What the cursors of both databases can do."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Any:  # noqa: ANN401
        """Run a statement."""

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Any:  # noqa: ANN401
        """Run a statement for each row."""

    def fetchall(self) -> list[Any]:
        """The rows of the last statement."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the two databases say differently."""

    mark: str
    """stands for a value in a statement"""
    types: Mapping[Kind, str]
    place: str = ""
    """definition of a further column that counts the rows of a table in the order in which they came"""
    clustered: str = ""
    """after the definition of a table that is the index of its primary key"""

    def marks(self, count: int) -> str:
        """Stand for so many values."""
        return ", ".join([self.mark] * count)

    def tables(self) -> Iterator[str]:
        """Statements that make what is not there."""
        integer, text, blob, time = (self.types[k] for k in (Kind.INTEGER, Kind.TEXT, Kind.BYTES, Kind.TIME))
        yield (
            f"CREATE TABLE IF NOT EXISTS receipts (station {text} NOT NULL, sequence {integer} NOT NULL, "
            f"generation {integer} NOT NULL, digest {blob} NOT NULL, "
            f"PRIMARY KEY (station, sequence, generation)) {self.clustered}"
        )
        yield "CREATE INDEX IF NOT EXISTS receipts_digest ON receipts (digest)"
        yield (
            f"CREATE TABLE IF NOT EXISTS dropped (station {text} NOT NULL, generation {integer} NOT NULL, "
            f"first_sequence {integer} NOT NULL, last_sequence {integer} NOT NULL, "
            "PRIMARY KEY (station, generation, first_sequence, last_sequence))"
        )
        yield (
            f"CREATE TABLE IF NOT EXISTS stations (station {text} PRIMARY KEY, generation {integer} NOT NULL, "
            f"heard_utc {time}, state {text}, version {text}, started_utc {time}, "
            f"announced {integer} NOT NULL, waiting {integer} NOT NULL)"
        )
        yield f"CREATE TABLE IF NOT EXISTS unread (digest {blob} PRIMARY KEY)"
        for name, columns in TABLES.items():
            parts = [self.place] if self.place else []
            parts += [self.defined(column) for column in columns]
            yield f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(parts)})"

    def defined(self, column: Column) -> str:
        """The definition of a column."""
        return f'"{column.name}" {self.types[column.kind]}'

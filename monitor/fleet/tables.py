"""What is written to the tables of an archive in one transaction, in SQL that SQLite and PostgreSQL share.

A message, the receipt for its number and what is known of its station are one transaction, and only then the broker
gets its acknowledgement: whatever ends the collector, a message is here with its receipt, or it is sent again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from monitor.clock import rfc3339
from monitor.fleet.columns import TABLES, Cell, cells
from monitor.fleet.dialect import Cursor, Dialect
from monitor.fleet.gaps import Heard, Holdings, Numbered, Span
from monitor.fleet.letters import Item, Number, Unread, Word, digest
from monitor.fleet.receipts import Receipt, Receipts
from monitor.messages import DroppedMessage, StatusMessage

AT_ONCE = 1000
"""items of a transaction at most: SQLite takes 32,766 values in a statement"""


def write(cursor: Cursor, dialect: Dialect, items: Sequence[Item], received_utc: str) -> None:
    """Write what is new of at most `AT_ONCE` items; the caller begins the transaction and commits it."""
    books = _Books(cursor, dialect)
    numbers = [item.number for item in items if not isinstance(item, Word) and item.number]
    books.hear(items, received_utc)
    receipts = books.receipts(numbers)
    rows: dict[str, list[tuple[Cell, ...]]] = {name: [] for name in TABLES}
    fresh: list[Receipt] = []
    for item in items:
        if isinstance(item, Word):
            books.note(item)
            continue
        receipt = receipts.receive(item.number) if item.number else None
        if receipt and receipt.fresh:
            fresh.append(receipt)
        if isinstance(item, Unread):
            if books.is_unknown(digest(item.topic, item.payload)):
                rows["rejected"].append((item.topic, item.payload, item.reason, received_utc))
        elif receipt and isinstance(item.message, DroppedMessage):
            books.drop(item.message, receipt.generation)
        elif receipt and receipt.new:
            rows[item.level].append(cells(item.message, receipt.generation, received_utc))
    books.keep(rows, fresh, receipts.generations)


def holdings(cursor: Cursor) -> Holdings:
    """What is here."""
    received: dict[Numbered, list[Span]] = {}
    cursor.execute(_ISLANDS)
    for station, generation, first, last in cursor.fetchall():
        received.setdefault((station, generation), []).append((first, last))
    dropped: dict[Numbered, list[Span]] = {}
    cursor.execute("SELECT station, generation, first_sequence, last_sequence FROM dropped")
    for station, generation, first, last in cursor.fetchall():
        dropped.setdefault((station, generation), []).append((first, last))
    cursor.execute("SELECT station, heard_utc, generation, state, announced, waiting FROM stations")
    heard = {row[0]: Heard(_text(row[1]), *row[2:]) for row in cursor.fetchall()}
    cursor.execute("SELECT count(*) FROM unread")
    return Holdings(received, dropped, heard, cursor.fetchall()[0][0])


_ISLANDS = """
SELECT station, generation, min(sequence), max(sequence) FROM (
    SELECT station, generation, sequence,
        sequence - row_number() OVER (PARTITION BY station, generation ORDER BY sequence) AS island
    FROM receipts
) AS numbered
GROUP BY station, generation, island
"""
"""consecutive numbers differ from their rank by the same amount"""


def _text(time: datetime | str | None) -> str | None:
    """A time as RFC 3339, as SQLite holds it."""
    return rfc3339(time) if isinstance(time, datetime) else time


def _stations(items: Iterable[Item]) -> dict[str, bool]:
    """All that are spoken of, in order, and whether they spoke themselves just now: the broker speaks for the dead."""
    stations: dict[str, bool] = {}
    for item in items:
        if isinstance(item, Word):
            name, alive = item.message.station, not item.retained and getattr(item.message, "state", "") != "offline"
        elif item.number is not None:
            name, alive = item.number.station, True
        else:
            continue
        stations[name] = stations.get(name, False) or alive
    return dict(sorted(stations.items()))


class _Books:
    """What is written beside the messages."""

    def __init__(self, cursor: Cursor, dialect: Dialect) -> None:
        self._cursor, self._dialect, self._mark = cursor, dialect, dialect.mark

    def hear(self, items: Sequence[Item], received_utc: str) -> None:
        """Note which stations live. This locks them, in order, so that several collectors decide one by one."""
        statement = (
            f"INSERT INTO stations (station, generation, heard_utc, announced, waiting) "  # noqa: S608
            f"VALUES ({self._mark}, 1, {self._mark}, 0, 0) "
            "ON CONFLICT (station) DO UPDATE SET heard_utc = coalesce(excluded.heard_utc, stations.heard_utc)"
        )
        stations = _stations(items)
        self._cursor.executemany(
            statement, [(name, received_utc if alive else None) for name, alive in stations.items()]
        )

    def receipts(self, numbers: Sequence[Number]) -> Receipts:
        """What has to be known to decide about these."""
        if not numbers:
            return Receipts([], {})
        marks, columns = self._dialect.marks, "station, sequence, digest, generation"
        held: set[tuple[Number, int]] = set()
        self._cursor.execute(
            f"SELECT {columns} FROM receipts WHERE digest IN ({marks(len(numbers))})",  # noqa: S608
            [number.digest for number in numbers],
        )
        held.update((Number(*row[:3]), row[3]) for row in self._cursor.fetchall())
        pairs = ", ".join([f"({marks(2)})"] * len(numbers))
        self._cursor.execute(
            f"SELECT {columns} FROM receipts WHERE (station, sequence) IN (VALUES {pairs})",  # noqa: S608
            [value for number in numbers for value in (number.station, number.sequence)],
        )
        held.update((Number(*row[:3]), row[3]) for row in self._cursor.fetchall())
        stations = sorted({number.station for number in numbers})
        self._cursor.execute(
            f"SELECT station, generation FROM stations WHERE station IN ({marks(len(stations))})",  # noqa: S608
            stations,
        )
        return Receipts(held, dict(self._cursor.fetchall()))

    def note(self, word: Word) -> None:
        """How a station fares."""
        message, mark = word.message, self._mark
        if isinstance(message, StatusMessage):
            columns: dict[str, Cell] = {"state": message.state, "version": message.version}
            columns["started_utc"] = message.started_utc
        elif message.outbox is not None:
            columns = {"announced": message.outbox.last_sequence, "waiting": message.outbox.rows}
        else:
            return
        changes = ", ".join(f"{name} = {mark}" for name in columns)
        statement = f"UPDATE stations SET {changes} WHERE station = {mark}"  # noqa: S608
        self._cursor.execute(statement, (*columns.values(), message.station))

    def is_unknown(self, unread: bytes) -> bool:
        """Whether what cannot be read has come for the first time."""
        self._cursor.execute(f"INSERT INTO unread VALUES ({self._mark}) ON CONFLICT DO NOTHING", (unread,))  # noqa: S608
        return self._cursor.rowcount > 0

    def drop(self, message: DroppedMessage, generation: int) -> None:
        """A station has given up some. The same message may come again and say more."""
        row = (message.station, generation, message.first_sequence, message.last_sequence)
        statement = f"INSERT INTO dropped VALUES ({self._dialect.marks(len(row))}) ON CONFLICT DO NOTHING"  # noqa: S608
        self._cursor.execute(statement, row)

    def keep(
        self,
        rows: Mapping[str, Sequence[tuple[Cell, ...]]],
        receipts: Sequence[Receipt],
        generations: Mapping[str, int],
    ) -> None:
        """Messages, and the receipts for their numbers."""
        for table, added in rows.items():
            names = ", ".join(f'"{column.name}"' for column in TABLES[table])
            marks = self._dialect.marks(len(TABLES[table]))
            if added:
                self._cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", added)  # noqa: S608
        self._cursor.executemany(
            f"INSERT INTO receipts VALUES ({self._dialect.marks(4)})",  # noqa: S608
            [(r.number.station, r.number.sequence, r.generation, r.number.digest) for r in receipts],
        )
        self._cursor.executemany(
            f"UPDATE stations SET generation = {self._mark} WHERE station = {self._mark} "  # noqa: S608
            f"AND generation <> {self._mark}",
            [(generation, station, generation) for station, generation in sorted(generations.items())],
        )

"""How a message comes into the outbox, and what is given up where that would grow beyond its bounds."""

import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from monitor.messages import DeliveredMessage, DroppedMessage
from monitor.sinks.outbox import TOMBSTONES, TOPICS, Build, M

Reason = Literal["rows", "bytes"]

MOST_DROPPED = 1000
"""rows in one transaction: who lowers a bound must not make everybody wait"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait in the outbox; the message that has just come and a tombstone come on top of it."""

    rows: int
    payload_bytes: int

    def passed(self, rows: int, payload_bytes: int) -> Reason | None:
        """Which of the two is."""
        if rows > self.rows:
            return "rows"
        return "bytes" if payload_bytes > self.payload_bytes else None

    def roomier(self) -> "Bounds":
        """What is left once a bound was passed: a little less, so that not every message makes another go."""
        return Bounds(self.rows - min(50, self.rows // 100), self.payload_bytes - self.payload_bytes // 1000)


@dataclass(slots=True)
class _Dropped:
    """The oldest rows, which have to go."""

    first: int
    last: int
    messages: int = 0
    told: int = 0
    """what tombstones among them told of, and these themselves"""


def built(cursor: sqlite3.Cursor, build: Build[M]) -> M:
    """A message with the next number; they count from 1 without a hole, also over restarts."""
    (last,) = cursor.execute("SELECT last_sequence FROM outbox_totals").fetchone()
    return build(last + 1)


def enqueue(cursor: sqlite3.Cursor, message: DeliveredMessage) -> None:
    """Put a message that was just built at the end of the outbox."""
    row = message.sequence, TOPICS[type(message)], msgspec.json.encode(message)
    cursor.execute("INSERT INTO outbox VALUES (?, ?, ?)", row)


def keep_within(cursor: sqlite3.Cursor, bounds: Bounds, station: str) -> int:
    """Give up the oldest messages where there are too many; return how many.

    A tombstone, which is a DroppedMessage in the outbox, says which. One that nobody has begun to send is extended;
    of one that is itself among the oldest a new one says what it said.
    """
    rows, size, newest = cursor.execute("SELECT rows, bytes, last_sequence FROM outbox_totals").fetchone()
    reason = bounds.passed(rows, size)
    if reason is None:
        return 0
    oldest = "SELECT sequence, topic, payload FROM outbox WHERE sequence < ? ORDER BY sequence LIMIT ?"
    dropped = _choose(cursor.execute(oldest, (newest, MOST_DROPPED)), bounds.roomier(), rows, size)
    if dropped is None:
        return 0
    cursor.execute("DELETE FROM outbox WHERE sequence <= ?", (dropped.last,))
    _bury(cursor, dropped, reason, station)
    cursor.execute("UPDATE outbox_totals SET dropped = dropped + ?", (dropped.messages,))
    return dropped.messages


def _choose(oldest: Iterable[tuple[int, str, bytes]], left: Bounds, rows: int, payload_bytes: int) -> _Dropped | None:
    """So many of the oldest that the others keep within bounds."""
    dropped = None
    for sequence, topic, payload in oldest:
        if left.passed(rows, payload_bytes) is None:
            break
        rows, payload_bytes = rows - 1, payload_bytes - len(payload)
        dropped = dropped or _Dropped(sequence, sequence)
        dropped.last = sequence
        if topic == TOMBSTONES:
            tombstone = msgspec.json.decode(payload, type=DroppedMessage)
            dropped.first = min(dropped.first, tombstone.first_sequence)
            dropped.told += tombstone.count + 1
        else:
            dropped.messages += 1
    return dropped


def _bury(cursor: sqlite3.Cursor, dropped: _Dropped, reason: Reason, station: str) -> None:
    query = "SELECT payload FROM outbox_totals JOIN outbox ON sequence = open_tombstone"
    count = dropped.messages + dropped.told
    if (found := cursor.execute(query).fetchone()) is not None:
        before = msgspec.json.decode(found[0], type=DroppedMessage)
        _extend(cursor, before, dropped, reason)
        return
    tombstone = built(
        cursor,
        lambda sequence: DroppedMessage(
            id=str(uuid.uuid4()),
            station=station,
            sequence=sequence,
            first_sequence=dropped.first,
            last_sequence=dropped.last,
            count=count,
            reason=reason,
        ),
    )
    enqueue(cursor, tombstone)
    cursor.execute("UPDATE outbox_totals SET open_tombstone = ?", (tombstone.sequence,))


def _extend(cursor: sqlite3.Cursor, before: DroppedMessage, dropped: _Dropped, reason: Reason) -> None:
    """Whatever lies between the two has been delivered, or dropped as well."""
    after = msgspec.structs.replace(
        before,
        first_sequence=min(before.first_sequence, dropped.first),
        last_sequence=max(before.last_sequence, dropped.last),
        count=before.count + dropped.messages + dropped.told,
        reason=reason,
    )
    cursor.execute("UPDATE outbox SET payload = ? WHERE sequence = ?", (msgspec.json.encode(after), before.sequence))

"""What the broker has not acknowledged: filled by the store, read and cleared by the thread that publishes it."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.messages import CorrectionMessage, DetectionMessage, EffortMessage
from monitor.sinks.database import connect

TOPICS: dict[type[msgspec.Struct], str] = {
    DetectionMessage: "detections",
    EffortMessage: "effort",
    CorrectionMessage: "corrections",
}
"""below the station's; also the names of the tables that keep them"""

M = TypeVar("M", bound=DetectionMessage | EffortMessage | CorrectionMessage)
Build = Callable[[int], M]
"""sequence number -> message"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way."""

    sequence: int
    topic: str
    payload: bytes


class Outbox:
    """What the broker has not acknowledged, for the one thread that publishes it."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)

    def after(self, sequence: int, limit: int) -> list[OutboxRow]:
        """The oldest rows beyond a sequence number."""
        query = "SELECT sequence, topic, payload FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [OutboxRow(*row) for row in self._connection.execute(query, (sequence, limit))]

    def acknowledge(self, sequences: list[int]) -> None:
        """Forget rows that the broker has taken, all in one transaction."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in sequences])

    def count(self) -> int:
        """Rows still to send."""
        return int(self._connection.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def enqueue(cursor: sqlite3.Cursor, build: Build[M], most_rows: int) -> tuple[M, int]:
    """Put a message at the end; return it, and how many were dropped at the front because of `most_rows`.

    Counts from 1 without a hole, also over restarts and when all has been sent.
    """
    last = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    message = build(last[0] + 1 if last else 1)
    payload = msgspec.json.encode(message)
    cursor.execute("INSERT INTO outbox (topic, payload) VALUES (?, ?)", (TOPICS[type(message)], payload))
    bound = message.sequence - most_rows
    return message, cursor.execute("DELETE FROM outbox WHERE sequence <= ?", (bound,)).rowcount

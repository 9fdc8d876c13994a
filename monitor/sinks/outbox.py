"""What the broker has not acknowledged, read and cleared by the thread that publishes it."""

from dataclasses import dataclass
from pathlib import Path

from monitor.sinks.database import connect


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

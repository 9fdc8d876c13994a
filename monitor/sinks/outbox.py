"""What the broker has not acknowledged: filled by the store, read and cleared by the thread that publishes it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.messages import DeliveredMessage, DroppedMessage, OutboxHealth
from monitor.messages.channels import CHANNELS
from monitor.sinks.database import connect

TOPICS: dict[type[msgspec.Struct], str] = {channel.message: channel.level for channel in CHANNELS}
"""below the station's; those of detections, effort and corrections are also the names of the tables that keep them"""
TOMBSTONES = TOPICS[DroppedMessage]

FIRST_WAIT_S, LONGEST_WAIT_S = 30, 6 * 3600
"""after which a message that was refused is offered again: at first, and at most, as it doubles with each refusal"""

M = TypeVar("M", bound=DeliveredMessage)
Build = Callable[[int], M]
"""sequence number -> message"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way."""

    sequence: int
    topic: str
    payload: bytes


class Outbox:
    """What the broker has not acknowledged, for one thread at a time. Raises sqlite3.Error where the disk fails."""

    def __init__(self, path: Path) -> None:
        # what is lost here in a power cut was sent, and is sent again
        self._connection = connect(path, synchronous="NORMAL")

    def between(self, after: int, until: int, limit: int, without: Collection[str] = ()) -> list[OutboxRow]:
        """The oldest rows with `after` < sequence <= `until`, but none set aside, and of some topics none."""
        query = (
            "SELECT sequence, topic, payload FROM outbox WHERE sequence > ? AND sequence <= ? "  # noqa: S608
            f"AND sequence NOT IN (SELECT sequence FROM refused) AND {_not_in(without)} ORDER BY sequence LIMIT ?"
        )
        return self._read(query, (after, until, *without, limit))

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[OutboxRow]:
        """Rows that were set aside and are to be offered again, of some topics none. `now`: Unix time in seconds."""
        # what waits for longer than is ever waited for was set aside by another clock
        query = (
            "SELECT sequence, topic, payload FROM outbox WHERE "  # noqa: S608
            "sequence IN (SELECT sequence FROM refused WHERE next_try <= ? OR next_try > ?) "
            f"AND {_not_in(without)} ORDER BY sequence LIMIT ?"
        )
        return self._read(query, (now, now + LONGEST_WAIT_S, *without, limit))

    def candidate(self, topic: str, now: float) -> OutboxRow | None:
        """With which to try a topic: the newest that is not set aside, else one that is due."""
        query = (
            "SELECT sequence, topic, payload FROM outbox LEFT JOIN refused USING (sequence) "
            "WHERE topic = ? AND (next_try IS NULL OR next_try <= ? OR next_try > ?) "
            "ORDER BY next_try IS NOT NULL, sequence DESC LIMIT 1"
        )
        return next(iter(self._read(query, (topic, now, now + LONGEST_WAIT_S))), None)

    def settle(self, acknowledged: Iterable[int], refused: Mapping[int, str], now: float) -> None:
        """Forget what the broker has taken and set aside what it refused, by reason, all in one transaction.

        `now`: Unix time in seconds. A row that is no longer there is no matter.
        """
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in acknowledged])
            aside = [(reason, now, sequence) for sequence, reason in refused.items()]
            connection.executemany(
                f"INSERT INTO refused SELECT sequence, ?, 1, ? + {FIRST_WAIT_S} FROM outbox "  # noqa: S608
                "WHERE sequence = ? ON CONFLICT (sequence) DO UPDATE SET reason = excluded.reason, "
                "attempts = attempts + 1, next_try = excluded.next_try - "
                f"{FIRST_WAIT_S} + min({LONGEST_WAIT_S}, {FIRST_WAIT_S} << min(attempts, 20))",
                aside,
            )

    def last_sequence(self) -> int:
        """The highest sequence number that was ever given."""
        return int(self._connection.execute("SELECT last_sequence FROM outbox_totals").fetchone()[0])

    def count(self) -> int:
        """Rows still to send."""
        return int(self._connection.execute("SELECT rows FROM outbox_totals").fetchone()[0])

    def waiting(self) -> int:
        """Rows still to send that are not set aside."""
        return self.count() - int(self._connection.execute("SELECT count(*) FROM refused").fetchone()[0])

    def health(self) -> OutboxHealth:
        """How it fares; costs a few lookups, however much waits."""
        one = self._connection.execute
        rows, size, dropped, last = one("SELECT rows, bytes, dropped, last_sequence FROM outbox_totals").fetchone()
        reason = one("SELECT reason FROM refused ORDER BY next_try DESC LIMIT 1").fetchone()
        oldest = one("SELECT payload FROM outbox ORDER BY sequence LIMIT 1").fetchone()
        return OutboxHealth(
            rows=rows,
            bytes=size,
            refused=one("SELECT count(*) FROM refused").fetchone()[0],
            refused_reason=None if reason is None else reason[0],
            dropped=dropped,
            oldest_utc=None if oldest is None else msgspec.json.decode(oldest[0], type=_Dated).when,
            last_sequence=last,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read(self, query: str, values: tuple[object, ...]) -> list[OutboxRow]:
        rows = [OutboxRow(*row) for row in self._connection.execute(query, values)]
        if any(row.topic == TOMBSTONES for row in rows):
            # what is about to be sent must not say more by the time that it is acknowledged
            self._close_tombstone()
            rows = [OutboxRow(*row) for row in self._connection.execute(query, values)]
        return rows

    def _close_tombstone(self) -> None:
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("UPDATE outbox_totals SET open_tombstone = NULL WHERE open_tombstone IS NOT NULL")
        self._connection.execute("PRAGMA synchronous = NORMAL")


class _Dated(msgspec.Struct, frozen=True):
    """Any message, as far as it says when something was heard."""

    onset_utc: str | None = None
    start_utc: str | None = None
    after: "_Dated | None" = None

    @property
    def when(self) -> str | None:
        return self.onset_utc or self.start_utc or (self.after.when if self.after else None)


def _not_in(topics: Collection[str]) -> str:
    return f"topic NOT IN ({', '.join('?' * len(topics))})"

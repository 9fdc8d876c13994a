"""What was published before, made again from the tables that keep it."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from monitor.messages import CorrectionMessage, DetectionMessage, DroppedMessage, EffortMessage, VerdictMessage
from monitor.sinks.database import connect
from monitor.sinks.outbox import TOPICS, OutboxRow
from monitor.sinks.queueing import built, enqueue
from monitor.sinks.rows import columns

_WANTED = "sequence BETWEEN ? AND ? AND sequence NOT IN (SELECT sequence FROM outbox) ORDER BY sequence LIMIT ?"

_CORRECTIONS = f"""
SELECT sequence, "of", id, onset_utc, offset_utc, clock_quality, clock_error_s FROM (
    SELECT corrections.*, onset_utc, offset_utc, clock_quality, clock_error_s
        FROM corrections JOIN detections USING (id) WHERE "of" = 'detections'
    UNION ALL SELECT corrections.*, start_utc, end_utc, clock_quality, clock_error_s
        FROM corrections JOIN effort USING (id) WHERE "of" = 'effort'
) WHERE {_WANTED}"""  # noqa: S608

Kept = DetectionMessage | EffortMessage | VerdictMessage
"""messages of which a row in a table of their own has every field"""
Range = tuple[int, int]
"""first and last sequence number"""


class Archive:
    """Detections, effort, verdicts and corrections as messages, by sequence number, for one thread at a time.

    They show what the store knows now: where times were corrected since, the corrected ones, and each correction shows
    the last. Lifecycle messages and tombstones are kept nowhere. Raises sqlite3.Error where the disk fails.
    """

    def __init__(self, path: Path, station: str) -> None:
        self._station, self._connection = station, connect(path)

    def messages(self, span: Range, limit: int) -> list[OutboxRow]:
        """The first messages of a range that are not in the outbox any more; those that are come anyway."""
        found = [
            *self._kept(DetectionMessage, span, limit),
            *self._kept(EffortMessage, span, limit),
            *self._kept(VerdictMessage, span, limit),
            *self._corrections(span, limit),
        ]
        return sorted(found, key=lambda row: row.sequence)[:limit]

    def clip(self, first: int, last: int | None) -> Range:
        """The part of a range that has been published so far; where there is none, the last is below the first."""
        (newest,) = self._connection.execute("SELECT last_sequence FROM outbox_totals").fetchone()
        return max(first, 1), newest if last is None else min(last, newest)

    def conclude(self, span: Range, found: int) -> None:
        """Say that of a range nobody can have more than `found` messages and what waits in the outbox."""
        cursor = self._connection.cursor()
        with self._connection:
            cursor.execute("BEGIN IMMEDIATE")
            waiting = cursor.execute("SELECT count(*) FROM outbox WHERE sequence BETWEEN ? AND ?", span).fetchone()[0]
            if (lacking := span[1] - span[0] + 1 - found - waiting) > 0:
                enqueue(cursor, built(cursor, lambda sequence: self._unkept(sequence, span, lacking)))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _unkept(self, sequence: int, span: Range, count: int) -> DroppedMessage:
        return DroppedMessage(
            id=str(uuid.uuid4()),
            station=self._station,
            sequence=sequence,
            first_sequence=span[0],
            last_sequence=span[1],
            count=count,
            reason="unkept",
        )

    def _kept(self, kind: type[Kept], span: Range, limit: int) -> Iterator[OutboxRow]:
        names = columns(kind)
        query = f"SELECT {', '.join(names)} FROM {TOPICS[kind]} WHERE {_WANTED}"  # noqa: S608
        for cells in self._connection.execute(query, (*span, limit)):
            fields = dict(zip(names, cells, strict=True))
            if "noise_dbfs" in fields:
                fields["noise_dbfs"] = json.loads(fields["noise_dbfs"])
            yield self._row(kind(station=self._station, backfilled=True, **fields))

    def _corrections(self, span: Range, limit: int) -> Iterator[OutboxRow]:
        for sequence, of, record, *times in self._connection.execute(_CORRECTIONS, (*span, limit)):
            onset, offset, quality, error_s = times
            yield self._row(
                CorrectionMessage(
                    id=record,
                    station=self._station,
                    sequence=sequence,
                    backfilled=True,
                    of=of,
                    onset_utc=onset,
                    offset_utc=offset,
                    clock_quality=quality,
                    clock_error_s=error_s,
                )
            )

    @staticmethod
    def _row(message: Kept | CorrectionMessage) -> OutboxRow:
        return OutboxRow(message.sequence, TOPICS[type(message)], msgspec.json.encode(message))

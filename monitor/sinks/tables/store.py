"""The database that a station keeps, made from recordings: what reads a station's reads this one."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

import msgspec

from monitor.clock import Quality
from monitor.messages import DetectionMessage
from monitor.sinks import rows as stored
from monitor.sinks.database import connect, migrate
from monitor.sinks.tables.heard import Heard
from monitor.sinks.tables.rows import Row
from monitor.sinks.tables.whole import refusing, whole


class StoreTable:
    """Detections and effort as in live mode, in one transaction; the outbox is empty, nobody waits for them."""

    def __init__(self, path: Path) -> None:
        """StoreError where the file cannot be created."""
        self.path, self._sequence = path, 0
        with ExitStack() as stack:
            partial = stack.enter_context(whole(path))
            stack.callback(_clear, partial)
            with refusing(path):
                partial.unlink(missing_ok=True)
                _clear(partial)  # of one that was killed: its log would be taken for this one's
                connection = stack.enter_context(closing(connect(partial)))
                migrate(connection)
                self._cursor = connection.cursor()
                self._cursor.execute("BEGIN IMMEDIATE")
            stack.push(self._finish)
            self._open = stack.pop_all()

    def add(self, heard: Heard) -> None:
        """Keep what came of a recording. StoreError where the disk refuses."""
        with refusing(self.path):
            for row in (row for file in heard.files for row in file.rows):
                stored.insert(self._cursor, _message(row, self._next()), None)
            for hour in heard.hours:
                stored.insert(self._cursor, msgspec.structs.replace(hour, sequence=self._next()), None)
            stored.insert_minutes(self._cursor, heard.minutes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        with refusing(self.path):
            self._open.__exit__(*reason)  # type: ignore[arg-type]

    def _finish(self, kind: type[BaseException] | None, *_rest: object) -> None:
        """Whoever goes on with it numbers what comes next behind what is there."""
        if kind is None:
            self._cursor.execute("UPDATE outbox_totals SET last_sequence = ?", (self._sequence,))
        self._cursor.execute("COMMIT" if kind is None else "ROLLBACK")

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence


def _clear(partial: Path) -> None:
    """Remove SQLite's own files beside the database."""
    for suffix in ("-wal", "-shm"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _message(row: Row, sequence: int) -> DetectionMessage:
    """A row as the store keeps detections: a name need not be UTF-8, what is kept must."""
    return DetectionMessage(
        id=row.id or "",
        station=row.site or "",
        sequence=sequence,
        recording=row.file.encode(errors="surrogateescape").decode(errors="replace"),
        onset_utc=row.onset_utc,
        offset_utc=row.offset_utc,
        clock_quality=Quality.UNKNOWN if row.onset_utc is None else Quality.RECORDER,
        onset_s=row.onset_s,
        offset_s=row.offset_s,
        label=row.label,
        scientific_name=row.scientific_name,
        common_name=row.common_name,
        confidence=row.confidence,
        model=row.model,
    )

"""Messages that somebody asked to have once more."""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.sinks.archive import Archive, Range
from monitor.sinks.outbox import OutboxRow

logger = logging.getLogger(__name__)

MOST_ASKED = 64
AT_ONCE = 100
"""messages in memory"""


@dataclass(slots=True)
class _Replay:
    span: Range
    next: int
    found: int = 0
    waiting: dict[int, OutboxRow] = field(default_factory=dict)
    """by sequence number, until they are answered"""


class Replays:
    """Ranges of sequence numbers, one after the other, each in pieces; forgotten with the process that was asked."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._asked: deque[tuple[int, int | None]] = deque()
        self._running: _Replay | None = None

    def ask(self, first: int, last: int | None) -> None:
        """Replay from `first` to `last`, or to the newest message."""
        if len(self._asked) < MOST_ASKED:
            self._asked.append((first, last))
        else:
            logger.warning("replay of %d to %s is not done: %d others wait already", first, last, MOST_ASKED)

    def rows(self) -> Iterable[OutboxRow]:
        """What is to be sent now, and what of it is on its way. sqlite3.Error where the disk fails."""
        while self._running is not None or self._asked:
            replay = self._running = self._running or self._begun()
            if not replay.waiting:
                self._read_on(replay)
            if replay.waiting:
                return replay.waiting.values()
            self._archive.conclude(replay.span, replay.found)
            self._running = None
        return ()

    def answered(self, sequence: int, *, taken: bool) -> bool:
        """The broker took a message, or refused it; whether it was one of these."""
        replay = self._running
        if replay is None or replay.waiting.pop(sequence, None) is None:
            return False
        replay.found += taken
        return True

    def _begun(self) -> _Replay:
        span = self._archive.clip(*self._asked[0])
        self._asked.popleft()
        return _Replay(span, span[0])

    def _read_on(self, replay: _Replay) -> None:
        rows = self._archive.messages((replay.next, replay.span[1]), AT_ONCE)
        replay.waiting = {row.sequence: row for row in rows}
        replay.next = rows[-1].sequence + 1 if rows else replay.span[1] + 1

"""Rows of the outbox that are next, read in pieces."""

from collections.abc import Callable, Collection

from monitor.sinks.outbox import Outbox, OutboxRow


class Lane:
    """Rows of a stretch of sequence numbers in their order; `rows` are those read and not yet on their way."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.rows: dict[int, OutboxRow] = {}
        self._read_until, self._more = 0, True

    def begin(self, after: int) -> None:
        """Read again from the first row after a sequence number."""
        self.rows.clear()
        self.look_again(after)

    def look_again(self, after: int | None = None) -> None:
        """There may be more, perhaps also where it has been read."""
        self._read_until, self._more = self._read_until if after is None else after, True

    def fill(
        self, until: Callable[[], int], count: int, busy: Callable[[OutboxRow], bool], without: Collection[str]
    ) -> None:
        """Read until there are at least `count` rows, up to a sequence number, but none `busy` or of some topics."""
        while self._more and len(self.rows) < count:
            last = until()
            found = self._outbox.between(self._read_until, last, count, without)
            self._more = len(found) == count
            self._read_until = found[-1].sequence if self._more else max(last, self._read_until)
            self.rows |= {row.sequence: row for row in found if not busy(row)}

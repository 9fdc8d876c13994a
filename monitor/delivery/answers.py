"""What the broker has said about messages, until it is written down: many answers in one go wear the disk less."""

from collections.abc import Callable

from monitor.sinks.outbox import Outbox

WAIT_S, MOST = 1.0, 200
"""how long, and up to how many, answers wait for each other; a power cut meanwhile costs a message that comes twice"""


class Answers:
    """Answers that the outbox does not know of yet. `monotonic` gives seconds, `now` Unix time in seconds."""

    def __init__(self, outbox: Outbox, monotonic: Callable[[], float], now: Callable[[], float]) -> None:
        self._outbox, self._monotonic, self._now = outbox, monotonic, now
        self._taken: set[int] = set()
        self._refused: dict[int, str] = {}
        self._since: float | None = None

    def __len__(self) -> int:
        return len(self._taken) + len(self._refused)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._taken or sequence in self._refused

    def taken(self, sequence: int) -> None:
        """The broker has it."""
        self._taken.add(sequence)
        self._begin()

    def refused(self, sequence: int, reason: str) -> None:
        """The broker does not want it."""
        self._refused[sequence] = reason
        self._begin()

    def settle(self, *, at_once: bool) -> None:
        """Write down what has waited long enough, or all `at_once`. sqlite3.Error where the disk fails."""
        if self._since is None:
            return
        if at_once or len(self) >= MOST or self._monotonic() - self._since >= WAIT_S:
            self._outbox.settle(self._taken, self._refused, self._now())
            self._taken.clear()
            self._refused.clear()
            self._since = None

    def _begin(self) -> None:
        if self._since is None:
            self._since = self._monotonic()

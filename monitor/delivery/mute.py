"""Species of which nobody wants to hear for a while."""

import threading
import time
from collections.abc import Callable, Iterable


class Mute:
    """Silences alerts: the lifecycle and Home Assistant's states, not what is kept and delivered.

    For any number of threads. A restart ends it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._all_until = 0.0
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def silence(self, seconds: float, labels: Iterable[str] | None = None) -> None:
        """Hear nothing of labels, or of all, for so long; 0 ends it."""
        until = self._monotonic() + seconds
        with self._lock:
            if labels is None:
                self._all_until = until
            else:
                self._until.update(dict.fromkeys(labels, until))

    def covers(self, label: str) -> bool:
        """Whether a label is silenced now."""
        return self._monotonic() < max(self._all_until, self._until.get(label, 0.0))

"""How many detections there were since midnight at the station."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from monitor.errors import StoreError


class Today:
    """Counts detections as they are reported, from any thread. Those of an earlier run it asks the store for, once."""

    def __init__(self, zone: tzinfo, now: Callable[[], datetime | None], kept: Callable[[datetime], int]) -> None:
        """`now` is None where nobody knows the time; `kept` says how many the store has since a time, or StoreError."""
        self._zone, self._now, self._kept = zone, now, kept
        self._lock = threading.Lock()
        self._count = 0
        self._midnight: datetime | None = None
        """of the day that is counted; None: it was never known, and all is counted"""
        self._asked = False

    def detected(self) -> None:
        """One more."""
        with self._lock:
            self._count += 1

    def detections(self) -> int | None:
        """So many; None where the store cannot say how many an earlier run had."""
        now = self._now()
        if now is None:
            return self._count
        midnight = now.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if not self._asked and not self._ask(midnight):
            return None
        with self._lock:
            if self._midnight is not None and midnight > self._midnight:
                self._count = 0
            self._midnight = midnight
            return self._count

    def _ask(self, midnight: datetime) -> bool:
        with self._lock:
            before = self._count
        try:
            held = self._kept(midnight.astimezone(UTC))
        except StoreError:
            return False
        with self._lock:
            self._count += held - before  # what was counted until then is in the store by now
        self._asked = True
        return True

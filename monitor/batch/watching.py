"""Folders to which recordings are added: one is taken when it has stopped growing."""

import time
from collections.abc import Callable, Iterator

from monitor.batch.found import Failure, Recording, Search

LOOKS = 2
"""in the time for which a recording must not change"""

Found = tuple[list[Recording], list[Failure]]


class Watch:
    """What has been seen of some folders."""

    def __init__(self, search: Search, settle_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """A recording must keep its size and its time of change for `settle_s` seconds, on this machine's clock."""
        self._search, self._settle_s, self._monotonic = search, settle_s, monotonic
        self._since: dict[Recording, float] = {}

    def look(self) -> Found:
        """All recordings that have stopped growing by now, and what cannot be looked into."""
        found, failures = self._search.find()
        now = self._monotonic()
        self._since = {recording: self._since.get(recording, now) for recording in found}
        return [one for one in found if now - self._since[one] >= self._settle_s], failures

    def rounds(self, sleep: Callable[[float], object] = time.sleep) -> Iterator[Found]:
        """What `look` finds whenever that is something else than before, for ever."""
        before: Found = [], []
        while True:
            found = self.look()
            if found != before:
                before = found
                yield found
            sleep(self._settle_s / LOOKS)

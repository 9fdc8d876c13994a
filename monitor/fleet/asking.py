"""Asks stations for what is missing: holes that stay are replayed from the station's store."""

import threading
from collections.abc import Callable, Iterable, Iterator

from monitor.errors import MonitorError
from monitor.fleet.gaps import Span
from monitor.fleet.stations import Station

GRACE_S = 30.0
"""a hole that is younger may be a message on its way"""
AGAIN_S = 600.0
"""between two requests for the same hole"""

Hole = tuple[str, Span]
"""station and numbers"""


class Asker:
    """Sends one request at a time, from a thread of its own, because an answer takes its time."""

    def __init__(self, ask: Callable[[str, Span], None], monotonic: Callable[[], float]) -> None:
        """`ask` waits for a station's answer. It raises MonitorError where the station does not obey."""
        self._ask, self._monotonic = ask, monotonic
        self._since: dict[Hole, float] = {}
        self._asked: dict[Hole, float] = {}
        self._thread: threading.Thread | None = None
        self.requests = 0
        self.refused: str | None = None
        """why the last request was not obeyed; None: it was"""

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return self._thread is not None and self._thread.is_alive()

    def look(self, stations: Iterable[Station]) -> None:
        """An occasion to ask for a hole that has stayed."""
        now = self._monotonic()
        holes = {hole for station in stations for hole in _holes(station)}
        self._since = {hole: self._since.get(hole, now) for hole in holes}
        self._asked = {hole: when for hole, when in self._asked.items() if hole in holes}
        for hole, since in self._since.items():
            if self.busy:
                return
            if now - since >= GRACE_S and now - self._asked.get(hole, -AGAIN_S) >= AGAIN_S:
                self._asked[hole] = now
                self.requests += 1
                self._thread = threading.Thread(target=self._request, args=hole, name="asking", daemon=True)
                self._thread.start()

    def _request(self, station: str, span: Span) -> None:
        try:
            self._ask(station, span)
            self.refused = None
        except MonitorError as error:
            self.refused = str(error)


def _holes(station: Station) -> Iterator[Hole]:
    """What will not come of itself: the station lives, and nothing waits in its outbox."""
    outbox = station.health.outbox if station.health else None
    lives = station.status is not None and station.status.state == "online"
    if lives and (outbox is None or outbox.rows == outbox.refused):
        yield from ((station.name, span) for span in station.numbers.missing)

"""How far the analysis of each row of streams has come: what systemd and the health message are told."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.effort import Minutes
from monitor.pipeline import Chain
from monitor.records import Cause, Gap
from monitor.sources import Condition, Stream


class State(StrEnum):
    """What a row of streams gives now."""

    WAITING = "waiting"
    """nothing has come yet"""
    LISTENING = "listening"
    """a window of it was analysed"""
    PAUSED = "paused"
    """nobody wants to listen"""
    LOST = "lost"
    """it is gone, and looked for"""
    ENDED = "ended"


_STATES = {Cause.SCHEDULE: State.PAUSED, Cause.DEVICE: State.LOST}
_ADVANCING = frozenset({*_STATES, Cause.OVERLOAD})
"""causes of gaps that come only while a search, a schedule or an analysis in need goes on"""
SILENT = "nothing but digital silence comes"


@dataclass(frozen=True, slots=True)
class Listening:
    """What is listened to now, as others may ask for it."""

    stream: Stream
    minutes: Minutes
    chains: Sequence[Chain]


class Progress:
    """Of one row of streams. Its own thread writes it, any thread may read it."""

    def __init__(self, stir: Callable[[], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        """`stir` is called when there is something new to tell."""
        self._stir, self._monotonic = stir, monotonic
        self.name = ""
        self.state = State.WAITING
        self.listening: Listening | None = None
        self.advanced_at = monotonic()
        """monotonic seconds at which a window had been analysed, or was known not to be there"""
        self.detections = 0
        self.last = "nothing yet"
        """what was heard last, and when"""

    @property
    def condition(self) -> Condition:
        """How its source fares."""
        return Condition() if self.listening is None else self.listening.stream.condition()

    @property
    def trouble(self) -> str | None:
        """Why nothing is heard of it; None unless it is lost."""
        return (self.condition.trouble or SILENT) if self.state is State.LOST else None

    def late(self, patience_s: float) -> bool:
        """Whether neither audio and its analysis nor the search for it have advanced for so long."""
        return self.state is not State.ENDED and self._monotonic() - self.advanced_at > patience_s

    def begin(self, name: str, listening: Listening) -> None:
        """The next stream of the row."""
        self.name, self.listening = name, listening
        self.advanced_at = self._monotonic()
        self._stir()

    def heard(self) -> None:
        """A window was analysed."""
        self.advanced_at = self._monotonic()
        self._become(State.LISTENING)

    def lost(self, gap: Gap) -> None:
        """Audio is known not to be there, and whatever came before it was analysed."""
        if gap.cause in _ADVANCING:
            self.advanced_at = self._monotonic()
        if not self._opening(gap):
            self._become(_STATES.get(gap.cause, self.state))

    def detected(self, said: str) -> None:
        """Something was: what, and when."""
        self.detections += 1
        self.last = said
        self._stir()

    def end(self) -> None:
        """There are no more streams in the row."""
        self.listening = None
        self._become(State.ENDED)

    def _opening(self, gap: Gap) -> bool:
        """Whether it is only that a source has just been opened, and its first sample is yet to come."""
        return self.state is State.WAITING and gap.cause is Cause.DEVICE and self.condition.trouble is None

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._stir()

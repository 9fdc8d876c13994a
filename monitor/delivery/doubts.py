"""Topics that the broker refuses: found out with one message now and then, while everything else flows.

A message that is refused for its own sake is followed by one that is taken, and its topic is trusted again. Where
PATIENCE messages of a topic in a row are refused it is the topic's fault, or the broker's: then one is offered after
30 s, and ever more rarely, down to every 6 h, until one is taken or the process starts anew. So a broker that refuses
everything costs next to nothing.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from monitor.sinks.outbox import FIRST_WAIT_S, LONGEST_WAIT_S

logger = logging.getLogger(__name__)

PATIENCE = 3
"""messages in a row"""


@dataclass(slots=True)
class _Doubt:
    refusals: int = 0
    until: float = 0.0


class Doubts:
    """Which topics are in doubt, by their level, and when each may be tried. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._doubts: dict[str, _Doubt] = {}

    @property
    def levels(self) -> Collection[str]:
        """Of which no message is sent, but to try."""
        return self._doubts.keys()

    def due(self) -> list[str]:
        """Those of which one message may be tried now."""
        now = self._monotonic()
        return [level for level, doubt in self._doubts.items() if doubt.until <= now]

    def refused(self, level: str, sequence: int, reason: str) -> None:
        """A message of it was."""
        doubt = self._doubts.setdefault(level, _Doubt())
        doubt.refusals += 1
        if doubt.refusals == 1:
            logger.error("broker refused message %d to %s: %s; it stays in the outbox", sequence, level, reason)
        if doubt.refusals >= PATIENCE:
            wait_s = min(FIRST_WAIT_S << min(doubt.refusals - PATIENCE, 20), LONGEST_WAIT_S)
            doubt.until = self._monotonic() + wait_s
        if doubt.refusals == PATIENCE:
            logger.error("broker refuses all of %s: one is offered again in %d s, then ever more rarely", level, wait_s)

    def postpone(self, level: str) -> None:
        """There is nothing to try it with."""
        self._doubts[level].until = self._monotonic() + FIRST_WAIT_S

    def taken(self, level: str) -> bool:
        """A message of it was; whether that ends a doubt."""
        doubt = self._doubts.pop(level, None)
        if doubt is not None:
            logger.info("broker takes %s again", level)
        return doubt is not None

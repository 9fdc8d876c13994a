"""What is said beside the outbox: states, retained by the broker, and what is of use for a moment only.

The last retained word on each topic is said again on each connection. Where the broker refuses a topic nothing is said
to it for a while, ever longer: mosquitto 2.0.11 hangs up after each message that it refuses, whatever its QoS, and
while it does so nothing else would arrive either. Only at QoS 1, and only in MQTT 5, a refusal is told, so the first
words to a topic go at QoS 1.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.delivery.publication import Publication
from monitor.sinks.outbox import FIRST_WAIT_S, LONGEST_WAIT_S

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Refusal:
    wait_s: float
    until: float


class Words:
    """Says them, for one thread."""

    def __init__(self, send: Callable[[Publication], int], base: str, monotonic: Callable[[], float]) -> None:
        """`send` gives the token of the answer. `base`: the topic above the levels, <prefix>/<station>."""
        self._send, self._base, self._monotonic = send, base, monotonic
        self._connected = False
        self._retained: dict[str, Publication] = {}
        self._trusted: set[str] = set()
        """kinds of which the broker has taken a word on this connection"""
        self._asked: dict[int, str] = {}
        """kinds of which it has not been heard, by token"""
        self._refusals: dict[str, _Refusal] = {}

    def say(self, publication: Publication) -> None:
        """Send now, or, if it is retained, on the next connection."""
        if publication.retain:
            self._retained[publication.topic] = publication
        if not self._connected:
            return
        kind = self._kind(publication.topic)
        refusal = self._refusals.get(kind)
        if refusal is not None and refusal.until > self._monotonic():
            return
        if kind in self._trusted:
            self._send(publication)
        else:
            self._asked[self._send(replace(publication, qos=1))] = kind

    def connected(self) -> None:
        """Say again what is retained: this broker may not know it, and may take other topics than the last."""
        self._connected = True
        self._trusted.clear()
        for publication in list(self._retained.values()):
            self.say(publication)

    def lost(self) -> None:
        """There is nobody to speak to."""
        self._connected = False
        self._asked.clear()

    def acknowledged(self, token: int) -> None:
        """A word was taken, if it was one."""
        kind = self._asked.pop(token, None)
        if kind is not None:
            self._trusted.add(kind)
            if self._refusals.pop(kind, None) is not None:
                logger.info("broker takes %s again", kind)

    def refused(self, token: int, reason: str) -> None:
        """A word was refused, if it was one."""
        kind = self._asked.pop(token, None)
        if kind is None:
            return
        now, before = self._monotonic(), self._refusals.get(kind)
        if before is None:
            logger.error("broker refuses %s: %s; it is tried again, ever more rarely", kind, reason)
        if before is None or before.until <= now:
            wait_s = FIRST_WAIT_S if before is None else min(2 * before.wait_s, LONGEST_WAIT_S)
            self._refusals[kind] = _Refusal(wait_s, now + wait_s)

    def _kind(self, topic: str) -> str:
        """What a broker is likely to allow or refuse as one: a level of ours, or all below another first level."""
        own = topic.removeprefix(f"{self._base}/")
        return topic.partition("/")[0] if own == topic else own.partition("/")[0]

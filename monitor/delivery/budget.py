"""How much may be sent over a link on which every byte is paid for.

A token bucket, so small and filled so slowly that no hour costs more than its bound; a single message that is larger
than the bucket may exceed it once, and is paid for afterwards. The bytes are an estimate of what passes on the wire,
both ways: packets of MQTT, frames of TCP, TLS and websockets, pings and their answers.
"""

import math
import time
from collections.abc import Callable, Sequence

from monitor.config.mqtt import Mqtt
from monitor.delivery.publication import Publication

FRAME_BYTES, SEGMENT_BYTES = 52, 1400
"""IPv4 and TCP headers with time stamps; what they carry at most"""
RECORD_BYTES = 22
"""of TLS 1.3 around each write"""
MASK_BYTES = 8
"""of a websocket around each message"""
PUBLISH_BYTES, ACKNOWLEDGEMENT_BYTES = 10, 5
"""of MQTT 5 around topic and payload; and the broker's answer"""
CALL_BYTES, TLS_CALL_BYTES = 700, 6000
"""to connect: TCP, CONNECT and its answer; the certificates of both sides"""
BURST_S = 360.0
"""what is saved while nothing is sent: a tenth of an hour's bytes"""


class Budget:
    """What may still be sent, for the one thread that sends."""

    def __init__(self, settings: Mqtt, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Without `mqtt.budget_kb_per_hour` there is no bound."""
        self._monotonic = monotonic
        self._encrypted = any(broker.tls for broker in settings.servers)
        self._websockets = any(broker.websocket_path is not None for broker in settings.servers)
        kb = settings.budget_kb_per_hour
        per_s = math.inf if kb is None else (kb - settings.silence_kb_per_hour) / 3.6
        self._most = per_s * BURST_S
        # the hour begins with a full bucket: both together are what it may cost
        self._per_s = per_s * (1 - BURST_S / 3600)
        self._left, self._counted_at = self._most, monotonic()

    def allows(self, publications: Sequence[Publication]) -> bool:
        """Whether these may go now; if so they count as sent. What is larger than the bucket goes when it is full."""
        cost = sum(self.cost(publication) for publication in publications)
        if self._now() < min(cost, self._most):
            return False
        self._left -= cost
        return True

    def spend(self, publication: Publication) -> None:
        """Count what goes in any case: status, health, answers to commands. Others wait the longer for it."""
        self._left = self._now() - self.cost(publication)

    def connected(self) -> None:
        """Count a connection."""
        self._left = self._now() - (TLS_CALL_BYTES if self._encrypted else CALL_BYTES)

    def cost(self, publication: Publication) -> int:
        """Bytes on the wire: the frame, at QoS 1 its answer, and an acknowledgement by TCP of the last of them."""
        around = RECORD_BYTES * self._encrypted + MASK_BYTES * self._websockets
        content = len(publication.topic.encode()) + len(publication.payload) + PUBLISH_BYTES
        answer = FRAME_BYTES + ACKNOWLEDGEMENT_BYTES + around if publication.qos else 0
        return content + math.ceil(content / SEGMENT_BYTES) * FRAME_BYTES + around + answer + FRAME_BYTES

    def _now(self) -> float:
        """Bytes in the bucket."""
        if math.isinf(self._most):
            return math.inf
        now = self._monotonic()
        self._left = min(self._left + (now - self._counted_at) * self._per_s, self._most)
        self._counted_at = now
        return self._left

"""The outbox over MQTT: published in order at QoS 1, forgotten only when the broker acknowledged success.

MQTT 5 first, because only there a refusal carries a reason; MQTT 3.1.1 for brokers that know no better.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from monitor.config.mqtt import Mqtt
from monitor.messages import StatusMessage
from monitor.sinks.credentials import authorise
from monitor.sinks.outbox import Outbox

logger = logging.getLogger(__name__)

IN_FLIGHT = 50
REFUSED_WAIT_S = 30.0
LONGEST_WAIT_S = 300
POLL_S = 0.5

_UNSUPPORTED_VERSION = 132


@dataclass(frozen=True, slots=True)
class Station:
    """Who publishes, and what the status topic says."""

    online: StatusMessage
    offline: StatusMessage

    @property
    def name(self) -> str:
        """The topic level below the prefix."""
        return self.online.station


@dataclass(frozen=True, slots=True)
class _Event:
    """What paho's thread tells ours."""

    kind: str
    """connected, lost, acknowledged, refused or unsupported"""
    mid: int = 0
    detail: str = ""


class Publisher:
    """Sends the outbox from a thread of its own, for as long as it takes.

    Raises BrokerError where the settings can never work: a password or certificate file that is not there.
    """

    def __init__(
        self, settings: Mqtt, station: Station, store: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._station, self._store, self._monotonic = settings, station, store, monotonic
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._in_flight: dict[int, int] = {}
        self._acknowledged: list[int] = []
        """sequence numbers that the outbox may forget"""
        self._sent = 0
        """highest sequence number that is in flight or done"""
        self._connected = self._complained = False
        self._hold_until = 0.0
        self._deadline: float | None = None
        self._protocol: MQTTProtocolVersion = MQTTv5
        self._client = self._new_client()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect in the background; a broker that is not there is tried again for ever."""
        self._connect()
        self._thread.start()

    def wake(self) -> None:
        """The outbox got a row."""
        self._events.put(_Event("wake"))

    def close(self, flush_s: float) -> None:
        """Send what is left, for at most `flush_s` seconds, say offline and disconnect."""
        self._deadline = self._monotonic() + flush_s
        self.wake()
        self._thread.join(flush_s + 1)
        if self._connected:
            message = self._client.publish(
                self._topic("status"), msgspec.json.encode(self._station.offline), qos=1, retain=True
            )
            message.wait_for_publish(0.5)
        self._client.disconnect()
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(1.0)

    def _run(self) -> None:
        outbox = Outbox(self._store)
        while not self._finished(outbox):
            self._drain()
            try:
                if self._acknowledged:
                    outbox.acknowledge(self._acknowledged)
                    self._acknowledged.clear()
                if self._connected and self._monotonic() >= self._hold_until:
                    self._send(outbox)
            except sqlite3.Error as error:
                if self._monotonic() >= self._hold_until:
                    logger.error("outbox cannot be read or written: %s", error)  # noqa: TRY400
                self._hold_until = self._monotonic() + REFUSED_WAIT_S
        left = outbox.count()
        if left:
            logger.warning("%d messages wait in the outbox for the next start", left)
        outbox.close()

    def _finished(self, outbox: Outbox) -> bool:
        if self._deadline is None:
            return False
        return self._monotonic() > self._deadline or (not self._in_flight and outbox.count() == 0)

    def _drain(self) -> None:
        """Wait for events and take all there are."""
        try:
            event = self._events.get(timeout=POLL_S if self._deadline is None else 0.05)
            while True:
                self._note(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _note(self, event: _Event) -> None:
        if event.kind == "acknowledged" and event.mid in self._in_flight:
            self._acknowledged.append(self._in_flight.pop(event.mid))
        elif event.kind == "connected":
            logger.info("connected to %s:%d", self._settings.host, self._settings.port)
            self._connected, self._complained = True, False
        elif event.kind == "lost":
            if not self._complained:
                logger.warning(
                    "no connection to a broker at %s:%d: %s", self._settings.host, self._settings.port, event.detail
                )
            self._connected, self._complained = False, True
        elif event.kind == "unsupported":
            self._fall_back()
        elif event.kind == "refused" and event.mid in self._in_flight:
            sequence = self._in_flight.pop(event.mid)
            logger.error("broker refused message %d: %s; it stays in the outbox", sequence, event.detail)
            self._hold_until = self._monotonic() + REFUSED_WAIT_S
            self._sent = min(self._sent, sequence - 1)

    def _send(self, outbox: Outbox) -> None:
        room = IN_FLIGHT - len(self._in_flight)
        travelling = set(self._in_flight.values())
        for row in outbox.after(self._sent, room) if room > 0 else ():
            if row.sequence not in travelling:
                message = self._client.publish(self._topic(row.topic), row.payload, qos=1)
                self._in_flight[message.mid] = row.sequence
            self._sent = row.sequence

    def _topic(self, level: str) -> str:
        return f"{self._settings.prefix}/{self._station.name}/{level}"

    def _connect(self) -> None:
        self._client.connect_async(self._settings.host, self._settings.port, self._settings.keepalive_s)
        self._client.loop_start()

    def _fall_back(self) -> None:
        if self._protocol == MQTTv311:
            return
        logger.info("broker does not speak MQTT 5; falling back to 3.1.1")
        self._client.disconnect()
        self._client.loop_stop()
        self._protocol = MQTTv311
        self._client = self._new_client()
        self._in_flight.clear()
        self._sent = 0
        self._connect()

    def _new_client(self) -> Client:
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, protocol=self._protocol)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(1, LONGEST_WAIT_S)
        client.will_set(self._topic("status"), msgspec.json.encode(self._station.offline), qos=1, retain=True)
        authorise(client, settings)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        if reason.value == _UNSUPPORTED_VERSION and self._protocol == MQTTv5:
            self._events.put(_Event("unsupported"))
        elif reason.is_failure:
            self._events.put(_Event("lost", detail=str(reason)))
        else:
            client.publish(self._topic("status"), msgspec.json.encode(self._station.online), qos=1, retain=True)
            self._events.put(_Event("connected"))

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:  # noqa: ANN401
        self._events.put(_Event("lost", detail="it cannot be reached"))

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        self._events.put(_Event("lost", detail=str(reason)))

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        kind = "refused" if reason.is_failure else "acknowledged"
        self._events.put(_Event(kind, mid, str(reason)))

"""Whether the broker lets us in, acknowledges, and takes every topic that the station writes."""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from monitor.config.mqtt import Mqtt
from monitor.config.settings import Config
from monitor.doctor.finding import Finding, amber, green, red
from monitor.errors import BrokerError
from monitor.sinks.credentials import authorise

PATIENCE_S = 4.0
TOPICS = ("status", "detections", "effort", "corrections")
"""what the station writes, below its own level"""

_UNSUPPORTED_VERSION = 132


def broker(config: Config) -> list[Finding]:
    """Connect with the station's credentials and write an empty message, not retained, to each of its topics.

    A reader of JSON drops an empty message as it drops all that it cannot read. MQTT 5 alone says whether a topic was
    refused.
    """
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    try:
        with _connected(config.mqtt, MQTTv5) as line:
            return _conversation(line, config, where)
    except _OldBrokerError:
        return _old(config, where)
    except (BrokerError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = "Look at the mqtt section, the network and the broker; detections wait in the store until then."
        return [red("broker", f"No connection to {where}: {reason}.", advice)]


class _OldBrokerError(Exception):
    """It speaks MQTT 3.1.1 only."""


class _Line:
    """A connection, and what the broker answers, each answer awaited."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()
        client.on_connect = self._answered
        client.on_publish = self._acknowledged

    def answer(self) -> ReasonCode:
        """The next answer. Raises BrokerError where none comes."""
        try:
            return self._answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            msg = f"it does not answer within {PATIENCE_S:g} s"
            raise BrokerError(msg) from None

    def publish(self, topic: str) -> ReasonCode:
        """What the broker says to an empty message at QoS 1."""
        self._client.publish(topic, b"", qos=1)
        return self.answer()

    def _answered(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        self._answers.put(reason)

    def _acknowledged(self, _client: Client, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        self._answers.put(reason)


@contextmanager
def _connected(settings: Mqtt, protocol: MQTTProtocolVersion) -> Iterator[_Line]:
    """A line that the broker has accepted. BrokerError or OSError where it does not come to be."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.connect_timeout = PATIENCE_S
    authorise(client, settings)
    line = _Line(client)
    client.connect(settings.host, settings.port, settings.keepalive_s)
    client.loop_start()
    try:
        reason = line.answer()
        if reason.value == _UNSUPPORTED_VERSION and protocol == MQTTv5:
            raise _OldBrokerError
        if reason.is_failure:
            msg = f"it refuses these credentials: {reason}"
            raise BrokerError(msg)
        yield line
    finally:
        client.disconnect()
        client.loop_stop()


def _conversation(line: _Line, config: Config, where: str) -> list[Finding]:
    """Write to each topic, and time the acknowledgements."""
    begin = time.perf_counter()
    answers = {topic: line.publish(topic) for topic in _topics(config)}
    each_s = (time.perf_counter() - begin) / len(answers)
    reached = green("broker", f"{where} acknowledges within {1000 * each_s:.0f} ms.")
    refused = [f"{topic} ({reason})" for topic, reason in answers.items() if reason.is_failure]
    if refused:
        found = f"The broker refuses {', '.join(refused)}."
        return [reached, red("topics", found, "Give this user the right to write them.")]
    return [reached, green("topics", f"All of {', '.join(answers)} may be written.")]


def _old(config: Config, where: str) -> list[Finding]:
    """A broker without MQTT 5 acknowledges what it drops."""
    with _connected(config.mqtt, MQTTv311) as line:
        line.publish(next(iter(_topics(config))))
    found = f"{where} acknowledges, but speaks MQTT 3.1.1 only: could not look whether it takes our topics."
    return [amber("broker", found, "Use a broker with MQTT 5, or look at what a subscriber receives.")]


def _topics(config: Config) -> list[str]:
    return [f"{config.mqtt.prefix}/{config.station}/{level}" for level in TOPICS]

"""Whether the brokers let us in, acknowledge, and take every topic that the station writes."""

import queue
import time
import typing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from paho.mqtt.client import MQTTv5

from monitor.config.broker import Broker
from monitor.config.mqtt import Mqtt
from monitor.config.settings import Config
from monitor.delivery.connection import Caller, Connection, connect
from monitor.delivery.publication import Acknowledged, Event, Lost, Publication, Refused
from monitor.doctor.finding import Finding, Light, amber, green, red
from monitor.errors import BrokerError
from monitor.messages import DeliveredMessage
from monitor.messages.channels import CHANNELS

PATIENCE_S = 4.0


def broker(config: Config) -> list[Finding]:
    """Connect with the station's credentials and write an empty message, not retained, to each of its topics.

    A reader of JSON drops an empty message as it drops all that it cannot read. MQTT 5 alone says whether a topic was
    refused. Of several brokers one that is there will do.
    """
    topics = [f"{config.mqtt.prefix}/{config.station}/{level}" for level in _levels(config.mqtt)]
    found = [_examine(server, config.mqtt, topics) for server in config.mqtt.servers]
    missing = [one for one, *_ in found if one.light is Light.RED]
    if len(missing) < len(found):
        spared = [[amber(f.check, f.found, f.advice) if f in missing else f for f in findings] for findings in found]
        return [finding for findings in spared for finding in findings]
    return [finding for findings in found for finding in findings]


def _levels(settings: Mqtt) -> list[str]:
    """The last levels of the topics that the station writes with these settings."""
    asked = {
        "lifecycle": settings.lifecycle,
        "live": settings.live,
        "response": settings.commands,
        "batches": settings.batch,
    }
    written = [channel for channel in CHANNELS if not channel.heard and asked.get(channel.level, True)]
    packed = typing.get_args(DeliveredMessage) if settings.batch else ()
    return [channel.level for channel in written if channel.message not in packed]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a broker says to a message."""

    after_s: float
    refusal: str = ""


def _examine(server: Broker, settings: Mqtt, topics: list[str]) -> list[Finding]:
    """What is found at one broker."""
    try:
        return _heard(server, _ask(server, settings, topics), topics)
    except BrokerError as error:
        advice = "Look at the mqtt section, the network and the broker; detections wait in the store until then."
        return [red("broker", f"No connection to {server.address}: {error}.", advice)]


def _heard(server: Broker, answers: dict[str, _Answer], topics: list[str]) -> list[Finding]:
    each_s = sum(answer.after_s for answer in answers.values()) / len(answers)
    reached = f"{server.address} acknowledges within {1000 * each_s:.0f} ms"
    if len(answers) < len(topics):
        found = f"{reached}, but speaks MQTT 3.1.1 only: could not look whether it takes our topics."
        return [amber("broker", found, "Use a broker with MQTT 5, or look at what a subscriber receives.")]
    refused = [f"{topic} ({answer.refusal})" for topic, answer in answers.items() if answer.refusal]
    if refused:
        found = f"The broker refuses {', '.join(refused)}."
        return [green("broker", f"{reached}."), red("topics", found, "Give this user the right to write them.")]
    return [green("broker", f"{reached}."), green("topics", f"All of {', '.join(answers)} may be written.")]


def _ask(server: Broker, settings: Mqtt, topics: list[str]) -> dict[str, _Answer]:
    """What a broker answers to a message to each topic; of MQTT 3.1.1, which acknowledges what it drops, to the first.

    Calls again where the broker hangs up after a refusal, as mosquitto 2.0.11 does. Raises BrokerError.
    """
    answers: dict[str, _Answer] = {}
    while waiting := [topic for topic in topics if topic not in answers]:
        with _called(server, settings) as line:
            if not line.modern:
                return {waiting[0]: line.publish(waiting[0])}
            answers[waiting[0]] = line.publish(waiting[0])
            with suppress(_HungUpError):
                for topic in waiting[1:]:
                    answers[topic] = line.publish(topic)
    return answers


class _HungUpError(BrokerError):
    """The broker ended the connection."""


class _Line:
    """A connection, and what the broker answers, each answer awaited."""

    def __init__(self, connection: Connection, events: "queue.SimpleQueue[Event]") -> None:
        self._connection, self._events = connection, events
        self.modern = connection.protocol == MQTTv5

    def publish(self, topic: str) -> _Answer:
        """What the broker says to an empty message at QoS 1. Raises BrokerError where it says nothing."""
        begin = time.perf_counter()
        token = self._connection.publish(Publication(topic, b"", qos=1))
        while True:
            try:
                event = self._events.get(timeout=PATIENCE_S)
            except queue.Empty:
                msg = f"it does not answer within {PATIENCE_S:g} s"
                raise BrokerError(msg) from None
            match event:
                case Acknowledged(answered) if answered == token:
                    return _Answer(time.perf_counter() - begin)
                case Refused(answered, reason) if answered == token:
                    return _Answer(time.perf_counter() - begin, reason)
                case Lost(reason):
                    msg = f"it hangs up after a message to {topic}: {reason}"
                    raise _HungUpError(msg)


@contextmanager
def _called(server: Broker, settings: Mqtt) -> Iterator[_Line]:
    """A line that the broker has accepted, under no name, for the station's is in use. BrokerError says why not."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    caller = Caller("", settings.keepalive_s, patience_s=PATIENCE_S)
    connection = connect(server, caller, lambda _connection: None, events.put)
    try:
        yield _Line(connection, events)
    finally:
        connection.close()

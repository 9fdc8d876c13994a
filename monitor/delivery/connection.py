"""One connection to a broker, from the call to the end.

MQTT 5 first, because only there a refusal carries a reason; MQTT 3.1.1 for brokers that say that they know no better,
and for no others: it would acknowledge what it drops. A connection is a client of its own that starts with nothing:
what was on its way when one broke is sent again by who keeps it.
"""

import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.config.broker import Broker
from monitor.delivery.credentials import authorise
from monitor.delivery.publication import Acknowledged, Arrived, Event, Lost, Publication, Refused
from monitor.errors import BrokerError

logger = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""for each step of a connection: the network, TLS, and the broker's answer"""
SILENCE_S = 2.0
"""after which a broker that does not answer is asked whether it understood"""
FAREWELL_S = 0.5

TOKENS = 1 << 16
"""of one connection: MQTT counts its packets from 1 to 65535"""

_UNSPECIFIED, _UNSUPPORTED_VERSION = 128, 132


class OldBrokerError(BrokerError):
    """This broker says that it does not speak MQTT 5."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a broker keeps for a listener while it is away: all at QoS 1 that the listener has not acknowledged."""

    kept_s: int
    """for so long; MQTT 3.1.1 leaves that to the broker"""
    most: int
    """messages that are on their way and not acknowledged; MQTT 3.1.1 leaves that to the broker"""
    passing: Sequence[str] = ()
    """further topic filters, of what is not kept: at QoS 0"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    client_id: str
    """a broker ends the connection that it has under the same name; empty: it gives one"""
    keepalive_s: int
    will: Publication | None = None
    topics: Sequence[str] = ()
    """topic filters that are listened to"""
    in_flight: int = 20
    """publications at most that the broker has not acknowledged; fewer where it says so"""
    patience_s: float = PATIENCE_S
    numbers: Iterator[int] = field(default_factory=count)
    """of connections"""
    session: Session | None = None
    """None: it begins with nothing, and what arrives is acknowledged when it is told"""


class Connection:
    """A connection that a broker has accepted. BrokerError where it does not come to be."""

    def __init__(
        self,
        broker: Broker,
        caller: Caller,
        admitted: Callable[["Connection"], None],
        tell: Callable[[Event], None],
        protocol: MQTTProtocolVersion,
    ) -> None:
        """`admitted` is called when the broker lets us in, then `tell` with each event, both from another thread."""
        self.broker, self.protocol = broker, protocol
        self.largest_bytes: int | None = None
        """of a packet that the broker takes; None: it names no limit"""
        self.most_in_flight = caller.in_flight
        self._caller, self._admitted, self._tell = caller, admitted, tell
        self._number, self._published, self._answers = next(caller.numbers), 0, 0
        self._answer: ReasonCode | None = None
        self._answered, self.ended = threading.Event(), threading.Event()
        self._ending = threading.RLock()
        self._client = self._new_client()
        try:
            self._call()
            self._await_answer()
        except BrokerError:
            self.close()
            raise

    def publish(self, publication: Publication) -> int:
        """Send; return the token by which the answer names it: no other connection of this caller uses it again."""
        self._published += 1
        sent = self._client.publish(publication.topic, publication.payload, publication.qos, publication.retain)
        return self._token(sent.mid)

    def acknowledge(self, arrived: Arrived) -> None:
        """A message is safe here. One of an earlier connection is not acknowledged, and comes again."""
        if arrived.token is not None and arrived.token // TOKENS == self._number:
            self._client.ack(arrived.token % TOKENS, 1)

    @property
    def quiet(self) -> bool:
        """Whether all that was published has been answered."""
        return self._published == self._answers

    def close(self, last: Publication | None = None) -> None:
        """Say a last word and end it. Takes a second at most, also where nothing moves any more."""
        if last is not None:
            with suppress(RuntimeError):  # it has broken just now
                self._client.publish(last.topic, last.payload, last.qos, last.retain).wait_for_publish(FAREWELL_S)
        self._client.disconnect()
        self._end("it was closed")

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._caller.client_id,
            protocol=self.protocol,
            transport="tcp" if self.broker.websocket_path is None else "websockets",
            reconnect_on_failure=False,
            manual_ack=self._caller.session is not None,
            clean_session=None if self.protocol == MQTTv5 else self._caller.session is None,
        )
        client.connect_timeout = self._caller.patience_s
        client.max_inflight_messages_set(self._caller.in_flight)
        if self.broker.websocket_path is not None:
            client.ws_set_options(self.broker.websocket_path)
        if (will := self._caller.will) is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        authorise(client, self.broker)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _call(self) -> None:
        """Reach the broker: TCP, TLS and websockets, as far as they are asked for."""
        try:
            self._client.connect(self.broker.host, self.broker.port, self._caller.keepalive_s, **self._begun())
            self._client.loop_start()
        except ssl.SSLCertVerificationError as error:
            msg = f"its certificate cannot be trusted: {error.verify_message}"
            raise BrokerError(msg) from error
        except OSError as error:
            msg = f"it cannot be reached: {error.strerror or error}"
            raise BrokerError(msg) from error
        except (ValueError, LookupError, RuntimeError) as error:
            # a name that is none, a web server that does not know websockets, a machine without room for a thread
            msg = f"it cannot be reached: {error}"
            raise BrokerError(msg) from error

    def _begun(self) -> dict[str, Any]:
        """With what the conversation begins, as paho wants to be told in MQTT 5."""
        session = self._caller.session
        if session is None or self.protocol != MQTTv5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval, properties.ReceiveMaximum = session.kept_s, session.most
        return {"clean_start": False, "properties": properties}

    def _await_answer(self) -> None:
        """Wait until the broker lets us in."""
        self._answered.wait(min(SILENCE_S, self._caller.patience_s))
        if self._answer is None and self.protocol == MQTTv5 and _says_that_it_is_old(self.broker, self._caller):
            msg = "it does not understand MQTT 5"
            raise OldBrokerError(msg)
        self._answered.wait(self._caller.patience_s)
        if self._answer is None and self.ended.is_set():
            msg = "it hangs up without an answer; does it expect another port, TLS or a certificate?"
            raise BrokerError(msg)
        if self._answer is None:
            msg = f"it does not answer within {self._caller.patience_s:g} s"
            raise BrokerError(msg)
        if self._answer.value == _UNSUPPORTED_VERSION and self.protocol == MQTTv5:
            msg = "it does not speak MQTT 5"
            raise OldBrokerError(msg)
        if self._answer.is_failure:
            msg = f"it refuses these credentials: {self._answer}"
            raise BrokerError(msg)

    def _token(self, mid: int) -> int:
        return self._number * TOKENS + mid

    def _end(self, reason: str) -> None:
        """Tell once, whoever finds out first."""
        with self._ending:
            if not self.ended.is_set() and self._answer is not None and not self._answer.is_failure:
                self._tell(Lost(reason))
            self.ended.set()
        self._answered.set()

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:  # noqa: ANN401
        with self._ending:
            if self.ended.is_set():  # we have stopped waiting for this
                return
            self._answer = reason
            if not reason.is_failure:
                self._begin(client, properties)
        self._answered.set()

    def _begin(self, client: Client, properties: Any) -> None:  # noqa: ANN401
        """The broker has let us in."""
        most = self._caller.in_flight
        # paho keeps the rest until there is room, but has no word for a limit that the broker names
        self.most_in_flight = client._max_inflight_messages = min(most, getattr(properties, "ReceiveMaximum", most))  # noqa: SLF001
        self.largest_bytes = getattr(properties, "MaximumPacketSize", None)
        self._admitted(self)
        for topic in self._caller.topics:
            client.subscribe(topic, qos=1)
        for topic in self._caller.session.passing if self._caller.session else ():
            client.subscribe(topic, qos=0)

    def _on_disconnect(self, _client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        without_a_word = reason.value == _UNSPECIFIED and not flags.is_disconnect_packet_from_server
        self._end("the connection broke" if without_a_word else str(reason))

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:  # noqa: ANN401
        self._answers += 1
        token = self._token(mid)
        self._tell(Refused(token, str(reason)) if reason.is_failure else Acknowledged(token))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401
        token = self._token(message.mid) if self._caller.session and message.qos else None
        self._tell(Arrived(message.topic, bytes(message.payload), message.retain, token))

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any) -> None:  # noqa: ANN401
        for reason in reasons:
            if reason.is_failure:
                logger.error("%s does not let us listen to what we ask for: %s", self.broker.address, reason)


def _says_that_it_is_old(broker: Broker, caller: Caller) -> bool:
    """Whether it says so where it can read the question: a call that names nobody looks like one of MQTT 3.1.1.

    Some read all of a call before they look at its version, and then wait for the rest of what they take for a will.
    """
    if caller.client_id == "" and caller.will is None:
        return False
    nobody = replace(caller, client_id="", will=None, topics=(), session=None, patience_s=SILENCE_S)
    try:
        Connection(broker, nobody, lambda _connection: None, lambda _event: None, MQTTv5).close()
    except OldBrokerError:
        return True
    except BrokerError:
        pass
    return False


def connect(
    broker: Broker, caller: Caller, admitted: Callable[[Connection], None], tell: Callable[[Event], None]
) -> Connection:
    """A connection in the best protocol that the broker speaks. BrokerError says why there is none.

    Asked anew each time, since a broker may have been brought up to date.
    """
    try:
        return Connection(broker, caller, admitted, tell, MQTTv5)
    except OldBrokerError:
        logger.info("%s does not speak MQTT 5; falling back to 3.1.1", broker.address)
        return Connection(broker, caller, admitted, tell, MQTTv311)

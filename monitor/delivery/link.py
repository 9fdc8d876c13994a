"""A connection to a broker that is always there or about to be.

Each broker is called in order until one lets us in. Where none does, or where a connection breaks, all are called again
after a wait of random length, below a bound that doubles from one second to five minutes: a fleet whose broker comes
back must not come back all at once (full jitter,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from monitor.config.broker import Broker
from monitor.config.mqtt import Mqtt
from monitor.delivery.connection import Caller, Connection, Session, connect
from monitor.delivery.credentials import check
from monitor.delivery.publication import Arrived, Connected, Event, Lost, Publication
from monitor.errors import BrokerError

IN_FLIGHT = 200
"""publications at most that the broker has not acknowledged"""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
STEADY_S, HUNG_UP_WAIT_S = 1.0, 30.0
"""one that breaks sooner is followed by a longer wait, but by no more than these, for it may still have been of use:
mosquitto 2.0.11 hangs up after each message that it refuses"""
RETURN_S = 600.0
"""between two looks whether a broker that stands further ahead answers again"""
QUIET_S = 1.0

NOBODY = -1
"""the token of a publication that could not be sent"""


class Link:
    """Connects from a thread of its own, again and again, and tells what happens.

    Raises BrokerError where the settings can never work: a password or certificate file that is not there.
    """

    def __init__(
        self,
        settings: Mqtt,
        will: Publication | None,
        topics: Sequence[str],
        tell: Callable[[Event], None],
        chance: random.Random | None = None,
        return_s: float = RETURN_S,
        session: Session | None = None,
    ) -> None:
        """`tell` gets each event, from the link's thread. `topics` are listened to on every connection.

        The will's topic without its last level is the client's name where the settings give none: a broker that has
        not noticed the end of a connection ends it, and publishes the will, before it lets us in again. Who only
        listens has no will, and a `session` if nothing may be missed.
        """
        self._brokers, self._tell, self._return_s = settings.servers, tell, return_s
        self._chance = chance or random.Random()  # noqa: S311 nobody gains by guessing when we come back
        name = settings.client_id or (will.topic.rpartition("/")[0] if will else "")
        self._will = will
        self._caller = Caller(name, settings.keepalive_s, will, topics, IN_FLIGHT, session=session)
        self._stop = threading.Event()
        self._connection: Connection | None = None
        for broker in self._brokers:
            check(broker)
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)

    def start(self) -> None:
        """Connect in the background; a broker that is not there is tried again for ever."""
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether a broker has let us in."""
        return self._connection is not None and not self._connection.ended.is_set()

    def publish(self, publication: Publication) -> int:
        """Send; return the token by which the answer names it. Without a connection it is lost, and nobody answers."""
        connection = self._connection
        return NOBODY if connection is None else connection.publish(publication)

    def acknowledge(self, arrived: Arrived) -> None:
        """A message is safe here; the broker need not keep it any more for a session."""
        if self._connection is not None:
            self._connection.acknowledge(arrived)

    def close(self, last: Publication | None = None) -> None:
        """Say a last word, if there is a connection to say it over, and end it: within about a second."""
        self._stop.set()
        if self._connection is not None:
            self._connection.close(last)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _run(self) -> None:
        bound_s = FIRST_WAIT_S
        while not self._stop.is_set():
            held_s = self._converse()
            if held_s is None:
                bound_s = min(2 * bound_s, LONGEST_WAIT_S)
            else:
                bound_s = FIRST_WAIT_S if held_s >= STEADY_S else min(2 * bound_s, HUNG_UP_WAIT_S)
            self._stop.wait(self._chance.uniform(0.0, bound_s))

    def _converse(self) -> float | None:
        """One connection from its beginning to its end; for how many seconds it held. None: no broker let us in."""
        refusals = []
        for rank, broker in enumerate(self._brokers):
            if self._stop.is_set():
                return None
            try:
                connection = connect(broker, self._caller, self._admit, self._tell)
            except BrokerError as error:
                refusals.append(f"{broker.address}: {error}")
                continue
            begun = time.monotonic()
            self._stay(connection, rank)
            return time.monotonic() - begun
        self._tell(Lost("; ".join(refusals)))
        return None

    def _admit(self, connection: Connection) -> None:
        self._connection = connection
        self._tell(Connected(connection.broker.address, connection.largest_bytes, connection.most_in_flight))
        if self._stop.is_set():
            connection.close()

    def _stay(self, connection: Connection, rank: int) -> None:
        """Wait for the end of a connection, or end it for a broker that stands ahead of `rank` and answers again."""
        while not connection.ended.wait(self._return_s if rank else None):
            if any(self._answers(broker) for broker in self._brokers[:rank]):
                while not connection.quiet and not connection.ended.wait(QUIET_S):
                    pass
                # here nobody else would hear that we have gone
                connection.close(self._will)

    def _answers(self, broker: Broker) -> bool:
        stranger = replace(self._caller, client_id="", will=None, topics=(), session=None)
        try:
            connect(broker, stranger, lambda _connection: None, lambda _event: None).close()
        except BrokerError:
            return False
        return True

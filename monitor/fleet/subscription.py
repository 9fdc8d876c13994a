"""What a fleet publishes, as it comes from the broker."""

import logging
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from monitor.config.mqtt import Mqtt
from monitor.delivery.batches import LEVEL as BATCHES
from monitor.delivery.connection import Session
from monitor.delivery.link import Link
from monitor.delivery.publication import Arrived, Connected, Event, Lost
from monitor.fleet.letters import DELIVERED, WORDS

logger = logging.getLogger(__name__)

KEPT_S = 28 * 24 * 3600
"""so long a broker that speaks MQTT 5 keeps messages for a collector that is away"""
MOST = 2000
"""messages that a collector holds which are not yet acknowledged"""
MOST_UNKEPT = 20_000
"""of those that nobody acknowledges, such as how a station fares, so many wait at most"""
BRIEF_S, SUSPICIOUS = 10.0, 3
"""so many connections in a row that end so soon: a broker lets one in under a name, and does not say why it ends"""


@dataclass(frozen=True, slots=True)
class State:
    """Whether there is a connection, and to which broker, or why not."""

    connected: bool
    about: str


class Subscription:
    """Hears a fleet, for one thread that takes what has come.

    Raises BrokerError where the settings can never work: a password or certificate file that is not there.
    """

    def __init__(self, settings: Mqtt, name: str = "", group: str | None = None, *, durable: bool = False) -> None:
        """A `durable` one misses nothing that came while it was away, as long as it comes back under its `name`.

        The subscribers of a `group` share the messages of the fleet: each goes to one of them.
        """
        filters = [f"{settings.prefix}/+/{level}" for level in (*DELIVERED, BATCHES)]
        shared = filters if group is None else [f"$share/{group}/{one}" for one in filters]
        words = [f"{settings.prefix}/+/{level}" for level in WORDS]
        self._arrived: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        self.state = State(connected=False, about="no broker has answered yet")
        self._name, self._connected_at, self._brief = name, 0.0, 0
        session = Session(KEPT_S, MOST, words) if durable else None
        # the name of a station, which stands in the same settings, is not ours to take
        own = msgspec.structs.replace(settings, client_id=name or None)
        self._link = Link(own, None, shared if durable else [*shared, *words], self._tell, session=session)

    def start(self) -> None:
        """Connect in the background; a broker that is not there is tried again for ever."""
        self._link.start()

    def take(self, most: int, wait_s: float) -> list[Arrived]:
        """What has come, at most so much; where nothing has, wait for the first."""
        taken: list[Arrived] = []
        try:
            taken.append(self._arrived.get(timeout=wait_s))
            while len(taken) < most:
                taken.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return taken

    def acknowledge(self, taken: Sequence[Arrived]) -> None:
        """These are safe."""
        for arrived in taken:
            self._link.acknowledge(arrived)

    def close(self) -> None:
        """Listen no more; the broker keeps what comes for a durable one."""
        self._link.close()

    def _tell(self, event: Event) -> None:
        match event:
            case Arrived(token=None) if self._arrived.qsize() > MOST_UNKEPT:
                pass  # memory is bounded, and who wants to have all is durable
            case Arrived():
                self._arrived.put(event)
            case Connected(broker):
                self._note(State(connected=True, about=broker))
            case Lost(reason):
                self._note(State(connected=False, about=reason))
            case _:
                pass

    def _note(self, state: State) -> None:
        if state != self.state:
            logger.log(logging.INFO if state.connected else logging.WARNING, "broker: %s", state.about)
        if state.connected:
            self._connected_at = time.monotonic()
        elif self.state.connected:
            brief = time.monotonic() - self._connected_at < BRIEF_S
            self._brief = self._brief + 1 if brief else 0
            if self._brief == SUSPICIOUS:
                logger.warning("broker: it ends each connection soon; does somebody else listen as %s?", self._name)
        self.state = state

"""What is given to a broker, and what is heard of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """A message on its way to the broker."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes to the broker for one or several rows of the outbox: they may go when all of it is acknowledged."""

    sequences: tuple[int, ...]
    publications: tuple[Publication, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """A broker lets us in. Nothing is on its way: what was not acknowledged before has to be sent again."""

    broker: str
    """host and port"""
    largest_bytes: int | None = None
    """of a packet that it takes; None: it names no limit"""
    most_in_flight: int | None = None
    """publications that it may have without having acknowledged them; None: it names no limit"""


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection, or no more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker took a publication, with success."""

    token: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker took a publication and threw it away."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody published to a topic that we listen to."""

    topic: str
    payload: bytes
    retained: bool
    token: int | None = None
    """by which who has a session acknowledges it; None: nobody waits for that"""


Event = Connected | Lost | Acknowledged | Refused | Arrived

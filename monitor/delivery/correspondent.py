"""Who speaks and listens beside the outbox, over the same connection."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from monitor.delivery.publication import Arrived, Publication


class Correspondent(Protocol):
    """Called by the publisher's thread, so it must not wait for anything."""

    @property
    def topics(self) -> Sequence[str]:
        """What it listens to, as MQTT topic filters."""

    def connected(self) -> Iterable[Publication]:
        """What it says whenever a broker has let us in."""

    def arrived(self, message: Arrived) -> Iterable[Publication]:
        """What it answers to a message, which may be for somebody else."""

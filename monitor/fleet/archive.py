"""Where a fleet's messages are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from monitor.fleet.letters import Item


class Archive(Protocol):
    """Keeps each message once, for one thread."""

    @property
    def name(self) -> str:
        """What people call it; no password."""

    def write(self, items: Sequence[Item], now: datetime) -> None:
        """Write what is new: durable when this returns. StoreError where it cannot; then it is to be offered again."""

    def tend(self, now: datetime) -> None:
        """An occasion for what has to be done from time to time. StoreError where it cannot be done."""

    def close(self, now: datetime) -> None:
        """Do what waits, and close. StoreError where it cannot be done: then it is done at the next start."""

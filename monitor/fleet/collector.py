"""The loop of a collector: take, write, acknowledge."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from monitor.delivery.publication import Arrived
from monitor.errors import StoreError
from monitor.fleet.archive import Archive
from monitor.fleet.letters import Item, Unread, read
from monitor.fleet.subscription import Subscription
from monitor.fleet.tables import AT_ONCE

logger = logging.getLogger(__name__)

POLL_S = 0.5
AGAIN_S = 1.0
"""between two attempts to write"""


class Collector:
    """Moves what a subscription hears into an archive."""

    def __init__(self, subscription: Subscription, archive: Archive, now: Callable[[], datetime]) -> None:
        self._subscription, self._archive, self._now = subscription, archive, now
        self._failing, self._unread = False, 0

    def run(self, stop: threading.Event) -> None:
        """Collect until asked to stop, then close. StoreError where the archive cannot be closed well.

        An archive that refuses is tried again, and nothing is acknowledged meanwhile: the broker waits, and so memory
        is bounded.
        """
        self._subscription.start()
        try:
            while not stop.is_set():
                for taken, items in _portions(self._subscription.take(AT_ONCE, POLL_S)):
                    if self._written(items, stop):
                        self._subscription.acknowledge(taken)
                        self._tell_of(items)
                self._attempt(lambda: self._archive.tend(self._now()))
        finally:
            self._subscription.close()
            if self._unread:
                logger.warning("%d messages could not be read; they are kept as they came", self._unread)
            self._archive.close(self._now())

    def _tell_of(self, items: Sequence[Item]) -> None:
        """Say of the first that cannot be read what is wrong, and of the others how many they are."""
        unread = [item for item in items if isinstance(item, Unread)]
        if unread and not self._unread:
            logger.warning("%s: kept as it came, and not read: %s", unread[0].topic, unread[0].reason)
        self._unread += len(unread)

    def _written(self, items: Sequence[Item], stop: threading.Event) -> bool:
        """Write, however often it takes; False where the stop comes first."""
        while not self._attempt(lambda: self._archive.write(items, self._now())):
            if stop.wait(AGAIN_S):
                return False
        return True

    def _attempt(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except StoreError as error:
            if not self._failing:
                logger.error("%s; tried again every %g s, the broker waits", error, AGAIN_S)  # noqa: TRY400
            self._failing = True
            return False
        if self._failing:
            logger.info("%s is written again", self._archive.name)
        self._failing = False
        return True


def _portions(arrived: Sequence[Arrived]) -> Iterator[tuple[list[Arrived], list[Item]]]:
    """What is written and acknowledged together: about `AT_ONCE` messages, since a single batch may hold many."""
    taken: list[Arrived] = []
    items: list[Item] = []
    for one in arrived:
        taken.append(one)
        items += read(one.topic, one.payload, retained=one.retained)
        if len(items) >= AT_ONCE:
            yield taken, items
            taken, items = [], []
    if taken:
        yield taken, items

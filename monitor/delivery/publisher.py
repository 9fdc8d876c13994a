"""The outbox over MQTT: published in order at QoS 1, forgotten only when the broker acknowledged success."""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from monitor.config.mqtt import Mqtt
from monitor.delivery.budget import Budget
from monitor.delivery.correspondent import Correspondent
from monitor.delivery.dispatch import POLL_S, Dispatch
from monitor.delivery.link import Link
from monitor.delivery.packing import Parcels, packing
from monitor.delivery.publication import Acknowledged, Arrived, Connected, Event, Lost, Publication, Refused
from monitor.delivery.replays import Replays
from monitor.delivery.words import Words
from monitor.messages import StatusMessage
from monitor.sinks.archive import Archive
from monitor.sinks.outbox import Outbox

logger = logging.getLogger(__name__)

FAILED_WAIT_S = 5.0
"""after which a disk that fails is tried again"""


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
class _Said:
    """Something that is not from the outbox."""

    publication: Publication


@dataclass(frozen=True, slots=True)
class _Asked:
    """Somebody wants a range of messages once more."""

    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class _Woken:
    """The outbox got a row."""


class Publisher:
    """Sends the outbox from a thread of its own, for as long as it takes.

    Raises BrokerError where the settings can never work: a password or certificate file that is not there.
    """

    def __init__(
        self,
        settings: Mqtt,
        station: Station,
        store: Path,
        correspondents: Sequence[Correspondent] = (),
        repack: Callable[[Parcels], Parcels] = lambda parcels: parcels,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`repack` changes what is made of the rows of the outbox. `now`: Unix time in seconds."""
        self._settings, self._station, self._store = settings, station, store
        self._correspondents, self._monotonic, self._now = correspondents, monotonic, now
        own = packing(settings, f"{settings.prefix}/{station.name}", monotonic)
        self._packing = replace(own, parcels=repack(own.parcels))
        self._budget = Budget(settings, monotonic)
        self._events: queue.SimpleQueue[Event | _Said | _Asked | _Woken] = queue.SimpleQueue()
        self._words = Words(self._speak, f"{settings.prefix}/{station.name}", monotonic)
        self._connected, self._complaint = False, ""
        self._failing = False
        self._hold_until = 0.0
        self._deadline: float | None = None
        topics = [topic for one in correspondents for topic in one.topics]
        self._link = Link(settings, self._status(station.offline), topics, self._events.put)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect in the background; a broker that is not there is tried again for ever."""
        self._link.start()
        self._thread.start()

    def wake(self) -> None:
        """The outbox got a row."""
        self._events.put(_Woken())

    def say(self, publication: Publication) -> None:
        """Send beside the outbox, from any thread. Lost without a connection, but the last retained word is kept."""
        self._events.put(_Said(publication))

    def replay(self, first_sequence: int, last_sequence: int | None) -> None:
        """Send messages once more, from any thread: those of a range that the store keeps, up to the newest for None.

        They have the id and the sequence number that they had, and show what the store knows now. Of what it does not
        keep a DroppedMessage tells at the end.
        """
        self._events.put(_Asked(first_sequence, last_sequence))

    def close(self, flush_s: float) -> None:
        """Send what is left, for at most `flush_s` seconds, say offline and disconnect."""
        self._packing.hurry()
        self._deadline = self._monotonic() + flush_s
        self.wake()
        self._thread.join(flush_s + 1)
        self._link.close(self._status(self._station.offline))

    def _run(self) -> None:
        with closing(Outbox(self._store)) as outbox, closing(Archive(self._store, self._station.name)) as archive:
            dispatch = Dispatch(
                outbox,
                Replays(archive),
                self._link.publish,
                self._packing,
                self._budget,
                self._monotonic,
                self._now,
            )
            while not self._finished(dispatch):
                self._drain(dispatch)
                self._work(dispatch)
            with suppress(sqlite3.Error):
                dispatch.settle(at_once=True)
                if left := outbox.count():
                    logger.warning("%d messages wait in the outbox for the next start", left)

    def _work(self, dispatch: Dispatch) -> None:
        if self._monotonic() < self._hold_until:
            return
        try:
            dispatch.settle(at_once=self._deadline is not None)
            if self._connected:
                dispatch.send()
            self._failing = False
        except sqlite3.Error as error:
            if not self._failing:
                logger.error("outbox cannot be read or written: %s; it is tried again", error)  # noqa: TRY400
            self._failing, self._hold_until = True, self._monotonic() + FAILED_WAIT_S

    def _finished(self, dispatch: Dispatch) -> bool:
        if self._deadline is None:
            return False
        try:
            return self._monotonic() > self._deadline or dispatch.idle
        except sqlite3.Error:
            return True

    def _drain(self, dispatch: Dispatch) -> None:
        """Wait for events and take all there are."""
        try:
            event = self._events.get(timeout=POLL_S if self._deadline is None else 0.05)
            while True:
                self._note(event, dispatch)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _note(self, event: Event | _Said | _Asked | _Woken, dispatch: Dispatch) -> None:
        match event:
            case Acknowledged(token):
                dispatch.acknowledged(token)
                self._words.acknowledged(token)
            case Refused(token, reason):
                dispatch.refused(token, reason)
                self._words.refused(token, reason)
            case Connected():
                self._begin(event, dispatch)
            case Lost(reason):
                self._lose(reason, dispatch)
            case Arrived():
                for one in self._correspondents:
                    self._say_all(one.arrived(event))
            case _Said(publication):
                self._words.say(publication)
            case _Asked(first, last):
                dispatch.replay(first, last)
            case _Woken():
                dispatch.look()

    def _begin(self, connected: Connected, dispatch: Dispatch) -> None:
        logger.info("connected to %s", connected.broker)
        self._connected, self._complaint = True, ""
        self._budget.connected()
        dispatch.connected(connected)
        self._words.say(self._status(self._station.online))
        self._words.connected()
        for one in self._correspondents:
            self._say_all(one.connected())

    def _lose(self, reason: str, dispatch: Dispatch) -> None:
        if reason != self._complaint:
            logger.warning("no connection to a broker: %s", reason)
        self._connected, self._complaint = False, reason
        dispatch.lost()
        self._words.lost()

    def _say_all(self, publications: Iterable[Publication]) -> None:
        for publication in publications:
            self._words.say(publication)

    def _speak(self, publication: Publication) -> int:
        self._budget.spend(publication)
        return self._link.publish(publication)

    def _status(self, message: StatusMessage) -> Publication:
        topic = f"{self._settings.prefix}/{self._station.name}/status"
        return Publication(topic, msgspec.json.encode(message), qos=1, retain=True)

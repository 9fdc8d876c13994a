"""A fleet as it is now, of what has been heard since somebody watches."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from monitor.clock import Quality
from monitor.fleet.gaps import Span, total, united, without
from monitor.fleet.letters import Item, Letter, Number, Unread, Word, moment
from monitor.messages import DetectionMessage, DroppedMessage, EffortMessage, HealthMessage, StatusMessage

LAST = 20
"""detections of a station that are remembered"""
RECENT = 1000
"""numbers of a station whose ids are remembered, and stretches of numbers that are told apart"""


@dataclass(slots=True)
class Numbers:
    """Which numbers of a station have come since the first, and which came twice."""

    spans: list[Span] = field(default_factory=list)
    given_up: list[Span] = field(default_factory=list)
    _recent: dict[int, bytes] = field(default_factory=dict)

    def take(self, number: Number) -> bool:
        """Note a number; False where it came before. A number that another id has taken is of a new store."""
        known = self._recent.get(number.sequence)
        if known == number.digest:
            return False
        if known is not None:
            self.spans, self.given_up = [], []
            self._recent.clear()
        self._recent[number.sequence] = number.digest
        while len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        self.spans = united([*self.spans, (number.sequence, number.sequence)])[-RECENT:]
        return True

    def drop(self, span: Span) -> None:
        """The station gave these up."""
        self.given_up = united([*self.given_up, span])[-RECENT:]

    @property
    def missing(self) -> list[Span]:
        """Between the first and the last, and not given up."""
        if not self.spans:
            return []
        whole = [(self.spans[0][0], self.spans[-1][1])]
        return without(without(whole, self.spans), self.given_up)


@dataclass(slots=True)
class Station:
    """What is known of a station."""

    name: str
    status: StatusMessage | None = None
    since: datetime | None = None
    """when its status changed before our eyes"""
    health: HealthMessage | None = None
    health_at: datetime | None = None
    """when it came, or when it was said if the broker remembered it; None where nobody knows"""
    heard_at: datetime | None = None
    """when it last said something"""
    last: deque[DetectionMessage] = field(default_factory=lambda: deque(maxlen=LAST))
    """newest last"""
    detections: int = 0
    """today, since it is watched"""
    heard_s: float = 0.0
    """of today's accounts of effort"""
    whole_s: float = 0.0
    unread: int = 0
    """messages that could not be read"""
    numbers: Numbers = field(default_factory=Numbers)

    @property
    def heard_share(self) -> float | None:
        """Of the time that today's accounts are about; None where there was none yet."""
        return self.heard_s / self.whole_s if self.whole_s else None

    @property
    def missing(self) -> int:
        """Numbers that have not come since it is watched."""
        return total(self.numbers.missing)


class Fleet:
    """All stations that were heard of."""

    def __init__(self) -> None:
        self.stations: dict[str, Station] = {}
        self._today: date | None = None

    def take(self, items: Iterable[Item], now: datetime) -> set[str]:
        """Note what has come; return the stations that it is about."""
        if now.date() != self._today:
            self._today = now.date()
            for station in self.stations.values():
                station.detections, station.heard_s, station.whole_s = 0, 0.0, 0.0
        return {name for item in items if (name := self._take(item, now)) is not None}

    def _take(self, item: Item, now: datetime) -> str | None:
        name = _about(item)
        if name is None:
            return None
        station = self.stations.setdefault(name, Station(name))
        match item:
            case Word(StatusMessage() as status, retained):
                if station.status is not None and status.state != station.status.state:
                    station.since = now
                station.status = status
                if not retained and status.state == "online":
                    station.heard_at = now
            case Word(HealthMessage() as health, retained):
                station.health = health
                station.health_at = _said(health) if retained else now
                station.heard_at = station.health_at or station.heard_at
            case Letter():
                station.heard_at = now
                self._letter(station, item)
            case _:
                station.unread += 1
        return name

    def _letter(self, station: Station, letter: Letter) -> None:
        message = letter.message
        if isinstance(message, DroppedMessage):
            station.numbers.drop((message.first_sequence, message.last_sequence))
        if not station.numbers.take(letter.number):
            return
        if isinstance(message, DetectionMessage):
            station.last.append(message)
            station.detections += self._is_today(message.onset_utc)
        elif isinstance(message, EffortMessage) and self._is_today(message.end_utc):
            station.heard_s += message.heard_s
            station.whole_s += message.end_s - message.start_s

    def _is_today(self, time: str | None) -> bool:
        found = None if time is None else moment(time)
        return found is not None and found.date() == self._today


def _said(health: HealthMessage) -> datetime | None:
    """When, as far as the station's clock is vouched for."""
    return moment(health.at_utc) if health.at_utc and Quality(health.clock_quality).vouched else None


def _about(item: Item) -> str | None:
    """The station that something is about, or on whose topic it came."""
    if isinstance(item, Unread):
        return ("", *item.topic.split("/"))[-2] or None
    return item.message.station

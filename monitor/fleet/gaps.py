"""What is missing of a fleet's messages, and what will never come."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Span = tuple[int, int]
"""the first and the last of consecutive sequence numbers"""
Numbered = tuple[str, int]
"""station and generation of its store"""


def united(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in as few spans as can be, in order."""
    whole: list[Span] = []
    for first, last in sorted(spans):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(last, whole[-1][1]))
        else:
            whole.append((first, last))
    return whole


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """The numbers of `spans` that are not in `taken`."""
    left = united(spans)
    for first, last in united(taken):
        left = [piece for span in left for piece in _cut(span, first, last)]
    return left


def total(spans: Iterable[Span]) -> int:
    """How many numbers there are in spans that do not overlap."""
    return sum(last - first + 1 for first, last in spans)


def _cut(span: Span, first: int, last: int) -> Iterator[Span]:
    if span[0] < first:
        yield span[0], min(span[1], first - 1)
    if span[1] > last:
        yield max(span[0], last + 1), span[1]


@dataclass(frozen=True, slots=True)
class Heard:
    """How a station was last heard."""

    heard_utc: str | None
    """None: never, but a broker remembers it"""
    generation: int
    """of its store: the last one"""
    state: str | None = None
    announced: int = 0
    """the last number that it gave away, as its health says; 0 where it did not say"""
    waiting: int = 0
    """messages in its outbox, as its health says"""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one archive holds."""

    received: Mapping[Numbered, Sequence[Span]] = field(default_factory=dict)
    dropped: Mapping[Numbered, Sequence[Span]] = field(default_factory=dict)
    """that stations say they have given up; some of those may have been delivered all the same"""
    heard: Mapping[str, Heard] = field(default_factory=dict)
    rejected: int = 0
    """messages that could not be read, and are kept as they came"""


@dataclass(frozen=True, slots=True)
class Account:
    """What is here of the messages of one store of a station."""

    station: str
    generation: int
    first: int
    """the lowest number that is here: what was before it, nobody listened to; 0 where nothing is here"""
    last: int
    received: int
    missing: list[Span]
    """between the first and the last"""
    dropped: list[Span]
    """not here, and given up by the station: they will never come"""
    awaited: int
    """numbers beyond the last that the station says it gave away"""
    waiting: int
    """of the missing and the awaited, so many were still in the station's outbox when it last said so"""
    heard_utc: str | None
    state: str | None

    @property
    def complete(self) -> bool:
        """Whether all is here that the station gave away since the first."""
        return not (self.missing or self.dropped or self.awaited)


def account(archives: Sequence[Holdings]) -> list[Account]:
    """One for each store, over archives that share a fleet between them; trouble first."""
    stores = {numbered for archive in archives for numbered in archive.received}
    stores |= {(station, heard.generation) for archive in archives for station, heard in archive.heard.items()}
    accounts = [_account(numbered, archives) for numbered in stores]
    return sorted(accounts, key=lambda one: (not one.missing, one.complete, one.station, one.generation))


def _account(numbered: Numbered, archives: Sequence[Holdings]) -> Account:
    station, generation = numbered
    received = united(span for archive in archives for span in archive.received.get(numbered, ()))
    given_up = united(span for archive in archives for span in archive.dropped.get(numbered, ()))
    newest = max((archive.heard[station] for archive in archives if station in archive.heard), key=_when)
    first, last = (received[0][0], received[-1][1]) if received else (0, 0)
    absent = without([(first, last)], received) if received else []
    missing = without(absent, given_up)
    lives = newest.generation == generation
    return Account(
        station=station,
        generation=generation,
        first=first,
        last=last,
        received=total(received),
        missing=missing,
        dropped=without(absent, missing),
        awaited=max(0, newest.announced - last) if lives else 0,
        waiting=newest.waiting if lives else 0,
        heard_utc=newest.heard_utc,
        state=newest.state,
    )


def _when(heard: Heard) -> str:
    return heard.heard_utc or ""

"""What became of each sample of a stream, as the analysis tells it: told once, counted once."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from monitor.records import Cause, Effort, Gap, Window

Stretch = tuple[int, int]


class Ledger:
    """Accounts for all samples of a stream from 0 on, by minutes.

    `end` says where the minute of an index ends. Audio that is too short to judge is lost for the reason of the gap
    beside it, and of unknown cause where there is none.
    """

    def __init__(self, end: Callable[[int], int], settle_samples: int = 0) -> None:
        """An account is final, and handed out, `settle_samples` after its end: until then sound may be withheld."""
        self._end, self._settle = end, settle_samples
        self._reached = 0
        self._beside = Cause.UNKNOWN
        """why what comes next may be lost: the gap that was last"""
        self._withheld_ahead: list[Stretch] = []
        self._minutes: deque[_Minute] = deque([_Minute(0, 0, end(0))])

    def heard(self, window: Window) -> None:
        """A window was analysed; its samples were heard, what was left out before it is lost."""
        self._advance(window.start_sample, self._beside)
        self._advance(window.end_sample, None)
        self._beside = Cause.UNKNOWN

    def lost(self, gap: Gap) -> None:
        """The source did not get these samples; what was left over before them was too short to judge."""
        self._advance(gap.end_sample, gap.cause)
        self._beside = gap.cause

    def withheld(self, start_sample: int, end_sample: int) -> None:
        """The sound of these samples is kept from everybody: what was, or will be, heard of them counts as withheld."""
        for minute in self._minutes:
            minute.withhold((start_sample, end_sample))
        if end_sample > self._reached:
            self._withheld_ahead.append((max(start_sample, self._reached), end_sample))

    def take(self) -> list[Effort]:
        """The accounts that have become final."""
        final: list[Effort] = []
        while len(self._minutes) > 1 and self._minutes[0].end + self._settle <= self._reached:
            final.append(self._minutes.popleft().effort())
        return final

    def ended(self, end_sample: int) -> list[Effort]:
        """The stream ended before this sample: all that has not been handed out."""
        self._advance(end_sample, self._beside)
        return [minute.effort() for minute in self._minutes if minute.reached > minute.start]

    def _advance(self, end_sample: int, cause: Cause | None) -> None:
        """Account for all up to a sample: lost of a cause, or heard."""
        while self._reached < end_sample:
            minute = self._minutes[-1]
            stop = min(end_sample, minute.end)
            minute.count((self._reached, stop), cause)
            for stretch in self._withheld_ahead:
                minute.withhold(stretch)
            self._reached = stop
            if stop == minute.end:
                self._minutes.append(_Minute(minute.index + 1, stop, self._end(minute.index + 1)))
        self._withheld_ahead = [stretch for stretch in self._withheld_ahead if stretch[1] > self._reached]


@dataclass(slots=True)
class _Minute:
    """An account that is not final."""

    index: int
    start: int
    end: int
    reached: int = field(init=False)
    heard: list[Stretch] = field(default_factory=list)
    """in order, apart"""
    withheld: int = 0
    missed: Counter[Cause] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.reached = self.start

    def count(self, stretch: Stretch, cause: Cause | None) -> None:
        """What comes next was heard, or missed for a cause."""
        start, self.reached = stretch
        if cause is not None:
            self.missed[cause] += self.reached - start
        elif self.heard and self.heard[-1][1] == start:
            self.heard[-1] = (self.heard[-1][0], self.reached)
        else:
            self.heard.append(stretch)

    def withhold(self, stretch: Stretch) -> None:
        """Of what was heard, this is withheld; once is enough."""
        start, end = stretch
        before = sum(b - a for a, b in self.heard)
        self.heard = [rest for whole in self.heard for rest in _without(whole, start, end)]
        self.withheld += before - sum(b - a for a, b in self.heard)

    def effort(self) -> Effort:
        """The account."""
        heard = sum(end - start for start, end in self.heard)
        return Effort(self.index, self.start, self.reached, heard, self.withheld, dict(self.missed))


def _without(whole: Stretch, start: int, end: int) -> Iterator[Stretch]:
    """What is left of a stretch when another is cut out."""
    if whole[0] < min(start, whole[1]):
        yield whole[0], min(start, whole[1])
    if max(end, whole[0]) < whole[1]:
        yield max(end, whole[0]), whole[1]

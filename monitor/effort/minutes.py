"""Where the minutes of a stream begin, and how loud each was."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from monitor.levels import Levels, OctaveMeter
from monitor.records import Block, Cause, Gap

KEPT = 60
"""minutes that are remembered; the analysis is never so far behind"""


class Minutes:
    """The minutes of a stream, one after the other from sample 0, and the levels of what was listened to in each.

    `next_minute` says with which sample, at the stream's own rate, the minute after a sample begins.
    """

    def __init__(self, sample_rate: int, next_minute: Callable[[int], int]) -> None:
        self.sample_rate, self._next_minute = sample_rate, next_minute
        self._meter = OctaveMeter(sample_rate)
        self._current = self._first = self._reached = 0
        self._ends: deque[int] = deque(maxlen=KEPT)
        self._levels: dict[int, Levels] = {}

    def end(self, index: int) -> int:
        """One past the last sample of a minute."""
        while index >= self._first + len(self._ends):
            self._first += len(self._ends) == KEPT
            self._ends.append(max(self._next_minute(self._last), self._last + 1))
        return self._ends[index - self._first]

    def end_at(self, index: int, sample_rate: int) -> int:
        """The same, counted at another rate: the sample that is nearest in time."""
        return (self.end(index) * sample_rate + self.sample_rate // 2) // self.sample_rate

    def levels(self, index: int) -> Levels | None:
        """How loud a minute was, as far as it has been heard; None where nothing of it was."""
        if index == self._current:
            self._take()
        return self._levels.get(index)

    @property
    def last_levels(self) -> Levels | None:
        """How loud the last full minute was, for any thread; None where nothing of it was heard."""
        return self._levels.get(self._current - 1)

    def watched(self, audio: Iterable[Block | Gap]) -> Iterator[Block | Gap]:
        """Pass audio on and measure it. What is missing becomes gaps, none longer than its minute."""
        for piece in audio:
            if piece.start_sample > self._reached:
                yield from self._gaps(Gap(self._reached, piece.start_sample, Cause.UNKNOWN))
            if isinstance(piece, Gap):
                yield from self._gaps(piece)
            else:
                self._measure(piece)
                yield piece

    @property
    def _last(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _gaps(self, gap: Gap) -> Iterator[Gap]:
        self._meter.gap()
        self._reached = gap.end_sample
        for start, stop in self._parts(gap.start_sample, gap.end_sample):
            yield Gap(start, stop, gap.cause)

    def _measure(self, block: Block) -> None:
        self._reached = block.end_sample
        for start, stop in self._parts(block.start_sample, block.end_sample):
            self._meter.add(block.samples[start - block.start_sample : stop - block.start_sample])

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The stretch cut where minutes end; the minute of each part is the current one."""
        while start < end:
            while start >= self.end(self._current):
                self._take()
                self._current += 1
            stop = min(self.end(self._current), end)
            yield start, stop
            start = stop

    def _take(self) -> None:
        levels = self._meter.take()
        if levels is not None:
            self._levels[self._current] = levels
        while len(self._levels) > KEPT:
            del self._levels[next(iter(self._levels))]

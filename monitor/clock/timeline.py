"""Seconds of a stream, as its sample rate promises them -> seconds of the monotonic clock.

A sound card that calls itself 48,000 Hz is off by some parts in a million: 50 of them are 4 s a day. Each block says
when its last sample had been taken. That is never too early, only too late, when the machine was busy. So of each
minute only the least late block counts, and the line through those of the last hour is the card's drift.
"""

from bisect import bisect_right
from collections import deque
from itertools import combinations
from statistics import median

MINUTE_S = 60.0
KEPT_MINUTES = 60
KEPT_PIECES = 16
"""stretches between outages that are remembered: a detection is reported within a minute or two of its end"""
LEAST_MINUTES = 3
"""with fewer, the drift is what it was before the outage, or 0, and the last minute alone says how late it is"""
CREDIBLE_DRIFT = 5e-3
"""a card that is further off is broken, or the stamps are"""


class _Piece:
    """A stretch without an outage: how much later than promised its samples were taken, as a line."""

    def __init__(self, start_s: float, lag_s: float, drift: float) -> None:
        self.start_s, self.drift = start_s, drift
        self.spread_s = 0.0
        """how far the least late blocks of different minutes disagree"""
        self._at_0_s = lag_s - drift * start_s
        self._minutes: deque[tuple[float, float]] = deque(maxlen=KEPT_MINUTES)
        self._least: tuple[float, float] | None = None
        self._minute_end_s = start_s + MINUTE_S

    def add(self, stream_s: float, lag_s: float) -> None:
        """A block that ends at `stream_s` was seen `lag_s` later than the sample rate promises."""
        if stream_s >= self._minute_end_s and self._least is not None:
            self._minutes.append(self._least)
            self._least = None
            self._minute_end_s = stream_s + MINUTE_S
            self._fit()
        level_s = lag_s - self.drift * stream_s
        if self._least is None or level_s < self._least[1] - self.drift * self._least[0]:
            self._least = stream_s, lag_s
        if not self._minutes:
            self.spread_s = max(self.spread_s, level_s - self._at_0_s)
            self._at_0_s = min(self._at_0_s, level_s)

    def lag(self, stream_s: float) -> float:
        """How much later than promised a sample was taken, in seconds."""
        return self._at_0_s + self.drift * stream_s

    def _fit(self) -> None:
        """A line through the least late blocks: median slope (Theil 1950, Sen 1968), lower quartile in height."""
        if len(self._minutes) < LEAST_MINUTES:
            at_s, lag_s = self._minutes[-1]
            self._at_0_s = lag_s - self.drift * at_s
            return
        slope = median((b - a) / (t - s) for (s, a), (t, b) in combinations(self._minutes, 2))
        self.drift = min(max(slope, -CREDIBLE_DRIFT), CREDIBLE_DRIFT)
        heights = sorted(lag_s - self.drift * at_s for at_s, lag_s in self._minutes)
        self._at_0_s = heights[len(heights) // 4]
        self.spread_s = heights[3 * len(heights) // 4] - self._at_0_s


class Timeline:
    """When the samples of one stream were taken, on the monotonic clock. Remembers an hour, whatever the length."""

    def __init__(self, began: float) -> None:
        """`began` is the monotonic second of sample 0, as far as it is known before the first block comes."""
        self._pieces = deque([_Piece(0.0, began, 0.0)], maxlen=KEPT_PIECES)
        self._broken = True

    @property
    def drift(self) -> float:
        """By which share the card is slow: 1e-6 is one part in a million."""
        return self._pieces[-1].drift

    def saw(self, start_s: float, end_s: float, captured: float) -> None:
        """A block of the stream's seconds whose last sample had been taken at the monotonic second `captured`."""
        lag_s = captured - end_s
        if self._broken:
            self._pieces.append(_Piece(start_s, lag_s, self.drift))
            self._broken = False
        self._pieces[-1].add(end_s, lag_s)

    def broke(self) -> None:
        """There was an outage: what comes next was counted anew."""
        self._broken = True

    def monotonic(self, stream_s: float) -> tuple[float, float]:
        """The monotonic second at which a sample was taken, and to how many seconds that is known."""
        index = bisect_right(self._pieces, stream_s, key=lambda piece: piece.start_s)
        piece = self._pieces[max(0, index - 1)]
        return stream_s + piece.lag(stream_s), piece.spread_s

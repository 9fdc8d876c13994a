"""One stream's candidates: of every 20 s the window that stands out most, where it is unlike any label."""

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.clock import rfc3339
from monitor.contract import Contract
from monitor.features import Floats
from monitor.privacy import SMOOTHED_FRAMES
from monitor.records import Detection, Gap, Samples, Window
from monitor.sinks.origin import Origin
from monitor.sinks.unknown.keeper import Candidate, Keeper
from monitor.sinks.unknown.standing import LOUD_DB, Floor, Loudness

UNLIKE = 0.2
"""below this calibrated score a window is unlike a label: there one in five would be right"""
EVERY_S = 20.0
"""of which one window is looked at further: that bounds what the keeper costs, whatever is heard"""
FLUSH_S = 2.0
"""what the end of a stream waits for candidates that are not judged"""
_SMOOTHED_S = SMOOTHED_FRAMES * 512 / 16_000
"""what the voice gate averages over: so much of a voice has to be heard before it is one"""

Withheld = Callable[[int, int], None]
"""is told the start and end sample, at the model's rate, of sound that is kept from everybody"""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    window: Window
    standing_db: float
    label: int
    score: float


class UnknownSink:
    """Finds one stream's candidates; tells `withheld` of those with speech, from the thread that feeds it."""

    def __init__(self, keeper: Keeper, origin: Origin, contract: Contract, withheld: Withheld) -> None:
        """`contract` is the model's, at whose rate `origin`'s clock counts."""
        rate = origin.clock.sample_rate
        self._keeper, self._origin, self._labels, self._tell = keeper, origin, contract.labels, withheld
        self._loudness, self._floor = Loudness(rate, contract.band_hz), Floor()
        self._beside, self._every = round((keeper.margin_s + _SMOOTHED_S) * rate), round(EVERY_S * rate)
        self._past: deque[Samples] = deque()
        self._past_start = self._past_end = self._turn = 0
        self._best: _Found | None = None
        self._waiting: list[_Found] = []
        self._withheld: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def heard(self, window: Window, scores: Floats) -> None:
        """Remember what is new in a window, and offer what is complete."""
        if window.start_sample > self._past_end:
            self._break()
            self._past_start = self._past_end = window.start_sample
        self._remember(window)
        self._judge(window, scores)
        if window.end_sample - self._turn >= self._every:
            self._choose(window.end_sample)
        self._offer(self._past_end - self._beside)
        self._tell_withheld()

    def lost(self, gap: Gap) -> None:
        """What comes next does not follow what was."""
        del gap
        self._break()

    def handle(self, detection: Detection) -> None:
        """What has a name is not looked for here."""

    def ended(self, end_sample: int) -> None:
        """Offer what is left, and wait a moment for what becomes of it."""
        self._choose(end_sample)
        self._break()
        self._keeper.flush(FLUSH_S)
        self._tell_withheld()

    def _judge(self, window: Window, scores: Floats) -> None:
        standing_db = self._floor.standing_db(self._loudness.bands(window.samples))
        known = np.nan_to_num(scores, nan=0.0)  # a label that may not be reported here is no name for it
        label = int(known.argmax())
        if not standing_db >= LOUD_DB or known[label] >= UNLIKE or not window.whole:
            return
        if self._best is None or standing_db > self._best.standing_db:
            self._best = _Found(window, standing_db, label, float(known[label]))

    def _tell_withheld(self) -> None:
        while not self._withheld.empty():
            self._tell(*self._withheld.get())

    def _choose(self, end_sample: int) -> None:
        self._turn = end_sample
        if self._best is not None:
            self._waiting.append(self._best)
            self._best = None

    def _remember(self, window: Window) -> None:
        new = window.samples[self._past_end - window.start_sample : window.end_sample - window.start_sample]
        self._past.append(new)
        self._past_end += len(new)
        longest = self._every + 2 * (len(window.samples) + self._beside)
        while self._past_end - self._past_start - len(self._past[0]) > longest:
            self._past_start += len(self._past.popleft())

    def _break(self) -> None:
        self._choose(self._past_end)
        self._offer(self._past_end)
        self._past.clear()
        self._past_start = self._past_end

    def _offer(self, reached: int) -> None:
        """Offer those after which enough was heard to judge them."""
        complete = [found for found in self._waiting if found.window.end_sample <= reached]
        self._waiting = [found for found in self._waiting if found.window.end_sample > reached]
        for found in complete:
            self._keeper.offer(self._candidate(found))

    def _candidate(self, found: _Found) -> Candidate:
        start, end, clock = found.window.start_sample, found.window.end_sample, self._origin.clock
        first = max(self._past_start, start - self._beside) - self._past_start
        last = min(self._past_end, end + self._beside) - self._past_start
        return Candidate(
            station=self._origin.station,
            source=self._origin.recording,
            start_utc=rfc3339(clock.at(start).utc),
            start_s=clock.seconds(start),
            standing_db=found.standing_db,
            best_label=self._labels[found.label].label,
            best_score=found.score,
            samples=found.window.samples,
            around=np.concatenate(self._past)[first:last],
            withhold=lambda: self._withheld.put((start, end)),
        )

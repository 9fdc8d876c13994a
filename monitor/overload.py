"""What is given up when analysis cannot keep up: first overlap between windows, then windows, at last the oldest audio.

Several windows in one run of the network are no measure here: on one thread that saves a fifteenth of its time.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from monitor.records import Cause, Gap, Window

logger = logging.getLogger(__name__)

FIRST, LAST = 0.1, 0.8
"""fullness at which the first and the last measure is taken; at 1 the oldest audio that waits is given up"""
SKIPPING = (2, 4, 8)
"""lengths of a window from one window to the next, when whole windows are left out"""


class Relief:
    """Takes windows out while audio waits. `fullness` says how much of what may wait does, in [0, 1].

    `step` and `window` are the chain's, in samples. Each measure doubles what the one before saves. One is taken as
    soon as its fullness is reached, and given up at half of it, so that the measures do not flutter.
    """

    def __init__(self, fullness: Callable[[], float], step: int, window: int, name: str) -> None:
        self._fullness, self._name = fullness, name
        widened = [step * 2**power for power in range(1, window.bit_length()) if step * 2**power <= window]
        self._strides = [step, *widened, *(lengths * window for lengths in SKIPPING)]
        measures = len(self._strides) - 1
        self._reached = [FIRST + (LAST - FIRST) * index / (measures - 1) for index in range(measures)]
        self._window = window
        self._unheard: tuple[int, int] | None = None
        """samples of the window that was left out last, which later ones may still cover"""
        self.measure = 0
        """0: none; the higher the more is given up"""
        self.changes = self._worst = 0
        self.windows_left_out = 0
        """of which others heard the audio, or nobody"""
        self.unheard_samples = 0

    def thinned(self, windows: Iterable[Window], lost: Callable[[Gap], object]) -> Iterator[Window]:
        """Those that shall be analysed; `lost` is told of audio that none of them covers."""
        next_start = covered = 0
        for window in windows:
            self._adapt()
            self.settle(lost, window.start_sample)
            if self.measure and window.start_sample < next_start:
                self.windows_left_out += 1
                self._unheard = max(covered, window.start_sample), window.end_sample
                continue
            self._unheard = None
            next_start, covered = window.start_sample + self._strides[self.measure], window.end_sample
            yield window
        self.settle(lost)

    def settle(self, lost: Callable[[Gap], object], until: int | None = None) -> None:
        """No window that begins before this sample will come, or none at all here: tell what nobody hears of it."""
        if self._unheard is not None:
            start, end = self._unheard
            stop = end if until is None else min(end, until)
            if stop > start:
                self.unheard_samples += stop - start
                lost(Gap(start, stop, Cause.OVERLOAD))
            self._unheard = None

    def _adapt(self) -> None:
        fullness = self._fullness()
        higher, lower = bisect_right(self._reached, fullness), bisect_right(self._reached, 2 * fullness)
        measure = max(higher, min(self.measure, lower))
        if measure == self.measure:
            return
        self.measure, self.changes = measure, self.changes + 1
        if not measure:
            logger.info("%s keeps up again; %d windows were left out so far", self._name, self.windows_left_out)
            self._worst = 0
        elif measure > self._worst:
            self._worst = measure
            logger.warning("%s cannot keep up: %s", self._name, self._said(measure))

    def _said(self, measure: int) -> str:
        stride = self._strides[measure]
        if stride <= self._window:
            return f"only every {stride // self._strides[0]}. window is analysed"
        return f"only one second in {stride // self._window} is heard"

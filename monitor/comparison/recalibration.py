"""From what people found when they listened: the threshold from which a species is right as often as is asked for.

Of the detections at or above a threshold, precision is the share that were confirmed; its interval is Wilson's (1927,
doi:10.1080/01621459.1927.10502953). The lowest threshold is looked for, as it loses the fewest birds, among the
confidences that were judged: below them nobody has listened, so a threshold can be raised and never lowered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054
"""of the normal distribution: between -z and z lie 95 %"""


@dataclass(frozen=True, slots=True)
class Listened:
    """A detection that somebody judged."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold and what it would have meant."""

    threshold: float
    right: int
    judged: int
    """at or above the threshold"""
    low: float
    """precision lies between `low` and `high`, 95 %"""
    high: float
    lost: int
    """of those that were confirmed, below the threshold"""

    @property
    def precision(self) -> float:
        """The share that was right."""
        return self.right / self.judged


def wilson(right: int, judged: int) -> tuple[float, float]:
    """The interval, 95 %, of a share; 0 to 1 where nothing was judged."""
    if not judged:
        return 0.0, 1.0
    share, square = right / judged, Z_95**2
    middle = (share + square / (2 * judged)) / (1 + square / judged)
    half = Z_95 / (1 + square / judged) * sqrt(share * (1 - share) / judged + square / (4 * judged**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def choose(listened: Sequence[Listened], precision: float, least: int, *, surely: bool = False) -> Choice | None:
    """The lowest threshold that reaches a precision with at least `least` judged; None: there is none.

    `surely`: the lower end of the interval reaches it, too.
    """
    ordered = sorted(listened, key=lambda one: -one.confidence)
    all_right = sum(one.right for one in ordered)
    best, right = None, 0
    for count, one in enumerate(ordered, start=1):
        right += one.right
        is_last = count == len(ordered) or ordered[count].confidence < one.confidence
        low, high = wilson(right, count)
        if is_last and count >= least and (low if surely else right / count) >= precision:
            best = Choice(one.confidence, right, count, low, high, all_right - right)
    return best

"""Every figure with its 95 % interval.

Recordings of one session are alike, so that the bootstrap draws whole sessions (Field and Welsh 2007, "Bootstrapping
clustered data"). A draw is a row of weights: how often each recording was drawn. A measure takes such rows, (draws, n),
and gives one value a draw, NaN where the draw does not hold what it needs.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

DRAWS = 1000
LEVEL = 0.95
DIGITS = 4
Reals = npt.NDArray[np.float64]
Measure = Callable[[Reals], Reals]
"""weights (draws, n) -> (draws,)"""


class Estimate(msgspec.Struct, frozen=True):
    """A figure and its 95 % interval. None: not measured, there was nothing to measure it on."""

    value: float | None
    low: float | None
    high: float | None


NOT_MEASURED = Estimate(None, None, None)


def numbered(sessions: Sequence[str]) -> npt.NDArray[np.int64]:
    """Equal numbers for equal names, (n,)."""
    return np.unique(np.array(sessions, np.str_), return_inverse=True)[1].astype(np.int64)


def session_weights(sessions: npt.NDArray[np.int64], rng: np.random.Generator, draws: int = DRAWS) -> Reals:
    """How often each recording is drawn, (draws, n), where as many sessions are drawn as there are.

    `sessions`: (n,) equal numbers for recordings of one session.
    """
    names, members = np.unique(sessions, return_inverse=True)
    if not len(names):
        return np.zeros((draws, 0))
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return counts[:, members].astype(np.float64)


def estimate(measure: Measure, weights: Reals) -> Estimate:
    """A measure over everything once, with the interval over the bootstrap's draws."""
    if not weights.shape[1]:
        return NOT_MEASURED
    value = float(measure(np.ones((1, weights.shape[1])))[0])
    if np.isnan(value):
        return NOT_MEASURED
    low, high = np.nanquantile(measure(weights), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _rounded(value, float(low), float(high))


def share(count: int, total: int) -> Estimate:
    """A share of independent cases with Wilson's interval (1927)."""
    if not total:
        return NOT_MEASURED
    interval = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return _rounded(count / total, interval.low, interval.high)


def rate(count: int, hours: float) -> Estimate:
    """Events an hour with the exact interval of a Poisson count (Garwood 1936).

    Where there was none, the upper end is one-sided: -ln(0.05), about 3, by the hours (the rule of three).
    """
    if hours <= 0:
        return NOT_MEASURED
    tail = (1 - LEVEL) / 2 if count else 1 - LEVEL
    low = float(stats.chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return _rounded(count / hours, low / hours, float(stats.chi2.ppf(1 - tail, 2 * count + 2)) / 2 / hours)


def ratio(above: Reals, below: Reals) -> Reals:
    """Division that gives NaN, without a warning, where there is nothing below."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)


def _rounded(value: float, low: float, high: float) -> Estimate:
    return Estimate(*(round(float(figure), DIGITS) for figure in (value, low, high)))

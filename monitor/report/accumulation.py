"""How many species, by how many days of listening."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import lgamma

import numpy as np


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A species accumulation curve whose samples are days."""

    observed: list[int]
    """species after each day, in the order of the days"""
    expected: list[float]
    """over all orders of the days: what shows whether the curve levels off"""
    chao2: float
    """a lower bound of how many there are, seen or not"""


def accumulate(days: Sequence[date], found: Iterable[set[date]]) -> Accumulation:
    """From the days on which was listened, in their order, and those on which each species was found among them.

    Expected: the mean over all orders, by the formula of Ugland, Gray and Ellingsen (2003) and Colwell, Mao and Chang
    (2004). Estimate: Chao2 (Chao 1987), in its form that is right where no species was found on exactly two days.
    """
    index = {day: number for number, day in enumerate(days)}
    seen = [sorted(index[day] for day in species if day in index) for species in found]
    seen = [numbers for numbers in seen if numbers]
    firsts = np.bincount([numbers[0] for numbers in seen], minlength=len(days)) if seen else np.zeros(len(days), int)
    counts = [len(numbers) for numbers in seen]
    return Accumulation(np.cumsum(firsts).tolist(), _expected(len(days), counts), _chao2(len(days), counts))


def _expected(days: int, counts: Sequence[int]) -> list[float]:
    """After n of N days: S - sum of C(N - c, n) / C(N, n)."""
    kinds, numbers = np.unique(np.asarray(counts, int), return_counts=True)
    factorials = np.array([lgamma(n + 1) for n in range(days + 1)])
    curve = np.full(days, float(len(counts)))
    drawn = np.arange(1, days + 1)
    for count, number in zip(kinds, numbers, strict=True):
        possible = drawn <= days - count
        some = drawn[possible]
        missed = factorials[days - count] - factorials[days - count - some] + factorials[days - some]
        curve[possible] -= number * np.exp(missed - factorials[days])
    return curve.tolist()


def _chao2(days: int, counts: Sequence[int]) -> float:
    once, twice = counts.count(1), counts.count(2)
    return len(counts) + (days - 1) / max(1, days) * once * (once - 1) / (2 * (twice + 1))

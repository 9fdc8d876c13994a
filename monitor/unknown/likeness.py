"""Which windows are most like some examples.

Vectors are compared by the cosine in a space made for what is looked through: its own mean taken away, its 128
strongest directions, each divided by how much is usual in it. What all of a place has in common, its hiss and its
reverberation, then counts for little. The examples are averaged, and so is a window's likeness with that of its
neighbours. Each of these choices was measured: docs/unknown.md.

All of it is compared with all examples: a million windows take seconds and no index. What would ask for one, such as
hnswlib, is beyond that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from monitor.features import Floats
from monitor.sinks.unknown.reservoir import Halves
from monitor.unknown.collection import Collection, Integers

DIRECTIONS = 128
LEAST_WINDOWS = 64
"""with fewer nobody can tell what is usual: vectors are compared as they are"""
_PER_DIRECTION = 8
"""windows that one direction is learned from at least"""
_SHARED = 0.1
"""of the mean variance that every direction is granted: what hardly varies is not blown up"""
_LEARNED_FROM = 8192
"""windows at most, drawn at random"""
_BLOCK = 16_384
"""windows that are reckoned with at once"""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where vectors are compared."""

    centre: Floats
    """(values,)"""
    axes: Floats | None
    """(values, directions); None: as they are"""

    @staticmethod
    def of(vectors: Halves, random: np.random.Generator, directions: int = DIRECTIONS) -> "Space":
        """Made for (n, values)."""
        count, values = vectors.shape
        if count < LEAST_WINDOWS:
            return Space(np.zeros(values, np.float32), None)
        rows = np.sort(random.choice(count, _LEARNED_FROM, replace=False)) if count > _LEARNED_FROM else slice(None)
        some = vectors[rows].astype(np.float32)
        centre = some.mean(0, dtype=np.float64).astype(np.float32)
        some -= centre
        variances, axes = _strongest(some, min(directions, values, max(1, len(some) // _PER_DIRECTION)))
        spread = np.sqrt(variances + _SHARED * max(float(variances.mean()), 1e-12))
        return Space(centre, (axes / spread).astype(np.float32))

    def placed(self, vectors: Halves | Floats) -> Floats:
        """(n, values) -> (n, directions), each of length one, or of none where it says nothing."""
        moved = vectors.astype(np.float32) - self.centre
        seen = moved if self.axes is None else moved @ self.axes
        length = np.linalg.norm(seen, axis=1, keepdims=True)
        return seen / np.maximum(length, np.float32(1e-9))


def _strongest(some: Floats, count: int) -> tuple[Floats, Floats]:
    """Variances (count,) and directions (values, count) of centred vectors (n, values), the strongest first.

    Of fewer vectors than values the smaller of two matrices says the same: their products with each other.
    """
    few = len(some) < some.shape[1]
    products = some @ some.T if few else some.T @ some
    sums, axes = np.linalg.eigh(products)
    sums, axes = np.maximum(sums[::-1][:count], 0), axes[:, ::-1][:, :count]
    if few:
        axes = some.T @ axes
        axes /= np.maximum(np.linalg.norm(axes, axis=0), np.float32(1e-9))
    return sums / len(some), axes


@dataclass(frozen=True, slots=True)
class Match:
    """A window that was found."""

    row: int
    """of the collection"""
    likeness: float
    """-1 to 1: the mean cosine with the examples"""


def likeness_of(collection: Collection, examples: Floats | Halves) -> Floats:
    """(n,) of every window with examples (m, values), -1 to 1. ValueError without any."""
    if not len(examples):
        msg = "no examples: at least one expected"
        raise ValueError(msg)
    vectors = collection.windows.vectors
    space = Space.of(vectors, np.random.default_rng(0))  # whoever asks twice gets the same answer
    wanted = space.placed(np.asarray(examples, np.float32)).mean(0)
    found = np.empty(len(vectors), np.float32)
    for at in range(0, len(vectors), _BLOCK):
        found[at : at + _BLOCK] = space.placed(vectors[at : at + _BLOCK]) @ wanted
    return smoothed(found, collection)


def ranked(
    collection: Collection,
    found: Floats,
    count: int,
    barred: Integers | Sequence[int] = (),
    apart_s: float | None = None,
) -> list[Match]:
    """The `count` best; of those in one recording nearer to each other than `apart_s`, a window, the best alone.

    `barred` are rows that the examples themselves lie in.
    """
    apart = collection.window_s if apart_s is None else apart_s
    matches: list[Match] = []
    taken: dict[int, list[float]] = {}
    out = set(np.asarray(barred, np.int64).tolist())
    for row in np.argsort(-found, kind="stable").tolist():
        if len(matches) == count:
            break
        origin, start_s = int(collection.origin[row]), float(collection.windows.starts_s[row])
        others = taken.setdefault(origin, [])
        if row in out or any(abs(start_s - other) < apart for other in others):
            continue
        others.append(start_s)
        matches.append(Match(row, float(found[row])))
    return matches


def smoothed(found: Floats, collection: Collection) -> Floats:
    """Averaged with the window before and after, where they belong to the same recording and overlap."""
    if len(found) < 2:  # noqa: PLR2004 - one has no neighbours
        return found
    starts_s = collection.windows.starts_s
    beside = (np.diff(collection.origin) == 0) & (np.diff(starts_s) < collection.window_s)
    before, after = found.copy(), found.copy()
    before[1:] = np.where(beside, found[:-1], found[1:])
    after[:-1] = np.where(beside, found[1:], found[:-1])
    return (before + found + after) / np.float32(3)


def examples(clips: Collection, most: int = 10) -> Integers:
    """Which windows of clips are examples: one of each, and `most` in all as far as there are.

    The loudest, none overlapping, as evenly from each clip as there are.
    """
    loud = np.nan_to_num(clips.windows.levels_dbfs, nan=-np.inf)
    each = []
    for one in np.unique(clips.origin):
        own = np.flatnonzero(clips.origin == one)
        each.append([int(own[match.row]) for match in ranked(clips.at(own), loud[own], most)])
    turns = (rows[turn] for turn in range(most) for rows in each if len(rows) > turn)
    return np.array(list(islice(turns, max(most, len(each)))), np.int64)

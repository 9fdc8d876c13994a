"""Which windows are like each other: HDBSCAN (Campello, Moulavi and Sander 2013), as scikit-learn has it.

It needs no number of clusters, and calls noise what belongs nowhere, which is most of what a place sounds like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from monitor.errors import ConfigError
from monitor.unknown.collection import Collection, Integers
from monitor.unknown.likeness import Space

DIRECTIONS = 32
"""fewer than to find with: what is near in many directions is hardly nearer than all else"""
LEAST = 5
"""windows that make a cluster"""
_AMONG = 3
"""neighbours that a window's density is taken from"""
MOST = 20_000
"""windows: beyond it takes minutes, for time grows with the square"""


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Windows that are like each other."""

    rows: Integers
    """of the collection, the most typical first"""
    windows: int
    """that these stand for"""
    guess: str
    """the label that the model thinks of most, over all of them"""
    guess_score: float
    """and its mean score, where it was the highest"""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What is alike, and what is like nothing."""

    clusters: Sequence[Cluster]
    """the largest, and those furthest from what the model knows, first"""
    noise: Integers
    """rows, those that stand out most first"""


def require() -> None:
    """ConfigError without scikit-learn."""
    if find_spec("sklearn") is None:
        msg = "discover needs scikit-learn, which is not installed: pip install 'dawnchorus[discover]'"
        raise ConfigError(msg)


def clustered(collection: Collection, random: np.random.Generator) -> Clusters:
    """All windows of a collection, at most MOST. ConfigError without scikit-learn."""
    require()
    count = len(collection)
    if count < 2 * LEAST:
        return Clusters([], _by_standing(collection, np.arange(count)))
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - a second and 60 MB

    vectors = collection.windows.vectors
    placed = Space.of(vectors, random, DIRECTIONS).placed(vectors)
    numbers = HDBSCAN(min_cluster_size=LEAST, min_samples=_AMONG, copy=True).fit_predict(placed)
    clusters = [_cluster(collection, placed, np.flatnonzero(numbers == one)) for one in range(numbers.max() + 1)]
    clusters.sort(key=lambda one: (-one.windows * (1 - one.guess_score), int(one.rows[0])))
    return Clusters(clusters, _by_standing(collection, np.flatnonzero(numbers < 0)))


def _cluster(
    collection: Collection, placed: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", rows: Integers
) -> Cluster:
    typical = np.argsort(-(placed[rows] @ placed[rows].mean(0)), kind="stable")
    labels, scores = collection.windows.labels[rows], collection.windows.scores[rows]
    guess = int(np.bincount(labels, weights=scores).argmax())
    return Cluster(
        rows[typical],
        int(collection.stands_for[rows].sum()),
        collection.label_names[guess],
        float(scores[labels == guess].mean()),
    )


def _by_standing(collection: Collection, rows: Integers) -> Integers:
    return rows[np.argsort(-np.nan_to_num(collection.windows.standings_db[rows], nan=0.0), kind="stable")]

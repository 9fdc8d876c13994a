"""What is loud and unlike any label: of recordings all windows are known, and only those are looked at further."""

from dataclasses import dataclass

import numpy as np

from monitor.sinks.unknown.sink import UNLIKE
from monitor.sinks.unknown.standing import LOUD_DB
from monitor.unknown.collection import Collection


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """What is left."""

    collection: Collection
    left_out: int
    """windows that were loud and unlike any label, too, and stand out less"""


def sifted(collection: Collection, most: int, below: float = UNLIKE) -> Sifted:
    """The loud windows whose scores are all below a bound; of those that overlap, the one that stands out most.

    Of a recording too short to have a noise floor all windows count as loud: it was somebody's choice to record it.
    Of more than `most`, those that stand out most.
    """
    windows = collection.windows
    loud = ~(windows.standings_db < LOUD_DB)
    rows = np.flatnonzero(loud & (windows.scores < below))
    order = rows[np.argsort(-np.nan_to_num(windows.standings_db[rows], nan=LOUD_DB), kind="stable")]
    taken: dict[int, list[float]] = {}
    apart: list[int] = []
    for row in order.tolist():
        others = taken.setdefault(int(collection.origin[row]), [])
        start_s = float(windows.starts_s[row])
        if all(abs(start_s - other) >= collection.window_s for other in others):
            others.append(start_s)
            apart.append(row)
    return Sifted(collection.at(np.sort(np.array(apart[:most], np.int64))), max(0, len(apart) - most))

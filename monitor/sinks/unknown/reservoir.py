"""A bounded set of vectors that stays diverse: which of the kept are dispensable.

A store of the loudest, or of a random sample, would hold what is common: after a night of rain, rain. Here, whenever
the budget is passed, the two that are nearest to each other are found, and the later of them goes; the earlier one then
stands for both. So what is far from everything is never one of the nearest two, however much of something common
comes, and the common is thinned to an even cover of its kind. That the later one goes, and not the earlier, spares a
memory card: once a sound is well covered, one more of it is not written at all.

The price: what is kept says little about how frequent a sound is, so each says how many it stands for. And a sound that
is heard once and never again stays too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.features import Floats

Halves = npt.NDArray[np.float16]

_BLOCK = 512
"""vectors that are compared at once: they are kept in half the room, and reckoned with in the whole"""
_ALONE = -2.0
"""less than any cosine: the similarity to the nearest of none"""


@dataclass(frozen=True, slots=True)
class Gone:
    """One that is dispensable, and the one that stands for it from now on."""

    key: int
    heir: int


class Reservoir:
    """Vectors with their sizes, within a budget. Memory: two bytes a value, and little more."""

    def __init__(self, budget: int) -> None:
        """`budget` is in bytes, of all that is kept together."""
        self._budget = budget
        self._vectors: Halves = np.zeros((0, 0), np.float16)
        self._keys = np.zeros(0, np.int64)
        self._sizes = np.zeros(0, np.int64)
        self._near = np.zeros(0, np.float32)
        """cosine with the nearest of the others"""
        self._nearest = np.zeros(0, np.int64)
        """the row of that one"""

    def __len__(self) -> int:
        return len(self._keys)

    def fill(self, keys: Sequence[int], vectors: Sequence[Floats], sizes: Sequence[int]) -> list[Gone]:
        """Take all that was kept before, earliest first, into an empty one; what has to go if the budget shrank."""
        if not keys:
            return []
        self._keys, self._sizes = np.array(keys, np.int64), np.array(sizes, np.int64)
        self._vectors = np.array([_unit(vector) for vector in vectors], np.float16)
        self._near, self._nearest = np.full(len(keys), _ALONE, np.float32), np.full(len(keys), -1)
        whole = self._vectors.astype(np.float32)
        for at in range(0, len(keys), _BLOCK):
            cosines = whole[at : at + _BLOCK] @ whole.T
            rows = np.arange(len(cosines))
            cosines[rows, at + rows] = _ALONE
            if len(keys) > 1:
                self._near[at : at + _BLOCK], self._nearest[at : at + _BLOCK] = cosines.max(1), cosines.argmax(1)
        return self._shrunk()

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        return int(self._sizes.sum())

    def add(self, key: int, vector: Floats, size: int) -> list[Gone]:
        """Take one more, which is later than all others; what has to go for it, perhaps itself."""
        kept = _unit(vector).astype(np.float16)
        near = self._cosines(kept.astype(np.float32))
        row = len(self)
        self._vectors = np.concatenate([self._vectors.reshape(-1, len(kept)), kept[None]])
        self._keys, self._sizes = np.append(self._keys, key), np.append(self._sizes, size)
        closer = near > self._near
        self._near = np.append(np.where(closer, near, self._near), near.max(initial=_ALONE)).astype(np.float32)
        self._nearest = np.append(np.where(closer, row, self._nearest), near.argmax() if row else -1)
        return self._shrunk()

    def _shrunk(self) -> list[Gone]:
        gone = []
        while self.size > self._budget and len(self) > 1:
            gone.append(self._drop())
        return gone

    def _drop(self) -> Gone:
        """Do without the later of the two that are nearest to each other."""
        one = int(self._near.argmax())
        other = int(self._nearest[one])
        heir, last = sorted((one, other), key=lambda row: int(self._keys[row]))
        gone = Gone(int(self._keys[last]), int(self._keys[heir]))
        self._remove(last)
        return gone

    def _remove(self, row: int) -> None:
        orphans = np.flatnonzero(self._nearest == row)
        for name in ("_vectors", "_keys", "_sizes", "_near", "_nearest"):
            setattr(self, name, np.delete(getattr(self, name), row, axis=0))
        self._nearest -= self._nearest > row
        for orphan in orphans - (orphans > row):
            self._find_nearest(int(orphan))

    def _find_nearest(self, row: int) -> None:
        cosines = self._cosines(self._vectors[row].astype(np.float32))
        cosines[row] = _ALONE
        self._near[row] = cosines.max(initial=_ALONE)
        self._nearest[row] = cosines.argmax() if len(cosines) > 1 else -1

    def _cosines(self, unit: Floats) -> Floats:
        """With all that are kept, (n,)."""
        cosines = np.empty(len(self), np.float32)
        for at in range(0, len(self), _BLOCK):
            cosines[at : at + _BLOCK] = self._vectors[at : at + _BLOCK].astype(np.float32) @ unit
        return cosines


def _unit(vector: Floats) -> Floats:
    """Of length one, but for a vector of nothing."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)

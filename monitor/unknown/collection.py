"""Windows with their vectors, wherever they come from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from monitor.clock import rfc3339
from monitor.features import Floats
from monitor.records import Samples
from monitor.sinks.unknown.reservoir import Halves
from monitor.sinks.unknown.shelf import Network

Integers = npt.NDArray[np.int64]
Read = Callable[[Integers], Iterator[tuple[int, Samples]]]
"""for rows of a collection, in any order, each with its sound, (n,) float32 in [-1, 1] at the network's rate"""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one recording, or all of a collection, as columns."""

    starts_s: npt.NDArray[np.float64]
    """(n,) since the recording began"""
    levels_dbfs: Floats
    """(n,) of the octaves that the model hears, together; NaN where nobody kept it"""
    standings_db: Floats
    """(n,) over the noise floor; NaN where a recording is too short to have one"""
    scores: Floats
    """(n,) the highest calibrated score of any label"""
    labels: Integers
    """(n,) which label that is"""
    vectors: Halves
    """(n, values) as the network gives them"""

    def __len__(self) -> int:
        return len(self.starts_s)

    @staticmethod
    def together(parts: Sequence["Windows"]) -> "Windows":
        """One behind the other; at least one."""
        return Windows(*(np.concatenate([getattr(one, name) for one in parts]) for name in COLUMNS))

    def at(self, rows: Integers) -> "Windows":
        """Some of them."""
        return Windows(*(getattr(self, name)[rows] for name in COLUMNS))


COLUMNS = tuple(one.name for one in fields(Windows))


@dataclass(frozen=True, slots=True)
class Origin:
    """A recording, or a live source, that windows come from."""

    name: str
    start_utc: str | None
    """of its first sample"""


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """What is looked through."""

    network: Network
    window_s: float
    label_names: Sequence[str]
    origins: Sequence[Origin]
    origin: Integers
    """(n,) which of the origins a window comes from"""
    windows: Windows
    stands_for: Integers
    """(n,) how many a window stands for, where those like it were not kept"""
    read: Read = field(repr=False)

    def __len__(self) -> int:
        return len(self.windows)

    def at(self, rows: Integers) -> "Collection":
        """Some of it."""
        read = self.read

        def read_some(some: Integers) -> Iterator[tuple[int, Samples]]:
            whole = rows[some]
            places = dict(zip(whole.tolist(), some.tolist(), strict=True))
            return ((places[row], samples) for row, samples in read(whole))

        return replace(
            self,
            origin=self.origin[rows],
            windows=self.windows.at(rows),
            stands_for=self.stands_for[rows],
            read=read_some,
        )

    def name(self, row: int) -> str:
        """Of the recording or source that a window comes from."""
        return self.origins[int(self.origin[row])].name

    def utc(self, row: int) -> str | None:
        """When a window began; None where nobody knows."""
        start = self.origins[int(self.origin[row])].start_utc
        if start is None:
            return None
        return rfc3339(datetime.fromisoformat(start) + timedelta(seconds=float(self.windows.starts_s[row])))

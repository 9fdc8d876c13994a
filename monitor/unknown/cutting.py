"""Windows -> their sound, from recordings, each of which is read once from its start to the last window asked for."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from monitor.batch.found import Recording
from monitor.contract import Contract
from monitor.errors import MonitorError, RecordingError
from monitor.records import Samples
from monitor.sources.recordings import Reading
from monitor.unknown.collection import Integers
from monitor.unknown.embedding import opened


@dataclass(frozen=True, slots=True, eq=False)
class Cutting:
    """Where the windows of a collection lie."""

    recordings: Sequence[Recording]
    origin: Integers
    """(n,) which recording a window is of"""
    starts_s: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    """(n,)"""
    contract: Contract
    reading: Reading

    def read(self, rows: Integers) -> Iterator[tuple[int, Samples]]:
        """Each of these windows with its sound; what is there no longer is left out."""
        for one in np.unique(self.origin[rows]):
            own = rows[self.origin[rows] == one]
            yield from self._of(self.recordings[int(one)], own[np.argsort(self.starts_s[own], kind="stable")])

    def _of(self, recording: Recording, rows: Integers) -> Iterator[tuple[int, Samples]]:
        """`rows` are in the order of time."""
        contract, errors = self.contract, list[MonitorError]()
        waiting = deque((round(self.starts_s[row] * contract.sample_rate), int(row)) for row in rows)
        with suppress(RecordingError, OSError), opened(recording, contract, self.reading, errors.append) as (_, cut):
            for window in cut:
                while waiting and waiting[0][0] < window.start_sample:
                    waiting.popleft()
                while waiting and waiting[0][0] == window.start_sample:
                    yield waiting.popleft()[1], window.samples
                if not waiting:
                    return

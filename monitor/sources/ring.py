"""A bounded store of audio between the thread that captures and the one that analyses."""

import threading
from collections import deque
from collections.abc import Iterator

from monitor.records import Cause, Gap
from monitor.sources.feed import Frames, Piece

HELD_S = 30.0
"""what analysis may fall behind before the oldest audio is given up"""
WAIT_S = 0.1
KEPT_AT_STOP_S = 1.0
"""what is still analysed when all shall stop"""


class Ring:
    """Holds the last `held_s` seconds that nobody has taken. The oldest audio gives way, and a gap says so."""

    def __init__(self, sample_rate: int, held_s: float = HELD_S) -> None:
        self._rate, self._most = sample_rate, round(held_s * sample_rate)
        self._pieces: deque[Piece] = deque()
        self._ready = threading.Condition()
        self._waiting = 0
        self._closed = False
        self.dropped_samples = 0
        """given up since the beginning"""

    @property
    def backlog_s(self) -> float:
        """Seconds of audio that nobody has taken yet."""
        return self._waiting / self._rate

    @property
    def dropped_s(self) -> float:
        """Seconds of audio given up since the beginning."""
        return self.dropped_samples / self._rate

    def fullness(self) -> float:
        """The backlog as a share of what fits in."""
        return self._waiting / self._most

    def put(self, piece: Piece) -> None:
        """Add what follows what was put last; never waits."""
        with self._ready:
            if isinstance(piece, Frames):
                self._waiting += len(piece.samples)
                self._pieces.append(piece)
                self._give_way()
            else:
                self._pieces.append(_joined(self._pieces.pop(), piece) if self._ends_like(piece) else piece)
            self._ready.notify()

    def close(self) -> None:
        """Nothing more will be put."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def pieces(self, stop: threading.Event) -> Iterator[Piece]:
        """All that is put, until the ring is closed, or `stop` is set; what then waits for long is given up."""
        while (piece := self._next(stop)) is not None:
            yield piece

    def _next(self, stop: threading.Event) -> Piece | None:
        with self._ready:
            while not self._pieces and not self._closed:
                self._ready.wait(WAIT_S)
            if stop.is_set() and self.backlog_s > KEPT_AT_STOP_S:
                self._give_up(len(self._pieces))
            if not self._pieces:
                return None
            piece = self._pieces.popleft()
            if isinstance(piece, Frames):
                self._waiting -= len(piece.samples)
            return piece

    def _ends_like(self, gap: Gap) -> bool:
        last = self._pieces[-1] if self._pieces else None
        return isinstance(last, Gap) and last.cause == gap.cause and last.end_sample == gap.start_sample

    def _give_way(self) -> None:
        """Turn the oldest audio into a gap until the rest fits; gaps of other causes stay what they are."""
        while self._waiting > self._most:
            self._give_up(1 + next(index for index, piece in enumerate(self._pieces) if isinstance(piece, Frames)))

    def _give_up(self, count: int) -> None:
        """Turn audio among the first pieces into gaps."""
        given: list[Piece] = []
        for _ in range(count):
            piece = self._pieces.popleft()
            if isinstance(piece, Frames):
                self._waiting -= len(piece.samples)
                self.dropped_samples += len(piece.samples)
                piece = Gap(piece.start_sample, piece.end_sample, Cause.OVERLOAD)
            last = given[-1] if given else None
            if isinstance(last, Gap) and last.cause == piece.cause and last.end_sample == piece.start_sample:
                given[-1] = _joined(last, piece)
            else:
                given.append(piece)
        self._pieces.extendleft(reversed(given))


def _joined(first: Piece, second: Gap) -> Gap:
    return Gap(first.start_sample, second.end_sample, second.cause)

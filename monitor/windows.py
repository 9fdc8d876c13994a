"""Blocks of any length -> overlapping windows of one length, counted in samples.

The windows depend on the audio alone, not on how it was cut into blocks. No window spans a gap.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from monitor.errors import ConfigError
from monitor.records import Block, Gap, Window


def windows(audio: Iterable[Block | Gap], size: int, step: int) -> Iterator[Window]:
    """Cut blocks into windows of `size` samples, one every `step` samples.

    Each stretch between gaps begins a new row of windows at its first sample. What remains at its end is
    covered by one more window that ends with the last sample. A stretch shorter than a window is repeated
    until it fills one; shorter than a third of a window it is too little to judge, and yields none.

    Raises ConfigError unless 1 <= step <= size: a longer step would leave audio unheard.
    """
    if not 1 <= step <= size:
        msg = f"step of {step} samples: must be at least 1 and at most the window's {size}"
        raise ConfigError(msg)
    stretch: _Stretch | None = None
    for piece in audio:
        if stretch is not None and (isinstance(piece, Gap) or piece.start_sample != stretch.end_sample):
            yield from stretch.tail()
            stretch = None
        if isinstance(piece, Gap):
            continue
        if stretch is None:
            stretch = _Stretch(piece.start_sample, size, step)
        yield from stretch.add(piece)
    if stretch is not None:
        yield from stretch.tail()


class _Stretch:
    """Audio without a gap: remembers no more than the windows to come can need."""

    def __init__(self, start_sample: int, size: int, step: int) -> None:
        self._start, self._size, self._step = start_sample, size, step
        self._held_start = self._next_start = start_sample
        self._held = np.zeros(0, np.float32)

    @property
    def end_sample(self) -> int:
        return self._held_start + len(self._held)

    def add(self, block: Block) -> Iterator[Window]:
        self._held = np.concatenate([self._held, block.samples]) if len(self._held) else block.samples
        while self._next_start + self._size <= self.end_sample:
            yield self._window(self._next_start)
            self._next_start += self._step
        keep = max(self._held_start, min(self._next_start, self.end_sample - self._size))
        self._held = self._held[keep - self._held_start :]
        self._held_start = keep

    def tail(self) -> Iterator[Window]:
        length = self.end_sample - self._start
        covered = self._next_start - self._step + self._size if self._next_start > self._start else self._start
        if covered >= self.end_sample or 3 * length < self._size:
            return
        if length >= self._size:
            yield self._window(self.end_sample - self._size)
        else:
            yield Window(self._start, self.end_sample, np.resize(self._held, self._size))

    def _window(self, start: int) -> Window:
        first = start - self._held_start
        return Window(start, start + self._size, self._held[first : first + self._size].copy())

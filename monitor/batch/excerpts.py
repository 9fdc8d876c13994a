"""Short stretches of a recording, out of one pass through its blocks that ends behind the last of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.records import Block, Gap, Samples


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which samples of a recording are wanted."""

    start_sample: int
    end_sample: int
    heart_sample: int
    """that must be among them: what is cut off by a gap between it and the start or the end is left out"""


@dataclass(slots=True, eq=False)
class _Gathered:
    """What there is of a stretch so far."""

    number: int
    stretch: Stretch
    start_sample: int
    parts: list[Samples] = field(default_factory=list)

    @property
    def end_sample(self) -> int:
        return self.start_sample + sum(map(len, self.parts))


def excerpts(audio: Iterable[Block | Gap], stretches: Sequence[Stretch]) -> Iterator[tuple[int, int, Samples]]:
    """The number of each stretch of which there is something, its first sample, and its samples (n,), as they end.

    None spans a gap. Raises whatever the blocks do; what was complete before came before.
    """
    waiting = sorted((_Gathered(n, one, one.start_sample) for n, one in enumerate(stretches)), key=_start, reverse=True)
    gathering: list[_Gathered] = []
    for piece in audio:
        while waiting and waiting[-1].stretch.start_sample < piece.end_sample:
            gathering.append(waiting.pop())
        for one in gathering:
            _take(one, piece)
        for one in [one for one in gathering if one.stretch.end_sample <= piece.end_sample]:
            gathering.remove(one)
            yield from _given(one)
        if not waiting and not gathering:
            return
    for one in gathering:  # the recording ended
        yield from _given(one)


def _start(gathered: _Gathered) -> int:
    return gathered.stretch.start_sample


def _take(gathered: _Gathered, piece: Block | Gap) -> None:
    """Add what a piece has of a stretch, unless something is missing behind its heart."""
    stretch, reached = gathered.stretch, gathered.end_sample
    start, end = max(piece.start_sample, stretch.start_sample), min(piece.end_sample, stretch.end_sample)
    if start >= end or not isinstance(piece, Block):
        return
    if start > reached:
        if gathered.parts and reached > stretch.heart_sample:
            return
        gathered.parts.clear()
        gathered.start_sample = start
    gathered.parts.append(piece.samples[start - piece.start_sample : end - piece.start_sample])


def _given(gathered: _Gathered) -> Iterator[tuple[int, int, Samples]]:
    if gathered.parts and gathered.start_sample <= gathered.stretch.heart_sample < gathered.end_sample:
        yield gathered.number, gathered.start_sample, np.concatenate(gathered.parts)

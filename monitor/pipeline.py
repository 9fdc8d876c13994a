"""READ FIRST. Wires the stages, and nothing else; live and offline analysis both run this."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from monitor.classifier import Classifier
from monitor.features import Floats
from monitor.overload import Relief
from monitor.records import Block, Detection, Gap, Window
from monitor.resample import resampled
from monitor.tracker import Tracker
from monitor.windows import windows

Mask = npt.NDArray[np.bool_]
Lasting = Callable[[Sequence[Detection]], None]


class Sink(Protocol):
    """Where results go."""

    def heard(self, window: Window, scores: Floats) -> None:
        """A window was analysed; scores have shape (n_labels,)."""

    def lost(self, gap: Gap) -> None:
        """The source says that it did not get these samples."""

    def handle(self, detection: Detection) -> None:
        """A detection is complete."""

    def ended(self, end_sample: int) -> None:
        """The recording ended before this sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One model's way from audio to results. Its step, its sinks and its detections count at the model's rate."""

    classifier: Classifier
    tracker: Tracker
    step: int
    sinks: Sequence[Sink]
    allowed: Callable[[Window], Mask | None] = lambda _window: None
    """which labels may be reported at a window, (n_labels,); the scores of others become NaN. None: all may be"""
    relief: Relief | None = None
    """what to give up when analysis cannot keep up; None: audio waits for it"""
    lasting: Sequence[Lasting] = ()
    """told after each window of the detections that are not complete, as they are so far"""

    def relieved(self, fullness: Callable[[], float]) -> "Chain":
        """The same for live audio, of which `fullness` says how much of what may wait does, in [0, 1]."""
        contract = self.classifier.contract
        return replace(self, relief=Relief(fullness, self.step, contract.window_samples, contract.name))

    def narrowed(self, window: Window, scores: Floats) -> Floats:
        """The scores that may be reported."""
        allowed = self.allowed(window)
        return scores if allowed is None else np.where(allowed, scores, np.float32(np.nan))


def run(audio: Iterable[Block | Gap], sample_rate: int, chains: Sequence[Chain]) -> None:
    """Analyse one recording, from its first block to its last detection, with one or several models.

    `audio` counts samples at `sample_rate` Hz. The models take turns, the one that is least far going first, so that
    no more than about a window of audio waits for one of them.
    """
    copies = _copies(audio, len(chains))
    ways = [_analysed(copy, sample_rate, chain) for copy, chain in zip(copies, chains, strict=True)]
    turns = [(0.0, index) for index in range(len(ways))]
    while turns:
        _, index = turns[0]
        reached_s = next(ways[index], None)
        if reached_s is None:
            heapq.heappop(turns)
        else:
            heapq.heapreplace(turns, (reached_s, index))


def _copies(audio: Iterable[Block | Gap], count: int) -> list[Iterator[Block | Gap]]:
    """The same audio several times. itertools.tee would hold 57 blocks even for one: minutes of a recording."""
    source = iter(audio)
    waiting: list[deque[Block | Gap]] = [deque() for _ in range(count)]

    def copy(own: deque[Block | Gap]) -> Iterator[Block | Gap]:
        while own or _fetched(source, waiting):
            yield own.popleft()

    return [copy(own) for own in waiting]


def _fetched(source: Iterator[Block | Gap], waiting: Sequence[deque[Block | Gap]]) -> bool:
    """Take the next piece for everybody; False where there is none."""
    piece = next(source, None)
    if piece is None:
        return False
    for queue in waiting:
        queue.append(piece)
    return True


def _analysed(audio: Iterable[Block | Gap], sample_rate: int, chain: Chain) -> Iterator[float]:
    """One model's analysis; yields after each window how many seconds of audio the next one will need."""
    contract, sinks = chain.classifier.contract, chain.sinks
    end = _End(sinks, chain.relief)
    pieces = end.watch(resampled(audio, sample_rate, contract.sample_rate))
    cut = windows(pieces, contract.window_samples, chain.step)
    wanted = cut if chain.relief is None else chain.relief.thinned(cut, end.lost)
    for window, scores in chain.classifier.score(wanted):
        reported = chain.narrowed(window, scores)
        for sink in sinks:
            sink.heard(window, reported)
        _hand(chain.tracker.update(window, reported), sinks)
        lasting = chain.tracker.open() if chain.lasting else ()
        for tell in chain.lasting:
            tell(lasting)
        yield (window.end_sample + chain.step) / contract.sample_rate
    _hand(chain.tracker.finish(), sinks)
    for sink in sinks:
        sink.ended(end.sample)


def _hand(detections: Iterable[Detection], sinks: Sequence[Sink]) -> None:
    for detection in detections:
        for sink in sinks:
            sink.handle(detection)


class _End:
    """Remembers where the audio ended, also the part that was too short for a window, and passes on what is missing."""

    def __init__(self, sinks: Sequence[Sink], relief: Relief | None) -> None:
        self.sample, self._sinks, self._relief = 0, sinks, relief

    def watch(self, audio: Iterable[Block | Gap]) -> Iterator[Block | Gap]:
        for piece in audio:
            self.sample = piece.end_sample
            yield piece
            if isinstance(piece, Gap):  # whose last windows before it have been analysed by now
                if self._relief is not None:
                    self._relief.settle(self.lost)
                self.lost(piece)

    def lost(self, gap: Gap) -> None:
        for sink in self._sinks:
            sink.lost(gap)

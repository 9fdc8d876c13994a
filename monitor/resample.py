"""Blocks at a source's rate -> blocks at the model's rate, as one stream whatever the cutting."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from monitor.records import Block, Gap, Samples

QUALITY = "HQ"
"""soxr's 20-bit quality: pass band to 91 % of the lower Nyquist frequency."""


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """A whole recording at once: (n,) at `from_rate` Hz -> (n * to_rate / from_rate,)."""
    return soxr.resample(samples, from_rate, to_rate, quality=QUALITY).astype(np.float32, copy=False)


def resampled(audio: Iterable[Block | Gap], from_rate: int, to_rate: int) -> Iterator[Block | Gap]:
    """Resample a stream of blocks; samples then count at `to_rate`.

    A gap stays a gap: the filter is emptied before it and starts afresh behind it.
    """
    if from_rate == to_rate:
        yield from audio
        return
    stretch: _Stretch | None = None
    end_out: int | None = None
    for piece in audio:
        if stretch is not None and (isinstance(piece, Gap) or piece.start_sample != stretch.end_in):
            yield from stretch.finish()
            end_out = stretch.end_out
            stretch = None
        if isinstance(piece, Gap):
            start, end = (_scaled(sample, from_rate, to_rate) for sample in (piece.start_sample, piece.end_sample))
            yield Gap(start, end, piece.cause)
            continue
        if stretch is None:
            stretch = _Stretch(piece.start_sample, end_out, from_rate, to_rate)
        yield from stretch.add(piece.samples)
    if stretch is not None:
        yield from stretch.finish()


class _Stretch:
    """One soxr stream over audio without a gap."""

    def __init__(self, start_in: int, previous_end: int | None, from_rate: int, to_rate: int) -> None:
        self._filter = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=QUALITY)
        self._start_in, self._ratio = start_in, (from_rate, to_rate)
        self.end_in = start_in
        # Rounding must not let two stretches overlap, nor hide the gap between them.
        rounded = _scaled(start_in, from_rate, to_rate)
        self._start_out = self.end_out = rounded if previous_end is None else max(rounded, previous_end + 1)

    def add(self, samples: Samples) -> Iterator[Block]:
        self.end_in += len(samples)
        yield from self._out(self._filter.resample_chunk(samples))

    def finish(self) -> Iterator[Block]:
        rest = self._filter.resample_chunk(np.zeros(0, np.float32), last=True)
        from_rate, to_rate = self._ratio
        wanted = -((self._start_in - self.end_in) * to_rate // from_rate)
        yield from self._out(rest[: max(0, self._start_out + wanted - self.end_out)])

    def _out(self, samples: Samples) -> Iterator[Block]:
        if len(samples):
            block = Block(self.end_out, samples)
            self.end_out = block.end_sample
            yield block


def _scaled(sample: int, from_rate: int, to_rate: int) -> int:
    """The sample at another rate that is nearest in time."""
    return (sample * to_rate + from_rate // 2) // from_rate

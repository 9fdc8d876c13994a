"""What one listener makes of the frames of a feed: its channel, louder or softer, without the lowest sounds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from monitor.records import Block, Cause, Gap, Samples
from monitor.sources.feed import Channels, Piece
from monitor.sources.high_pass import HighPass
from monitor.sources.symptoms import Symptoms


@dataclass(frozen=True, slots=True)
class Hearing:
    """How to listen."""

    channel: int | None
    """from 0; None: all, averaged"""
    gain_db: float = 0.0
    high_pass_hz: float | None = None

    def mono(self, samples: Channels) -> Samples:
        """(n, channels) -> (n,), within full scale whatever the gain."""
        one = samples[:, self.channel] if self.channel is not None else samples.mean(axis=1, dtype=np.float32)
        if self.gain_db:
            one = np.clip(one * np.float32(10 ** (self.gain_db / 20)), -1, 1)
        return one


def heard(pieces: Iterable[Piece], sample_rate: int, hearing: Hearing, name: str) -> Iterator[Block | Gap]:
    """What a listener hears of a feed.

    A microphone that gives nothing but zeros for `symptoms.SILENT_S` counts as gone until it gives anything else: what
    it gave before stays heard, for quiet is not yet silence.
    """
    symptoms = Symptoms(sample_rate, name)
    high_pass = HighPass(hearing.high_pass_hz, sample_rate) if hearing.high_pass_hz else None
    for piece in pieces:
        if isinstance(piece, Gap):
            yield from high_pass.finish() if high_pass else ()
            yield piece
            continue
        raw = Block(piece.start_sample, hearing.mono(piece.samples), piece.captured)
        symptoms.watch(piece.samples if hearing.channel is None else piece.samples[:, hearing.channel])
        if symptoms.silent:
            yield from high_pass.finish() if high_pass else ()
            yield Gap(raw.start_sample, raw.end_sample, Cause.DEVICE)
        elif high_pass:
            yield from high_pass.add(raw)
        else:
            yield raw
    yield from high_pass.finish() if high_pass else ()

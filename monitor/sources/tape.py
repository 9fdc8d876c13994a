"""Where in one endless stream the audio of a feed belongs that comes and goes."""

import math
from collections.abc import Callable

import numpy as np
import soxr

from monitor.records import Cause, Gap
from monitor.resample import QUALITY
from monitor.sources.continuity import Continuity
from monitor.sources.feed import Channels, Frames, Piece


class Tape:
    """One endless stream: counts its samples at `sample_rate` Hz, by the audio or, without any, by the clock."""

    def __init__(self, sample_rate: int, start: float, put: Callable[[Piece], None]) -> None:
        self.sample_rate, self._put = sample_rate, put
        self.position, self.time = 0, start
        """the next sample, and the monotonic time at which it was taken or is due"""

    def give(self, samples: Channels, captured: float) -> None:
        """Put samples."""
        if len(samples):
            self._put(Frames(self.position, samples, captured))
            self.position += len(samples)

    def miss(self, count: int, cause: Cause) -> None:
        """Put a gap."""
        if count > 0:
            self._put(Gap(self.position, self.position + count, cause))
            self.position += count

    def pass_until(self, time: float, cause: Cause) -> None:
        """Put a gap until then, if that is still to come."""
        count = max(0, round((time - self.time) * self.sample_rate))
        self.miss(count, cause)
        self.time += count / self.sample_rate


class Splice:
    """Puts what one feed gives onto the tape, at the tape's rate."""

    def __init__(self, tape: Tape, continuity: Continuity, sample_rate: int) -> None:
        self._tape, self._continuity = tape, continuity
        self._ratio = tape.sample_rate / sample_rate
        self._from: int | None = None
        self._end = 0
        self._filter: soxr.ResampleStream | None = None
        self._captured = -math.inf
        self._sample_rate = sample_rate

    def place(self, piece: Piece) -> None:
        """Put the next piece; what lies before the tape's time has been accounted for and is left out."""
        if self._from is None:
            self._from = self._begin(piece.start_sample)
        start = max(self._from, piece.start_sample)
        if start >= piece.end_sample:
            return
        if isinstance(piece, Gap):
            self._empty()
            self._tape.miss(round((piece.end_sample - start) * self._ratio), piece.cause)
        else:
            self._captured = piece.captured
            self._tape.give(self._converted(piece.samples[start - piece.start_sample :]), piece.captured)
        self._end = piece.end_sample

    def finish(self) -> None:
        """The feed has ended."""
        self._empty()
        if self._end:
            self._tape.time = self._continuity.time_of(self._end)

    def _begin(self, start_sample: int) -> int:
        """Pass the time until this sample; return the first that is not accounted for yet."""
        start = self._continuity.time_of(start_sample)
        self._tape.pass_until(start, Cause.DEVICE)
        return start_sample + max(0, math.ceil((self._tape.time - start) * self._sample_rate - 0.5))

    def _converted(self, samples: Channels) -> Channels:
        if self._ratio == 1:
            return samples
        if self._filter is None:
            rates = self._sample_rate, self._tape.sample_rate
            self._filter = soxr.ResampleStream(*rates, samples.shape[1], dtype="float32", quality=QUALITY)
            self._nothing = samples[:0]
        return self._shaped(self._filter.resample_chunk(np.ascontiguousarray(samples)))

    def _empty(self) -> None:
        """Give what the filter holds."""
        if self._filter is not None:
            rest = self._filter.resample_chunk(self._nothing, last=True)
            self._tape.give(self._shaped(rest), self._captured)
            self._filter = None

    def _shaped(self, samples: Channels) -> Channels:
        return samples.reshape(len(samples), -1)

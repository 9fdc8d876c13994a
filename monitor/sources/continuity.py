"""Frames held against the clock: late ones wait for the verdict, missing ones become a gap.

A block comes when its last sample has been taken, or later. So the earliest blocks show when the feed's samples
were taken, and a block that is later than those is either late, and those behind it catch up, or samples before
it are missing, and none catches up. Nothing that the sound system says about lost samples is relied on.
"""

import math
from collections.abc import Iterator

from monitor.errors import MicrophoneError
from monitor.records import Cause, Gap
from monitor.sources.feed import Frames, Piece

PROBATION_S = 1.0
"""for so long the first audio is held back: the earliest of its blocks say when it began, and a feed that runs wild
shows itself"""
LATE_S = 0.25
"""a block that comes this much later than the earliest did is suspicious"""
SETTLED_S = 2.0
"""when nothing catches up for so long, samples are missing"""
LONGEST_HOLD_S = 10.0
EARLIEST_OVER_S = 15.0
"""over so long the earliest blocks are looked for: clocks of sound cards drift"""
WILD_FACTOR = 2.0
"""in its first second a feed may be this much faster than sound"""
BURST_S = 2.0
"""and a sound card may have kept so much for us; audio that is still further ahead of the clock nobody heard"""


class Continuity:
    """Judges one feed of `sample_rate` Hz, which may give `burst_s` of audio at once when it is opened."""

    def __init__(self, name: str, sample_rate: int, burst_s: float = BURST_S) -> None:
        self._name, self._rate, self._burst_s = name, sample_rate, burst_s
        self._held: list[Frames] = []
        self._on_probation = True
        self._missing = 0
        self._end: int | None = None
        self._earliest, self._earlier, self._since = math.inf, math.inf, -math.inf

    def time_of(self, sample: int) -> float:
        """The monotonic time at which a sample of those that were given out was taken."""
        return self._origin + sample / self._rate

    def add(self, frames: Frames) -> Iterator[Piece]:
        """Take what came; give out what is judged, counting the missing samples too.

        Raises MicrophoneError where the audio comes faster than sound does.
        """
        frames = Frames(frames.start_sample + self._missing, frames.samples, frames.captured)
        self._check_pace(frames)
        self._held.append(frames)
        if self._on_probation:
            if frames.captured - self._held[0].captured >= PROBATION_S:
                yield from self._accept()
        elif self._delay(frames) <= self._origin + LATE_S:
            yield from self._release(self._held)
        else:
            yield from self._settle()

    def flush(self, *, broken: bool = False) -> Iterator[Piece]:
        """The feed has ended: give out what waits for a verdict. One that broke on probation was never heard."""
        if self._on_probation:
            yield from () if broken else self._accept()
        elif self._held:
            yield from self._without_missing(self._floor())

    @property
    def _origin(self) -> float:
        """Monotonic time of sample 0."""
        return min(self._earliest, self._earlier)

    def _delay(self, frames: Frames) -> float:
        return frames.captured - frames.end_sample / self._rate

    def _accept(self) -> Iterator[Piece]:
        self._on_probation = False
        for frames in self._held:
            self._note(frames)
        self._earlier = self._earliest
        yield from self._release(self._held)

    def _settle(self) -> Iterator[Piece]:
        floor, last = self._floor(), self._held[-1].captured
        if last - self._held[floor].captured >= SETTLED_S or last - self._held[0].captured >= LONGEST_HOLD_S:
            yield from self._without_missing(floor)

    def _floor(self) -> int:
        """The first of the held frames that nothing behind it catches up with."""
        delays = [self._delay(frames) for frames in self._held]
        lowest = min(delays)
        longest_s = max(len(frames.samples) for frames in self._held) / self._rate
        return next(index for index, delay in enumerate(delays) if delay <= lowest + longest_s)

    def _without_missing(self, floor: int) -> Iterator[Piece]:
        """The missing samples lie in or before the frames at `floor`, or in the next ones: these go with them."""
        missing = round((min(map(self._delay, self._held)) - self._origin) * self._rate)
        self._missing += missing
        behind = [Frames(f.start_sample + missing, f.samples, f.captured) for f in self._held[floor + 2 :]]
        last = self._held[-1]
        yield from self._release(self._held[:floor])
        yield from self._release(behind)
        if not behind:
            yield from self._gap(last.end_sample + missing)

    def _release(self, held: list[Frames]) -> Iterator[Piece]:
        self._held = []
        for frames in held:
            self._note(frames)
            yield from self._gap(frames.start_sample)
            self._end = frames.end_sample
            yield frames

    def _gap(self, start_sample: int) -> Iterator[Gap]:
        if self._end is not None and start_sample > self._end:
            yield Gap(self._end, start_sample, Cause.OVERRUN)
            self._end = start_sample

    def _note(self, frames: Frames) -> None:
        if frames.captured - self._since >= EARLIEST_OVER_S:
            self._earlier, self._earliest, self._since = self._earliest, math.inf, frames.captured
        self._earliest = min(self._earliest, self._delay(frames))

    def _check_pace(self, frames: Frames) -> None:
        if self._on_probation:
            first = self._held[0] if self._held else frames
            given_s = (frames.end_sample - first.start_sample) / self._rate
            ahead_s = given_s - WILD_FACTOR * (frames.captured - first.captured)
        else:
            ahead_s = self._earlier - self._delay(frames)
        if ahead_s > self._burst_s:
            self._held = []
            msg = f"{self._name}: audio comes {ahead_s:.1f} s too early, faster than sound does: this is no microphone"
            raise MicrophoneError(msg)

"""The stage that audio passes through: what is outside the schedule becomes a gap."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from monitor.clock import Clock, Quality
from monitor.records import Block, Cause, Gap
from monitor.schedule.plan import Listening, Plan

SECOND = timedelta(seconds=1)
LAST = datetime.max.replace(tzinfo=UTC)


def scheduled(audio: Iterable[Block | Gap], clock: Clock, schedule: Plan) -> Iterator[Block | Gap]:
    """Turn what is outside the schedule into gaps, cut at the sample where the schedule says so.

    `clock` counts at the rate of the audio. The microphone stays open, so nothing clicks. While nobody vouches for the
    clock everything is listened to: better too much than nothing.
    """
    gate = _Gate(clock, schedule)
    for piece in audio:
        position = piece.start_sample
        while position < piece.end_sample:
            wanted, stop = gate.look(position, piece.end_sample)
            yield _part(piece, position, stop) if wanted else Gap(position, stop, Cause.SCHEDULE)
            position = stop


class _Gate:
    """Remembers what the schedule said last and until when, for a clock that is adjusted a little must not flicker."""

    def __init__(self, clock: Clock, schedule: Plan) -> None:
        self._clock, self._schedule = clock, schedule
        self._since: datetime | None = None
        self._said = Listening(wanted=True, until=None)

    def look(self, position: int, end: int) -> tuple[bool, int]:
        """Whether a sample is wanted, and how far that holds, at most to `end`."""
        now = self._clock.at(position)
        if now.utc is None or now.quality is Quality.UNSYNCED:
            self._since = None
            return True, end
        if self._since is None or now.utc < self._since - SECOND:
            self._ask(now.utc)
        while self._said.until is not None and now.utc >= self._said.until:
            self._ask(max(self._said.until, now.utc - SECOND))
        return self._said.wanted, end if self._said.until is None else self._border(position, end, self._said.until)

    def _ask(self, utc: datetime) -> None:
        self._since, self._said = utc, self._schedule.at(utc)

    def _border(self, position: int, end: int, until: datetime) -> int:
        """The first sample after `position` that is not before `until`, at most `end`. Time never runs backwards."""
        if self._time(end - 1) < until:
            return end
        return bisect_left(range(position + 1, end), until, key=self._time) + position + 1

    def _time(self, sample: int) -> datetime:
        return self._clock.at(sample).utc or LAST


def _part(piece: Block | Gap, start: int, stop: int) -> Block | Gap:
    """From one sample of a piece to another."""
    if isinstance(piece, Gap):
        return Gap(start, stop, piece.cause)
    if (start, stop) == (piece.start_sample, piece.end_sample):
        return piece
    return Block(start, piece.samples[start - piece.start_sample : stop - piece.start_sample])

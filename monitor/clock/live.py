"""The clock of a microphone: samples -> the monotonic clock -> UTC."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.clock.reference import StationClock
from monitor.clock.timeline import Timeline
from monitor.clock.times import Instant
from monitor.records import Block, Cause, Gap


@dataclass(frozen=True, slots=True, eq=False)
class LiveClock:
    """When the samples of a microphone were taken, counted at one sample rate."""

    sample_rate: int
    timeline: Timeline
    station: StationClock

    @property
    def boot(self) -> str:
        """Of whose monotonic clock the instants are."""
        return self.station.boot

    def seconds(self, sample: int) -> float:
        """Seconds from the start of the stream, as the sample rate promises them."""
        return sample / self.sample_rate

    def at(self, sample: int) -> Instant:
        """When a sample was taken, as far as is known now."""
        return self.station.at(*self.timeline.monotonic(sample / self.sample_rate))


def timed(audio: Iterable[Block | Gap], sample_rate: int, timeline: Timeline) -> Iterator[Block | Gap]:
    """Pass audio on, and note in the timeline when it was taken. A gap that the device made begins a new piece."""
    for piece in audio:
        if isinstance(piece, Gap):
            if piece.cause in {Cause.DEVICE, Cause.OVERRUN, Cause.UNKNOWN}:
                timeline.broke()
        elif piece.captured is not None:
            timeline.saw(piece.start_sample / sample_rate, piece.end_sample / sample_rate, piece.captured)
        yield piece

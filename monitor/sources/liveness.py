"""Whether a feed is alive, judged by what it gives: nothing for long, or the same over and over, is no microphone."""

import threading
from collections.abc import Callable, Iterator

import numpy as np

from monitor.errors import MicrophoneError
from monitor.sources.feed import Channels, Feed, Frames

DEAD_S = 5.0
"""without a single sample for so long, the feed is dead, or frozen"""
STUCK_S = 5.0
"""the same value or the same block for so long comes from no microphone; zeros may be a silent one"""
POLL_S = 0.1


def listen(
    feed: Feed, stop: threading.Event, monotonic: Callable[[], float], stuck_s: float = STUCK_S
) -> Iterator[Frames]:
    """All that a feed gives until it ends or `stop` is set. MicrophoneError where it is dead or stuck."""
    last = monotonic()
    sameness = _Sameness(round(stuck_s * feed.sample_rate))
    while not stop.is_set():
        came = feed.read(POLL_S)
        if came is None:
            return
        for frames in came:
            if sameness.lasts(frames.samples):
                msg = f"{feed.name}: the same samples over and over, as if the sound card was stuck"
                raise MicrophoneError(msg)
            yield frames
        if came:
            last = monotonic()
        elif monotonic() - last > DEAD_S:
            msg = f"{feed.name}: no samples for {DEAD_S:g} s"
            raise MicrophoneError(msg)


class _Sameness:
    """Counts samples that say nothing new."""

    def __init__(self, most: int) -> None:
        self._most, self._same = most, 0
        self._previous: Channels = np.zeros((0, 1), np.float32)

    def lasts(self, samples: Channels) -> bool:
        """Take the next, (n, channels); whether too many of the same have come that are not zero."""
        constant = bool((samples == samples[:1]).all())
        repeated = np.array_equal(samples, self._previous)
        same = (constant or repeated) and bool(samples.any())
        self._same = self._same + len(samples) if same else 0
        self._previous = samples
        return self._same >= self._most

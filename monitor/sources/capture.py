"""One feed for ever, as one endless stream: opened again whenever it is lost, and every sample accounted for."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from monitor.errors import MicrophoneError
from monitor.records import Cause, Gap
from monitor.sources.continuity import Continuity
from monitor.sources.feed import Feed, Piece
from monitor.sources.liveness import STUCK_S, listen
from monitor.sources.ring import HELD_S, Ring
from monitor.sources.tape import Splice, Tape

logger = logging.getLogger(__name__)

UNKNOWN_RATE_HZ = 48_000
"""of a stream that begins before its microphone is known, where none is wished for"""
SHORTEST_RETRY_S = 0.5
LONGEST_RETRY_S = 4.0
"""so that it is heard again within 10 s of its return"""
WELL_S = 30.0
"""a feed that breaks after so long is tried again at once"""
UNSURE_S = 0.5
"""audio that comes now may have been taken so long ago: a gap that goes on does not reach further"""
SUSPECT_STUCK_S = 0.5
"""how long a feed that was lost before may give the same"""

Opening = Callable[[int | None, threading.Event], Feed]
"""opens a feed at a rate in Hz if it can, else at its own. MicrophoneError where it is not there"""


class Capture:
    """Reads what `opening` opens into one ring a listener, each with all channels.

    Sample 0 is the moment of `start`. Samples count at the rate that was wished for, or found first, whatever rate the
    feed has when it comes again.
    """

    def __init__(
        self,
        opening: Opening,
        stop: threading.Event,
        *,
        sample_rate: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opening, self._stop, self._monotonic = opening, stop, monotonic
        self._wished = sample_rate
        self.sample_rate = sample_rate or UNKNOWN_RATE_HZ
        self.trouble: MicrophoneError | None = None
        """why nothing is heard now"""
        self.outages = self.overrun_samples = 0
        """times it was lost; samples that were lost while it was there"""
        self._heard = False

    def start(self, held_s: Sequence[float] = (HELD_S,)) -> list[Ring]:
        """Try to open the feed once, and read it from then on in a thread of its own; a ring for each listener."""
        self.began = self._monotonic()
        feed = self._open(self._wished)
        if feed is not None:
            self.sample_rate = self._wished or feed.sample_rate
        self._rings = [Ring(self.sample_rate, seconds) for seconds in held_s]
        self._tape = Tape(self.sample_rate, self.began, self._put)
        thread = ThreadPoolExecutor(1, "capture")
        self._running = thread.submit(self._run, feed)
        thread.shutdown(wait=False)
        return self._rings

    def join(self) -> None:
        """Wait until the rings are closed; raises what may have ended the thread."""
        self._running.result()

    def _run(self, feed: Feed | None) -> None:
        wait_s, stuck_s = SHORTEST_RETRY_S, STUCK_S
        try:
            while feed is not None or not self._stop.is_set():
                begin = self._monotonic()
                if feed is not None and self._hear(feed, stuck_s):
                    break
                now = self._monotonic()
                self._tape.pass_until(now - UNSURE_S, Cause.DEVICE)
                wait_s = SHORTEST_RETRY_S if now - begin > WELL_S else min(2 * wait_s, LONGEST_RETRY_S)
                stuck_s = SUSPECT_STUCK_S
                self._stop.wait(wait_s)
                feed = None if self._stop.is_set() else self._open(self.sample_rate)
            if self.trouble is not None:
                self._tape.pass_until(self._monotonic(), Cause.DEVICE)
        finally:
            for ring in self._rings:
                ring.close()

    def _open(self, sample_rate: int | None) -> Feed | None:
        try:
            return self._opening(sample_rate, self._stop)
        except MicrophoneError as error:
            if not self._stop.is_set():  # else it was not given the time
                self._lost(error)
            return None

    def _hear(self, feed: Feed, stuck_s: float) -> bool:
        """Take what a feed gives until it is lost, or until it ends or all shall stop: then return True."""
        continuity = Continuity(feed.name, feed.sample_rate, feed.burst_s)
        splice = Splice(self._tape, continuity, feed.sample_rate)
        lost: MicrophoneError | None = None
        try:
            for frames in listen(feed, self._stop, self._monotonic, stuck_s):
                for piece in continuity.add(frames):
                    self._found(feed)
                    splice.place(piece)
        except MicrophoneError as error:
            lost = error
        finally:
            feed.close()
        for piece in continuity.flush(broken=lost is not None):
            splice.place(piece)
        splice.finish()
        if lost is not None:
            self._lost(lost)
        return lost is None

    def _put(self, piece: Piece) -> None:
        if isinstance(piece, Gap) and piece.cause is Cause.OVERRUN:
            self.overrun_samples += piece.end_sample - piece.start_sample
        for ring in self._rings:
            ring.put(piece)

    def _found(self, feed: Feed) -> None:
        if self.trouble is not None or not self._heard:
            logger.info("listening to %s at %d Hz; lost %d times so far", feed.name, feed.sample_rate, self.outages)
        self._heard, self.trouble = True, None

    def _lost(self, error: MicrophoneError) -> None:
        self.outages += self.trouble is None
        if str(error) != str(self.trouble):
            logger.error("%s; looking for it again and again", error)
        self.trouble = error

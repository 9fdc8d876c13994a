"""The last seconds of a stream, in memory, and the clips that are cut from them."""

import logging
import queue
from collections import deque
from collections.abc import Callable

import numpy as np

from monitor.features import Floats
from monitor.recorded import Position
from monitor.records import Detection, Gap, Window
from monitor.sinks.clips.clip import About, Clip, Levels16
from monitor.sinks.clips.writing import ClipWriter
from monitor.sinks.origin import Origin

logger = logging.getLogger(__name__)

LONGEST_S = 30.0
"""of a clip; of a longer detection the end is kept"""
REPORTED_S = 15.0
"""how long after its end a detection is reported at the latest"""
FLUSH_S, FLUSH_RECORDING_S = 2.0, 20.0
"""what the end of a live stream waits for clips that are not decided upon, and that of a recording, which may: what is
withheld belongs into its account"""

Withheld = Callable[[int, int], None]
"""is told the start and end sample, at the model's rate, of sound that is kept from everybody"""


class ClipSink:
    """Cuts one stream's clips; tells `withheld` of those in which somebody speaks, from the thread that feeds it."""

    def __init__(
        self,
        writer: ClipWriter,
        origin: Origin,
        withheld: Withheld,
        position: Position | None = None,
    ) -> None:
        """`position` is the station's; None: where the satellite receiver is."""
        self._writer, self._origin, self._tell, self._position = writer, origin, withheld, position
        self._rate = origin.clock.sample_rate
        self._beside = round(writer.gate.margin_s * self._rate)
        self._past: deque[Levels16] = deque()
        self._past_start = self._past_end = 0
        self._waiting: list[tuple[Detection, int, int, int]] = []
        """detections, how many of their species there were, start and end of clips whose end has not been heard"""
        self._withheld: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def heard(self, window: Window, scores: Floats) -> None:
        """Remember what is new in a window, and cut the clips that are complete."""
        del scores
        if window.start_sample > self._past_end:
            self._break()
            self._past_start = self._past_end = window.start_sample
        new = window.samples[self._past_end - window.start_sample : window.end_sample - window.start_sample]
        self._past.append(np.clip(np.round(new * 32_768), -32_768, 32_767).astype(np.int16))
        self._past_end += len(new)
        while (
            self._past_end - self._past_start - len(self._past[0])
            > self._samples(LONGEST_S + REPORTED_S) + self._beside
        ):
            self._past_start += len(self._past.popleft())
        self._cut(self._past_end - self._beside)
        self._tell_withheld()

    def lost(self, gap: Gap) -> None:
        """No clip spans a gap."""
        del gap
        self._break()

    def handle(self, detection: Detection) -> None:
        """Keep the sound of a detection, as soon as what comes after it has been heard."""
        settings = self._writer.settings
        end = detection.offset_sample + self._samples(settings.after_s)
        start = max(detection.onset_sample - self._samples(settings.before_s), end - self._samples(LONGEST_S))
        nth = self._writer.seen(detection.taxon.scientific_name or detection.label)
        self._waiting.append((detection, nth, start, end))

    def ended(self, end_sample: int) -> None:
        """Cut what is left, and wait a moment for what becomes of it."""
        del end_sample
        self._break()
        patience_s = FLUSH_RECORDING_S if self._origin.clock.boot is None else FLUSH_S
        if not self._writer.flush(patience_s):
            logger.warning("clips: not all were decided upon within %g s after the end of a stream", patience_s)
        self._tell_withheld()

    def _break(self) -> None:
        """What comes next does not follow what was."""
        self._cut(self._past_end + self._samples(LONGEST_S))
        self._past.clear()
        self._past_start = self._past_end

    def _cut(self, reached: int) -> None:
        """Offer the clips that end before a sample, as far as there is audio for them."""
        complete = [waiting for waiting in self._waiting if waiting[-1] <= reached]
        self._waiting = [waiting for waiting in self._waiting if waiting[-1] > reached]
        for detection, nth, wanted_start, wanted_end in complete:
            start, end = max(wanted_start, self._past_start), min(wanted_end, self._past_end)
            if start < end:
                self._writer.offer(self._clip(detection, nth, start, end))

    def _clip(self, detection: Detection, nth: int, start: int, end: int) -> Clip:
        first = max(self._past_start, start - self._beside) - self._past_start
        last = min(self._past_end, end + self._beside) - self._past_start
        kept = start - self._past_start - first
        return Clip(
            about=self._about(detection, start, end),
            audio=np.concatenate(self._past)[first:last],
            kept=slice(kept, kept + end - start),
            sample_rate=self._rate,
            nth=nth,
            withhold=lambda: self._withheld.put((start, end)),
        )

    def _about(self, detection: Detection, start: int, end: int) -> About:
        origin = self._origin
        instant = origin.clock.at(start)
        onset, offset = (min(max(0, sample - start), end - start) for sample in _span(detection))
        return About(
            detection=detection.id,
            label=detection.label,
            taxon=detection.taxon,
            confidence=detection.confidence,
            onset_s=onset / self._rate,
            offset_s=offset / self._rate,
            start=instant.utc,
            start_s=origin.clock.seconds(start),
            clock_quality=instant.quality,
            recording=origin.recording,
            model=origin.model,
            station=origin.station,
            position=self._position,
        )

    def _tell_withheld(self) -> None:
        while not self._withheld.empty():
            self._tell(*self._withheld.get())

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)


def _span(detection: Detection) -> tuple[int, int]:
    return detection.onset_sample, detection.offset_sample

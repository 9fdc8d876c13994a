"""What onlookers on this device are shown while it happens: the sound as a picture, scores, and what is being heard.

    windows -> columns of a picture ─┬─ held back until the voice detector has heard what follows ── broadcast
            -> voice detector ───────┘
    scores, detections that are not complete, health ──────────────────────────────────────────────── broadcast

Speech can be made audible again from a picture of such detail, so it is withheld like sound: with its margin, and
whether or not the station keeps clips. Nothing of this is computed while nobody is connected.
"""

import base64
import logging
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from monitor.clock import rfc3339
from monitor.config.privacy import Privacy
from monitor.config.web import Web
from monitor.contract import Label
from monitor.features import Floats
from monitor.messages import HealthMessage
from monitor.privacy import SMOOTHED_FRAMES, Silero, VoiceDetector, voices
from monitor.records import Block, Detection, Gap, Samples, Window
from monitor.service.broadcast import Broadcast, Line
from monitor.service.picture import BANDS, FLOOR_DB, STEP_DB, Canvas, Columns, ticks
from monitor.sinks.origin import Origin

logger = logging.getLogger(__name__)

QUEUED = 8
"""windows that wait to be drawn; one more is left out"""
LEAST_SCORE, MOST_SCORES = 0.02, 8


class Onlookers:
    """Whom the daemon tells, where there can be a socket for them; without one it goes on."""

    def __init__(self, web: Web, privacy: Privacy, folder: Path, station: str) -> None:
        self.privacy = privacy
        self._health: HealthMessage | None = None
        self._broadcast: Broadcast | None = None
        if not web.live:
            return
        path = web.path(folder)
        try:
            self._broadcast = Broadcast(path)
        except OSError as error:
            logger.warning("no live picture for `dawnchorus web`: %s: %s", path, error.strerror or error)
            return
        self._broadcast.greet(lambda: {"kind": "hello", "station": station})
        self._broadcast.greet(self._health_line)

    @property
    def there(self) -> bool:
        """Whether anybody looks."""
        return self._broadcast is not None and self._broadcast.heard

    def tell(self, line: Line) -> None:
        """Tell all who look, from any thread; never waits."""
        if self._broadcast is not None:
            self._broadcast.tell(line)

    def health(self, message: HealthMessage) -> None:
        """How the station fares, also for those who come later."""
        self._health = message
        if self.there:
            self.tell({"kind": "health", "health": message})

    def close(self) -> None:
        """Tell no more."""
        if self._broadcast is not None:
            self._broadcast.close()

    def _health_line(self) -> Line | None:
        return None if self._health is None else {"kind": "health", "health": self._health}


class LiveSound:
    """One model's view of one stream, for onlookers."""

    def __init__(self, onlookers: Onlookers, origin: Origin, labels: Sequence[Label], *, drawn: bool) -> None:
        """`drawn`: of several models that hear the same sound only one draws it."""
        self._onlookers, self._origin, self._labels, self._drawn = onlookers, origin, labels, drawn
        self._painter: Painter | None = None
        self._told: list[str] = []

    def heard(self, window: Window, scores: Floats) -> None:
        """Show a window and its scores, if anybody looks."""
        if not self._onlookers.there:
            self._rest()
            return
        if self._drawn:
            if self._painter is None:
                self._painter = Painter(self._onlookers, self._origin, Silero())
            self._painter.offer(window, self._origin.clock.at(window.start_sample).utc)
        self._onlookers.tell(self._scores(window, scores))

    def lasting(self, detections: Sequence[Detection]) -> None:
        """Show what is being heard, whenever that is something or has just been."""
        ids = [detection.id for detection in detections]
        if self._onlookers.there and (ids or self._told):
            self._onlookers.tell(self._about() | {"kind": "lasting", "detections": [*map(self._one, detections)]})
        self._told = ids

    def lost(self, gap: Gap) -> None:
        """What comes next does not follow, which its samples say."""

    def handle(self, detection: Detection) -> None:
        """The store tells of it."""

    def ended(self, end_sample: int) -> None:
        """Draw no more."""
        del end_sample
        self._rest()

    def _rest(self) -> None:
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    def _about(self) -> dict[str, object]:
        return {"source": self._origin.recording, "model": self._origin.model}

    def _scores(self, window: Window, scores: Floats) -> Line:
        clock = self._origin.clock
        found = [index for index in np.argsort(-scores)[:MOST_SCORES].tolist() if scores[index] >= LEAST_SCORE]
        return self._about() | {
            "kind": "scores",
            "start_s": round(clock.seconds(window.start_sample), 3),
            "end_s": round(clock.seconds(window.end_sample), 3),
            "scores": [
                [self._labels[index].label, self._labels[index].taxon.common_name, round(float(scores[index]), 4)]
                for index in found
            ],
        }

    def _one(self, detection: Detection) -> Line:
        clock = self._origin.clock
        return {
            "id": detection.id,
            "label": detection.label,
            "scientific_name": detection.taxon.scientific_name,
            "common_name": detection.taxon.common_name,
            "onset_utc": rfc3339(clock.at(detection.onset_sample).utc),
            "onset_s": round(clock.seconds(detection.onset_sample), 3),
            "confidence": round(detection.confidence, 4),
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Offered:
    """New sound and its time."""

    block: Block
    utc: datetime | None
    """of its first sample"""


class Painter:
    """Draws a stream from a thread of its own, and lets go of each column once nobody can be heard speaking in it."""

    def __init__(self, onlookers: Onlookers, origin: Origin, detector: VoiceDetector) -> None:
        self._onlookers, self._origin, self._detector = onlookers, origin, detector
        self._rate = origin.clock.sample_rate
        self._margin = round(onlookers.privacy.margin_s * self._rate)
        self._smoothed = -(-SMOOTHED_FRAMES * detector.frame_samples * self._rate // detector.sample_rate)
        self._canvas, self._reached = Canvas(self._rate), 0
        self._anchor: tuple[int, datetime | None] = (0, None)
        self._held: deque[Columns] = deque()
        self._spoken: deque[tuple[int, int]] = deque()
        """start and end sample of what is withheld, oldest first"""
        self._offered: queue.Queue[_Offered | None] = queue.Queue(QUEUED)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def offer(self, window: Window, utc: datetime | None) -> None:
        """Take what is new in a window that begins at `utc`; never waits."""
        start = max(window.start_sample, min(self._reached, window.end_sample))
        first, last = start - window.start_sample, window.end_sample - window.start_sample
        if first >= last:
            return
        since = None if utc is None else utc + timedelta(seconds=first / self._rate)
        with suppress(queue.Full):  # then the next window brings a part of it, and the picture has a hole
            self._offered.put_nowait(_Offered(Block(start, window.samples[first:last]), since))
            self._reached = window.end_sample

    def close(self) -> None:
        """Draw no more."""
        self._ended.set()
        with suppress(queue.Full):  # it looks for the end whenever it takes one
            self._offered.put_nowait(None)

    def _run(self) -> None:
        theirs = self._detector.sample_rate
        for voice in voices(self._blocks(), self._rate, self._detector):
            start, end = (at * self._rate // theirs for at in (voice.start_sample, voice.end_sample))
            if voice.probability >= self._onlookers.privacy.threshold:
                self._spoken.append((start - self._margin, end + self._margin))
            # a voice that is found later began no earlier than this
            self._let_go(end - self._smoothed - self._margin)

    def _blocks(self) -> Iterator[Block]:
        while (offered := self._offered.get()) is not None and not self._ended.is_set():
            self._draw(offered)
            yield offered.block

    def _draw(self, offered: _Offered) -> None:
        self._anchor = offered.block.start_sample, offered.utc
        columns = self._canvas.add(offered.block.start_sample, offered.block.samples)
        if len(columns.levels):
            self._held.append(columns)

    def _let_go(self, until: int) -> None:
        """Show the columns that end before a sample, as far as nobody speaks in them."""
        spec = self._canvas.spec
        while self._held:
            first, levels = self._held[0].first, self._held[0].levels
            count = min(len(levels), max(0, (until - spec.n_fft) // spec.hop + 1 - first))
            if count < min(len(levels), spec.sample_rate // spec.hop // 2):
                return  # half a second at once is enough
            self._show(Columns(first, levels[:count]))
            self._held.popleft()
            if count < len(levels):
                self._held.appendleft(Columns(first + count, levels[count:]))

    def _show(self, columns: Columns) -> None:
        spec = self._canvas.spec
        starts = (columns.first + np.arange(len(columns.levels))) * spec.hop
        while self._spoken and self._spoken[0][1] <= starts[0] - self._smoothed:
            self._spoken.popleft()
        withheld = np.zeros(len(starts), bool)
        for start, end in self._spoken:
            withheld |= (starts < end) & (starts + spec.n_fft > start)
        shown: Samples = np.where(withheld[:, None], 0, columns.levels).astype(np.uint8)
        self._onlookers.tell(
            {
                "kind": "picture",
                "source": self._origin.recording,
                "start_s": round(float(starts[0]) / spec.sample_rate, 3),
                "start_utc": self._utc(int(starts[0])),
                "column_s": spec.hop / spec.sample_rate,
                "bands": BANDS,
                "floor_db": FLOOR_DB,
                "step_db": STEP_DB,
                "ticks": list(ticks(spec)),
                "withheld": withheld.astype(int).tolist() if withheld.any() else [],
                "levels": base64.b64encode(shown.tobytes()).decode(),
            }
        )

    def _utc(self, sample: int) -> str | None:
        at, utc = self._anchor
        return None if utc is None else rfc3339(utc + timedelta(seconds=(sample - at) / self._rate))

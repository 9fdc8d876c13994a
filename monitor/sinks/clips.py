"""The audio around detections as files, where the station keeps any: one FLAC each, unless somebody speaks in it.

    windows -> the last seconds of audio, in memory -> a clip -> voice gate -> FLAC, in memory -> file

Clips have the model's sample rate and 16 bits. Nothing of one touches the disk before the gate has heard all of it,
and what lies beside it. That happens in a thread of its own; where it cannot keep up, or the disk does not take it,
clips are dropped and counted, and nothing waits for them.
"""

import io
import logging
import os
import queue
import re
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from monitor.clock import Clock
from monitor.config.clips import Clips
from monitor.errors import StoreError
from monitor.features import Floats
from monitor.privacy import VoiceGate
from monitor.records import Detection, Gap, Window

logger = logging.getLogger(__name__)

LONGEST_S = 30.0
"""of a clip; of a longer detection the end is kept"""
REPORTED_S = 15.0
"""how long after its end a detection is reported at the latest"""
QUEUED = 8
"""clips that wait to be judged and written; one more is dropped"""
FLUSH_S = 2.0
"""what the end of a stream waits for clips that are not decided upon"""
FILE_MODE, FOLDER_MODE = 0o640, 0o750

Levels16 = npt.NDArray[np.int16]
Withheld = Callable[[int, int], None]
"""is told the start and end sample, at the model's rate, of sound that is kept from everybody"""


class Fate(StrEnum):
    """What became of a clip."""

    WRITTEN = "written"
    WITHHELD = "withheld"
    """somebody speaks in it"""
    SURPLUS = "surplus"
    """there are enough of this species and day"""
    DROPPED = "dropped"
    """there was no time or no disk for it"""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Audio that may become a file."""

    day: str
    """UTC, or `undated`"""
    species: str
    file: str
    audio: Levels16
    """shape (n,), with what lies beside the clip"""
    kept: slice
    """the clip in `audio`"""
    sample_rate: int
    withhold: Callable[[], None]
    """to be called from any thread, once the clip is withheld"""


class ClipWriter:
    """Judges and writes clips, for all streams, in one thread.

    Raises StoreError, naming the folder, where it cannot be written when it is made.
    """

    def __init__(self, settings: Clips, gate: VoiceGate) -> None:
        self.settings, self.gate = settings, gate
        self.fates: Counter[Fate] = Counter()
        self._failing, self._counting = "", threading.Lock()
        _check(Path(settings.directory))
        self._clips: queue.Queue[Clip] = queue.Queue(QUEUED)
        threading.Thread(target=self._run, name="clips", daemon=True).start()

    def offer(self, clip: Clip) -> None:
        """Take a clip, or drop it; never waits."""
        try:
            self._clips.put_nowait(clip)
        except queue.Full:
            self._drop("judging and writing them cannot keep up")

    def revise(self, settings: Clips) -> None:
        """Keep other clips from now on. StoreError where their folder cannot be written."""
        _check(Path(settings.directory))
        self.settings = settings

    def flush(self, patience_s: float) -> bool:
        """Wait until all clips are decided upon; False where that takes longer than `patience_s`."""
        with self._clips.all_tasks_done:
            return self._clips.all_tasks_done.wait_for(lambda: not self._clips.unfinished_tasks, patience_s)

    def _run(self) -> None:
        with suppress(OSError):  # what cannot be removed does no harm
            for left_by_a_power_cut in Path(self.settings.directory).glob("*/.*.part"):
                left_by_a_power_cut.unlink()
        while True:
            clip = self._clips.get()
            try:
                self._decide(clip)
            except OSError as error:
                self._drop(f"{self.settings.directory} cannot be written: {error.strerror or error}")
            finally:
                self._clips.task_done()

    def _decide(self, clip: Clip) -> None:
        folder = Path(self.settings.directory) / clip.day
        if sum(1 for _ in folder.glob(f"*_{clip.species}_*.flac")) >= self.settings.at_most_per_species_and_day:
            self._count(Fate.SURPLUS)
        elif self.gate.holds_speech(clip.audio.astype(np.float32) / np.float32(32_768), clip.sample_rate):
            self._count(Fate.WITHHELD)
            clip.withhold()
        else:
            _write(folder, clip)
            self._count(Fate.WRITTEN)
            self._failing = ""

    def _drop(self, reason: str) -> None:
        self._count(Fate.DROPPED)
        if reason != self._failing:
            logger.warning("clips are dropped, %d so far: %s", self.fates[Fate.DROPPED], reason)
            self._failing = reason

    def _count(self, fate: Fate) -> None:
        with self._counting:
            self.fates[fate] += 1


class ClipSink:
    """Cuts one stream's clips; tells `withheld` of those in which somebody speaks, from the thread that feeds it."""

    def __init__(self, writer: ClipWriter, clock: Clock, withheld: Withheld) -> None:
        """`clock` counts at the model's rate."""
        self._writer, self._clock, self._tell = writer, clock, withheld
        self._beside = round(writer.gate.margin_s * clock.sample_rate)
        self._rate = clock.sample_rate
        self._past: deque[Levels16] = deque()
        self._past_start = self._past_end = 0
        self._waiting: list[tuple[Detection, int, int]] = []
        """detections with the start and end of their clips, whose end has not been heard"""
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
        self._waiting.append((detection, start, end))

    def ended(self, end_sample: int) -> None:
        """Cut what is left, and wait a moment for what becomes of it."""
        del end_sample
        self._break()
        if not self._writer.flush(FLUSH_S):
            logger.warning("clips: not all were decided upon within %g s after the end of a stream", FLUSH_S)
        self._tell_withheld()

    def _break(self) -> None:
        """What comes next does not follow what was."""
        self._cut(self._past_end + self._samples(LONGEST_S))
        self._past.clear()
        self._past_start = self._past_end

    def _cut(self, reached: int) -> None:
        """Offer the clips that end before a sample, as far as there is audio for them."""
        complete = [waiting for waiting in self._waiting if waiting[2] <= reached]
        self._waiting = [waiting for waiting in self._waiting if waiting[2] > reached]
        for detection, wanted_start, wanted_end in complete:
            start, end = max(wanted_start, self._past_start), min(wanted_end, self._past_end)
            if start < end:
                self._writer.offer(self._clip(detection, start, end))

    def _clip(self, detection: Detection, start: int, end: int) -> Clip:
        first = max(self._past_start, start - self._beside) - self._past_start
        last = min(self._past_end, end + self._beside) - self._past_start
        utc = self._clock.at(start).utc
        time = f"{utc:%Y%m%dT%H%M%SZ}" if utc else f"{self._clock.seconds(start):.1f}s"
        species = re.sub(r"[^a-z0-9]+", "-", detection.taxon.scientific_name.lower())
        kept = start - self._past_start - first
        return Clip(
            day=f"{utc:%Y-%m-%d}" if utc else "undated",
            species=species,
            file=f"{time}_{species}_{detection.confidence:.2f}_{detection.id[:8]}.flac",
            audio=np.concatenate(self._past)[first:last],
            kept=slice(kept, kept + end - start),
            sample_rate=self._rate,
            withhold=lambda: self._withheld.put((start, end)),
        )

    def _tell_withheld(self) -> None:
        while not self._withheld.empty():
            self._tell(*self._withheld.get())

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)


def _check(directory: Path) -> None:
    """Whether files can be made there."""
    try:
        directory.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        msg = f"clips in {directory} cannot be written: {error.strerror}; choose another folder with clips.directory"
        raise StoreError(msg) from error


def _write(folder: Path, clip: Clip) -> None:
    """All of it under its name, or nothing."""
    encoded = io.BytesIO()
    soundfile.write(encoded, clip.audio[clip.kept], clip.sample_rate, format="FLAC", subtype="PCM_16")
    folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    part = folder / f".{clip.file}.part"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:  # noqa: PTH123
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(encoded.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / clip.file)
    except OSError:
        part.unlink(missing_ok=True)
        raise

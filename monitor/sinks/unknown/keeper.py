"""Judges candidates and writes the few that are worth it, for all streams, in one thread."""

import io
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import soundfile

from monitor.errors import StoreError
from monitor.features import Floats
from monitor.privacy import VoiceGate
from monitor.records import Samples
from monitor.sinks.unknown.reservoir import Reservoir
from monitor.sinks.unknown.shelf import Network, Shelf, Unknown

logger = logging.getLogger(__name__)

QUEUED = 8
"""candidates that wait to be judged; one more is dropped"""
WRITE_S = 600.0
"""between two writings at least: a memory card wears with each, and a power cut costs no more than this"""
MOST_AT_ONCE = 12
"""that one writing brings; of more, those go that are nearest to others. Some 70 an hour, or 4 MB, in the worst hour"""
CLOSE_S = 10.0
"""what the end waits for candidates that are not judged"""

Describe = Callable[[Samples], Floats]
"""the vector (n,) of a window"""


class Fate(StrEnum):
    """What became of a candidate."""

    WRITTEN = "written"
    LIKE_OTHERS = "like others"
    """another that is much like it stands for it"""
    WITHHELD = "withheld"
    """somebody speaks in it"""
    DROPPED = "dropped"
    """there was no time for it"""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A window that may be kept."""

    station: str
    source: str
    start_utc: str | None
    start_s: float
    standing_db: float
    best_label: str
    best_score: float
    samples: Samples
    """(n,) float32 in [-1, 1]"""
    around: Samples
    """the same with what lies beside it, in which nobody may speak either"""
    withhold: Callable[[], None]
    """to be called from any thread, once it is withheld"""


class Keeper:
    """Keeps sounds without a name. Raises StoreError, naming the file, where it cannot be written when it is made."""

    def __init__(
        self,
        shelf: Shelf,
        network: Network,
        describe: Describe,
        gate: VoiceGate,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`describe` is the network's and `shelf` holds its vectors."""
        self._shelf, self._rate, self._describe, self._gate = shelf, network.sample_rate, describe, gate
        self._monotonic, self._written_at = monotonic, monotonic()
        self.fates: Counter[Fate] = Counter()
        self._failing = ""
        self._waiting: list[Unknown] = []
        self._candidates: queue.Queue[Candidate | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._run, name="unknown", daemon=True)
        self._thread.start()

    @property
    def margin_s(self) -> float:
        """What has to be heard beside a window before it can be judged."""
        return self._gate.margin_s

    def offer(self, candidate: Candidate) -> None:
        """Take a candidate, or drop it; never waits."""
        try:
            self._candidates.put_nowait(candidate)
        except queue.Full:
            self.fates[Fate.DROPPED] += 1

    def flush(self, patience_s: float) -> bool:
        """Wait until all candidates are judged; False where that takes longer than `patience_s`."""
        with self._candidates.all_tasks_done:
            return self._candidates.all_tasks_done.wait_for(lambda: not self._candidates.unfinished_tasks, patience_s)

    def close(self) -> None:
        """Write what is worth it, and end."""
        try:
            self._candidates.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
        except queue.Full:
            pass
        if self._thread.is_alive():
            logger.warning("sounds without a name: not all were judged within %g s after the end", CLOSE_S)

    def _run(self) -> None:
        try:
            self._shelf.load()
        except StoreError as error:  # the first writing tries it again
            logger.warning("%s", error)
        while True:
            candidate = self._next()
            if candidate is None:
                break
            self._judge(candidate)
            if self._monotonic() - self._written_at >= WRITE_S:
                self._write()
            self._candidates.task_done()
        self._write()
        self._shelf.close()

    def _next(self) -> Candidate | None:
        """The next one to be judged; what waits for long meanwhile is written."""
        while True:
            try:
                return self._candidates.get(timeout=WRITE_S if self._waiting else None)
            except queue.Empty:
                self._write()

    def _judge(self, candidate: Candidate) -> None:
        if self._gate.holds_speech(candidate.around, self._rate):
            self.fates[Fate.WITHHELD] += 1
            candidate.withhold()
            return
        sound = Unknown(
            station=candidate.station,
            source=candidate.source,
            start_utc=candidate.start_utc,
            start_s=candidate.start_s,
            standing_db=candidate.standing_db,
            best_label=candidate.best_label,
            best_score=candidate.best_score,
            vector=self._describe(candidate.samples),
            flac=_flac(candidate.samples, self._rate),
        )
        self._waiting = _spread([*self._waiting, sound])

    def _write(self) -> None:
        """Write what waits. Where the disk refuses it goes on waiting, a dozen at most."""
        self._written_at = self._monotonic()
        if not self._waiting:
            return
        try:
            kept = self._shelf.add(self._waiting)
        except StoreError as error:
            if str(error) != self._failing:
                logger.warning("%s", error)
            self._failing = str(error)
            return
        self._failing = ""
        self.fates[Fate.WRITTEN] += kept
        self.fates[Fate.LIKE_OTHERS] += sum(sound.stands_for for sound in self._waiting) - kept
        self._waiting = []


def _spread(sounds: list[Unknown]) -> list[Unknown]:
    """As many as may be written at once; where there is one too many, one that is much like it stands for it."""
    reservoir = Reservoir(MOST_AT_ONCE)
    gone = [one for key, sound in enumerate(sounds) for one in reservoir.add(key, sound.vector, 1)]
    counts = [sound.stands_for for sound in sounds]
    for one in gone:
        counts[one.heir] += counts[one.key]
    left = set(range(len(sounds))) - {one.key for one in gone}
    return [replace(sounds[key], stands_for=counts[key]) for key in sorted(left)]


def _flac(samples: Samples, sample_rate: int) -> bytes:
    """16 bits, (n,) float32 in [-1, 1]."""
    encoded = io.BytesIO()
    levels = np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)
    soundfile.write(encoded, levels, sample_rate, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()

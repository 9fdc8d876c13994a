"""The thread that judges clips and writes them.

A clip is decided upon in this order: is it wanted, does somebody speak in it, is there room. Before it is written its
bytes are known, and what the folder or the disk would then have too much goes first: nothing can outrun that.
"""

import logging
import os
import queue
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np

from monitor.clock import Quality
from monitor.config.clips import Clips
from monitor.contract import Label
from monitor.contract.names import Names
from monitor.errors import StoreError
from monitor.privacy import VoiceGate
from monitor.recorded import Position
from monitor.sinks.clips import encoding, naming
from monitor.sinks.clips.clip import Clip
from monitor.sinks.clips.ledger import Entry, Ledger
from monitor.sinks.clips.retention import Holding
from monitor.sinks.clips.room import Room
from monitor.sinks.clips.rules import Precedents, wanted

logger = logging.getLogger(__name__)

QUEUED = 8
"""clips that wait to be judged and written; one more is dropped"""
FILE_MODE, FOLDER_MODE = 0o640, 0o750
UNDATED = "undated"
DAYS_KNOWN = 4
"""of which it is remembered how many clips there are"""


class Fate(StrEnum):
    """What became of a clip."""

    WRITTEN = "written"
    WITHHELD = "withheld"
    """somebody speaks in it"""
    SURPLUS = "surplus"
    """no rule wants it, there are enough of this species and day, or better ones need its room"""
    DROPPED = "dropped"
    """there was no time or no disk for it"""


class ClipWriter:
    """Judges and writes clips, for all streams, in one thread.

    Raises StoreError, naming the folder, where it cannot be written when it is made; ConfigError where a rule names a
    species that is none of `labels`.
    """

    def __init__(
        self,
        settings: Clips,
        gate: VoiceGate,
        ledger: Ledger,
        labels: Sequence[Label],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.gate, self._labels = gate, labels
        self._check(settings)
        self.settings = settings
        self.fates: Counter[Fate] = Counter()
        self._failing, self._counting = "", threading.Lock()
        self._seen: Counter[str] = Counter()
        self._ledger, self._now = ledger, now
        self._days: dict[str, Counter[str]] = {}
        self.room = self._opened(settings)
        self._clips: queue.Queue[Clip | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def seen(self, species: str) -> int:
        """Count a detection; how many of its species there were since the program began."""
        with self._counting:
            self._seen[species] += 1
            return self._seen[species]

    def offer(self, clip: Clip) -> None:
        """Take a clip, or drop it; never waits."""
        try:
            self._clips.put_nowait(clip)
        except queue.Full:
            self._drop("judging and writing them cannot keep up")

    def revise(self, settings: Clips) -> None:
        """Keep other clips from now on. StoreError or ConfigError as when it was made."""
        self._check(settings)
        self.settings = settings

    def flush(self, patience_s: float) -> bool:
        """Wait until all clips are decided upon; False where that takes longer than `patience_s`."""
        with self._clips.all_tasks_done:
            return self._clips.all_tasks_done.wait_for(lambda: not self._clips.unfinished_tasks, patience_s)

    def close(self, patience_s: float) -> None:
        """Decide upon no more clips than those that wait, as far as there is time."""
        with suppress(queue.Full):
            self._clips.put(None, timeout=patience_s)
        self._thread.join(patience_s)
        if not self._thread.is_alive():
            self._ledger.close()

    def _check(self, settings: Clips) -> None:
        if named := {name for rule in settings.rules for name in rule.species}:
            Names(self._labels).check(named, "clips.rules")
        _check_folder(Path(settings.directory))

    def _opened(self, settings: Clips) -> Room:
        return Room(self._ledger, Path(settings.directory).absolute(), self._now)

    def _run(self) -> None:
        self._tidy()
        while (clip := self._clips.get()) is not None:
            try:
                self._decide(clip, self.settings)
            except OSError as error:
                self._drop(f"{self.settings.directory} cannot be written: {error.strerror or error}")
            except StoreError as error:
                self._drop(str(error))
            finally:
                self._clips.task_done()
        self._clips.task_done()

    def _tidy(self) -> None:
        """Find out what has become of the folder since the last time."""
        with suppress(OSError):  # what cannot be removed does no harm
            for left_by_a_power_cut in self.room.folder.glob("*/.*.part"):
                left_by_a_power_cut.unlink()
        try:
            found = self.room.reconcile()
        except (OSError, StoreError) as error:
            logger.warning("clips in %s cannot be compared with the store: %s", self.room.folder, error)
            return
        if found.vanished or found.returned:
            logger.info("clips: %d were taken away by others, %d are there again", found.vanished, found.returned)

    def _decide(self, clip: Clip, settings: Clips) -> None:
        about = clip.about
        day = f"{about.start:%Y-%m-%d}" if about.start else UNDATED
        if not wanted(settings, about, self._precedents(clip, day)):
            self._count(Fate.SURPLUS)
        elif self.gate.holds_speech(clip.audio.astype(np.float32) / np.float32(encoding.FULL_SCALE), clip.sample_rate):
            self._count(Fate.WITHHELD)
            clip.withhold()
        elif self._keep(clip, settings, day):
            self._days[day][about.species] += 1
            self._count(Fate.WRITTEN)
            self._failing = ""
        else:
            self._count(Fate.SURPLUS)

    def _precedents(self, clip: Clip, day: str) -> Precedents:
        species = clip.about.species
        if day not in self._days:
            self._days[day] = Counter(self._ledger.of_day(day))
            for oldest in list(self._days)[:-DAYS_KNOWN]:
                del self._days[oldest]
        of_day, rules = self._days[day][species], self.settings.rules
        return Precedents(
            clips_of_day=of_day,
            clips=of_day or (self._ledger.clips(species) if any(rule.new for rule in rules) else 0),
            detections=clip.nth + (self._ledger.detections(species) if any(rule.rare for rule in rules) else 0),
        )

    def _keep(self, clip: Clip, settings: Clips, day: str) -> bool:
        """Write a clip, if it is worth its room."""
        folder = Path(settings.directory).absolute()
        if folder != self.room.folder:
            self.room = self._opened(settings)
        clip = self._placed(clip)
        about = clip.about
        contents = {naming.SUFFIX: encoding.encoded(clip)}
        if settings.pictures:
            contents[naming.PICTURE_SUFFIX] = encoding.pictured(clip)
        size = sum(map(len, contents.values()))
        named = naming.name(about.start, about.start_s, about.species, about.confidence, about.detection)
        file = f"{day}/{named}"
        time = about.start if about.clock_quality not in {Quality.UNSYNCED, Quality.UNKNOWN} else None
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        newcomer = Holding(0, file, about.species, about.confidence, time, size)
        if not self._has_room(settings, newcomer):
            return False
        number = self._ledger.add(str(folder), Entry(file, about, clip.length_s, size))
        try:
            _write_all(folder / file, contents)
        except OSError:
            if not (folder / file).exists():
                self._ledger.withdraw(number)
            raise
        self.room.add(Holding(number, file, about.species, about.confidence, time, size))
        return True

    def _placed(self, clip: Clip) -> Clip:
        """With the place of the satellite receiver, where the configuration names none."""
        if clip.about.position is not None or (found := self._ledger.receiver()) is None:
            return clip
        return replace(clip, about=replace(clip.about, position=Position(*found)))

    def _has_room(self, settings: Clips, newcomer: Holding) -> bool:
        before = self.room.deleted.copy()
        until = None if newcomer.time is None else min(newcomer.time, self._now())
        stays = self.room.make(settings.keep, newcomer, until)
        if gone := self.room.deleted - before:
            said = ", ".join(f"{count} for {why}" for why, count in gone.items())
            logger.info("clips were deleted to make room: %s", said)
        return stays

    def _drop(self, reason: str) -> None:
        self._count(Fate.DROPPED)
        if reason != self._failing:
            logger.warning("clips are dropped, %d so far: %s", self.fates[Fate.DROPPED], reason)
            self._failing = reason

    def _count(self, fate: Fate) -> None:
        with self._counting:
            self.fates[fate] += 1


def _check_folder(directory: Path) -> None:
    """Whether files can be made there."""
    try:
        directory.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        msg = f"clips in {directory} cannot be written: {error.strerror}; choose another folder with clips.directory"
        raise StoreError(msg) from error


def _write_all(path: Path, contents: dict[str, bytes]) -> None:
    """A file for each suffix, that of the clip last; where one cannot be written, none."""
    try:
        for suffix, content in reversed(contents.items()):
            _write(path.with_suffix(suffix), content)
    except OSError:
        with suppress(OSError):  # where it can be read only, nothing was written
            for suffix in contents:
                path.with_suffix(suffix).unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    """All of it under its name, or nothing."""
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(FOLDER_MODE, exist_ok=True)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:  # noqa: PTH123
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise

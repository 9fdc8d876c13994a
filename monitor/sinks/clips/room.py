"""Makes room in the folder of clips before one is written, and finds what was changed there behind our back.

Unknown files are never deleted, and do not count.
"""

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from monitor.config.clips import ClipKeeping
from monitor.sinks.clips.ledger import Going, Ledger
from monitor.sinks.clips.naming import PICTURE_SUFFIX, SUFFIX
from monitor.sinks.clips.retention import Holding, Limits, Why, doomed

MEGABYTE = 1_000_000
SLACK = 20
"""a twentieth of what is kept goes beyond what must, so that room is not made for each clip anew"""
MOST_SLACK_BYTES = 5 * MEGABYTE


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a look into the folder found."""

    vanished: int
    """clips that somebody else took away"""
    returned: int
    """that are there again"""
    unknown: int
    """files that nobody knows"""


class Room:
    """The clips of one folder, as far as there may be any, for one thread."""

    def __init__(self, ledger: Ledger, folder: Path, now: Callable[[], datetime]) -> None:
        """`now` dates what is deleted."""
        self._ledger, self.folder, self._now = ledger, folder, now
        self.deleted: Counter[Why] = Counter()
        self._held: dict[int, Holding] | None = None

    def make(self, keep: ClipKeeping, newcomer: Holding | None, until: datetime | None) -> bool:
        """Delete what is too much, with a newcomer if there is one; whether that one may stay, being worth its room.

        It counts as too much itself where what is kept is worth more. `until` is the newest time that somebody vouches
        for: age counts from there, and without it nothing is old. OSError where a newcomer has no room even if nothing
        else is left, and where the disk refuses; StoreError where the store does.
        """
        if not doomed(self._wanting(newcomer), self._limits(keep, newcomer, until, 0)):
            return True
        self._held = None  # look again: marks may have been set
        clips = self._wanting(newcomer)
        slack = min(MOST_SLACK_BYTES, sum(clip.size for clip in clips) // SLACK)
        going = doomed(clips, self._limits(keep, newcomer, until, slack))
        stays = all(clip is not newcomer for clip, _why in going)
        if not stays:  # for whose sake none must go
            going = doomed(self._wanting(None), self._limits(keep, None, until, 0))
        self._delete(going)
        if newcomer is not None and not stays and not any(not clip.marked for clip in self._known().values()):
            msg = "there is no room for one, even with no other left: see clips.keep"
            raise OSError(errno.ENOSPC, msg)
        return stays

    def add(self, clip: Holding) -> None:
        """Count a clip that has been written."""
        self._known()[clip.number] = clip

    def reconcile(self) -> Reconciled:
        """Compare the rows with the files. OSError where the folder cannot be looked into, and nothing is changed."""
        found = set(_files(self.folder))
        folder = str(self.folder)
        held = {clip.file: clip.number for clip in self._ledger.held(folder)}
        lost = {file: number for file, number in held.items() if file not in found}
        vanished = self._ledger.vanished(folder)
        back = {file: vanished[file] for file in found & vanished.keys() if file not in held}
        self._ledger.lose(lost.values(), self._now())
        self._ledger.regain(back.values())
        self._held = None
        known = {*held, *back}
        pictures = {_picture(file) for file in known}
        return Reconciled(len(lost), len(back), len(found - known - pictures))

    def _limits(self, keep: ClipKeeping, newcomer: Holding | None, until: datetime | None, slack: int) -> Limits:
        """What is too much, and where anything is, `slack` bytes more."""
        size = newcomer.size if newcomer else 0
        kept = sum(clip.size for clip in self._known().values()) + size
        too_large = 0 if keep.megabytes is None else max(0, kept - round(keep.megabytes * MEGABYTE))
        short = max(0, self._reserve(keep) + size - shutil.disk_usage(self.folder).free)
        return Limits(
            before=None if keep.days is None or until is None else until - timedelta(days=keep.days),
            per_species=keep.per_species,
            too_large=too_large and too_large + slack,
            short=short and short + slack,
        )

    def _reserve(self, keep: ClipKeeping) -> int:
        """Bytes of the disk that must stay free."""
        total = shutil.disk_usage(self.folder).total
        return round(max(keep.free_megabytes * MEGABYTE, keep.free_percent / 100 * total))

    def _wanting(self, newcomer: Holding | None) -> list[Holding]:
        return [*self._known().values(), *([newcomer] if newcomer else [])]

    def _known(self) -> dict[int, Holding]:
        if self._held is None:
            self._held = {clip.number: clip for clip in self._ledger.held(str(self.folder))}
        return self._held

    def _delete(self, going: Sequence[Going]) -> None:
        try:
            done = self._ledger.delete(going, self._now(), self._remove)
        finally:
            self._held = None  # whatever became of them
        self.deleted.update(why for _clip, why in done)

    def _remove(self, file: str) -> None:
        """A clip, its picture, and the folder of its day if it was the last."""
        for name in (file, _picture(file)):
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it holds others
            (self.folder / file).parent.rmdir()


def _picture(file: str) -> str:
    return file.removesuffix(SUFFIX) + PICTURE_SUFFIX


def _files(folder: Path) -> Iterator[str]:
    """What lies in the folders of days, but for what is being written."""
    with os.scandir(folder) as days:
        for day in days:
            if day.is_dir(follow_symlinks=False):
                with os.scandir(day.path) as entries:
                    yield from (f"{day.name}/{entry.name}" for entry in entries if not entry.name.startswith("."))

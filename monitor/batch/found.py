"""Which recordings there are, and how one is told from what it was before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from monitor.errors import MonitorError
from monitor.sources.finding import search
from monitor.sources.joining import continuing
from monitor.sources.remote import Named, Remote


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or files that continue each other, to be analysed."""

    paths: tuple[Named, ...]
    """as they were named"""
    size: int
    """bytes"""
    stamp: str
    """another one whenever a file is written to"""

    @staticmethod
    def of(paths: Iterable[Named]) -> "Recording":
        """As it is now. What has just vanished fails when it is opened, and with a reason."""
        sizes, stamps = [], []
        for path in (paths := tuple(paths)):
            if isinstance(path, Remote):
                sizes.append(path.size)
                stamps.append(path.stamp)
                continue
            try:
                status = path.stat()
            except OSError:
                continue
            sizes.append(status.st_size)
            stamps.append(f"{status.st_size}@{status.st_mtime_ns}")
        return Recording(paths, sum(sizes), " ".join(stamps))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file or folder is not, or not wholly, analysed."""

    path: str
    reason: str
    """without the path"""

    @staticmethod
    def of(error: MonitorError, paths: Sequence[Named | str]) -> "Failure":
        """From a sentence that begins with one of the paths."""
        told = str(error)
        path = next((path for path in paths if told.startswith(f"{path}: ")), None)
        if path is None:
            where, _colon, reason = told.partition(": ")
            return Failure(where, reason)
        return Failure(str(path), told.removeprefix(f"{path}: "))

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Search:
    """Where recordings are looked for, and which of them belong together."""

    paths: Sequence[Path | str]
    """a text is a URL"""
    zone: tzinfo | None = None
    """of times in names that do not say"""
    longest_gap_s: float | None = None
    """between files that are one recording; None: each file is one"""

    def find(self) -> tuple[list[Recording], list[Failure]]:
        """All recordings there are now, in a stable order, and where could not be looked."""
        found = search(self.paths)
        files: Iterable[tuple[Named, ...]] = ((path,) for path in found.recordings)
        if self.longest_gap_s is not None:
            files = continuing(found.recordings, self.zone, self.longest_gap_s)
        failures = [Failure.of(error, self.paths) for error in found.troubles]
        return [Recording.of(paths) for paths in files], failures

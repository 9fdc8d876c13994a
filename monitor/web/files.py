"""The sound of a detection, and nothing else that lies on the disk.

No part of a path ever comes from a request: a detection's id is looked up in the store, its day and the beginning of
its id are looked for in the folder of clips, and what is found is opened from there, step by step, without following
a link.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

UNDATED: Final = "undated"
SUFFIXES: Final = {"sound": ".flac", "picture": ".png"}
MOST_BYTES: Final = 16_000_000
"""of a file; a clip of half a minute has a tenth of it"""
_STEM = re.compile(r"(?:\d{8}T\d{6}Z|\d+\.\ds)_[a-z0-9-]+_[01]\.\d\d_([^_/]{8})")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""not blocking, for a pipe of that name must not hold us up"""


class Heard(Protocol):
    """A detection, as far as its sound can be found by it."""

    @property
    def id(self) -> str:
        """Of the detection."""

    @property
    def onset_utc(self) -> str | None:
        """When it began."""


@dataclass(frozen=True, slots=True)
class ClipFolder:
    """A folder of clips, one folder a day in it, as the daemon writes them."""

    directory: Path

    def have(self, detections: Iterable[Heard]) -> set[str]:
        """The ids of those whose sound lies here. A folder that cannot be read has none."""
        days: dict[str, frozenset[str]] = {}
        found = set()
        for one in detections:
            for day in _days(one):
                if day not in days:
                    days[day] = frozenset(self._beginnings(day))
                if one.id[:8] in days[day]:
                    found.add(one.id)
        return found

    def read(self, detection: Heard, kind: str) -> bytes | None:
        """The sound or the picture of a detection; None where there is none, or it is no plain file."""
        for day in _days(detection):
            with suppress(OSError), self._opened(day) as folder:
                for name, beginning in _named(folder, SUFFIXES[kind]):
                    if beginning == detection.id[:8]:
                        return _content(folder, name)
        return None

    def _beginnings(self, day: str) -> Iterator[str]:
        """The beginnings of the ids of which there is a sound."""
        with suppress(OSError), self._opened(day) as folder:
            yield from (beginning for _, beginning in _named(folder, SUFFIXES["sound"]))

    @contextmanager
    def _opened(self, day: str) -> Iterator[int]:
        """The folder of a day, which is no link."""
        above = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            folder = os.open(day, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
        try:
            yield folder
        finally:
            os.close(folder)


def _named(folder: int, suffix: str) -> Iterator[tuple[str, str]]:
    """Names in a folder as the daemon gives them, each with the beginning of an id that it holds."""
    for name in os.listdir(folder):  # a path could lead through a link by now
        match = _STEM.fullmatch(name.removesuffix(suffix))
        if match and name.endswith(suffix):
            yield name, match[1]


def _days(detection: Heard) -> list[str]:
    """Where it may lie: a clip begins some seconds before its detection, perhaps the day before."""
    if detection.onset_utc is None:
        return [UNDATED]
    onset = datetime.fromisoformat(detection.onset_utc)
    # a device that learned the time later may have filed it under none
    return [f"{onset:%Y-%m-%d}", f"{onset - timedelta(minutes=1):%Y-%m-%d}", UNDATED]


def _content(folder: int, name: str) -> bytes | None:
    file = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        content = opened.read(MOST_BYTES + 1)
    return content if len(content) <= MOST_BYTES else None

"""Audio files below a folder."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from monitor.errors import RecordingError
from training.corpus.layouts.found import Skipped
from training.corpus.recordings import AUDIO

UNREADABLE_AUDIO = frozenset({".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".webm", ".ac3", ".ape", ".wv"})
"""audio that libsndfile does not decode: told, not passed over"""


def audio_files(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Audio files below a folder, sorted, and what looks like audio but cannot be read.

    RecordingError where the folder does not exist or cannot be listed.
    """
    failed: list[OSError] = []
    paths = sorted(_files(folder, failed.append))
    for error in failed:
        if Path(error.filename) == folder:
            msg = f"folder {folder} cannot be read: {error.strerror}"
            raise RecordingError(msg) from error
    skipped = [Skipped(error.filename, "folder cannot be read", str(error.strerror)) for error in failed]
    visible = [path for path in paths if not path.name.startswith(".")]
    skipped += [
        Skipped(str(path), f"{path.suffix.lower()} cannot be decoded", "convert it to FLAC")
        for path in visible
        if path.suffix.lower() in UNREADABLE_AUDIO
    ]
    return [path for path in visible if path.suffix.lower() in AUDIO], skipped


def _files(folder: Path, fail: Callable[[OSError], object]) -> Iterator[Path]:
    """All files; links to folders are followed, but into no folder twice."""
    seen: set[str] = set()
    for at, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        if (real := os.path.realpath(at)) in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(at) / name for name in names)


def without_row(folder: Path, named: Iterable[Path], table: Path) -> list[Skipped]:
    """The audio files below a folder that its table does not name."""
    paths, skipped = audio_files(folder)
    known = set(named)
    return skipped + [Skipped(str(path), f"has no row in {table.name}") for path in paths if path not in known]

"""Which recordings there are: files, folders, patterns such as `card/**/*.wav`, URLs, and lists of all that."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from monitor.errors import RecordingError
from monitor.sources import remote
from monitor.sources.remote import Named, named

LIBSNDFILE_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".w64", ".rf64", ".caf", ".au"}
)
FFMPEG_SUFFIXES = frozenset(
    {".m4a", ".mp4", ".aac", ".wma", ".wv", ".ape", ".tta", ".amr", ".mka", ".mkv", ".webm", ".mov", ".3gp", ".avi"}
)
SUFFIXES = LIBSNDFILE_SUFFIXES | FFMPEG_SUFFIXES
"""What a folder is searched for; a file that is named is opened whatever its suffix."""

_APPLE_DOUBLE = "._"
"""what macOS leaves beside each file of a memory card: it has the name of a recording and is none"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    recordings: list[Named] = field(default_factory=list)
    """in a stable order, each file once however often it is named"""
    troubles: list[RecordingError] = field(default_factory=list)
    """where could not be looked, or was nothing"""


def search(paths: Iterable[Path | str]) -> Found:
    """The files named, the audio files below the folders named, and what matches where there is no such file.

    Links to folders are followed, each folder is looked into once. A text is a URL, of any of these; ConfigError where
    nothing on this machine can look there.
    """
    found, known = Found(), set[str]()
    for path in paths:
        try:
            inside = _found(path, found.troubles)
        except RecordingError as error:
            found.troubles.append(error)
            continue
        for one in inside:
            real = os.path.realpath(one) if isinstance(one, Path) else one.url
            if real not in known:
                known.add(real)
                found.recordings.append(one)
    return found


def find_recordings(paths: Iterable[Path]) -> list[Path]:
    """The same on this machine; RecordingError for the first trouble."""
    found = search(paths)
    if found.troubles:
        raise found.troubles[0]
    return [one for one in found.recordings if isinstance(one, Path)]


def listed(file: BinaryIO) -> list[Path | str]:
    """The paths and URLs of a list, one a line, or with a zero byte between them as `find -print0` writes them."""
    text = file.read()
    lines = text.split(b"\0") if b"\0" in text else text.splitlines()
    return [named(os.fsdecode(line)) for line in lines if line.strip()]


def _found(path: Path | str, troubles: list[RecordingError]) -> Sequence[Named]:
    if isinstance(path, str):
        return remote.find(path, is_recording)
    return _below(path, troubles) if path.is_dir() else _named(path)


def _named(path: Path) -> list[Path]:
    if os.path.lexists(path):
        return [path]
    matching = sorted(map(Path, glob.glob(str(path), recursive=True))) if glob.has_magic(str(path)) else []  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [one for one in matching if one.is_file()]
    if not files:
        msg = f"{path}: no such file or folder"
        raise RecordingError(msg)
    return files


def _below(folder: Path, troubles: list[RecordingError]) -> list[Path]:
    """All in a folder. RecordingError where there is nothing, and no other trouble to explain that."""
    before = len(troubles)
    inside = list(_walked(folder, troubles, set()))
    if not inside and len(troubles) == before:
        msg = f"{folder}: no recordings in this folder; looked for {', '.join(sorted(SUFFIXES))}"
        raise RecordingError(msg)
    return inside


def _walked(folder: Path, troubles: list[RecordingError], seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Depth first, by name; a folder that was seen before, through whatever link, is passed over."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        troubles.append(RecordingError(f"{folder}: cannot be looked into: {error.strerror or error}"))
        return
    for entry in entries:
        if _holds(entry.is_dir):
            yield from _walked(folder / entry.name, troubles, seen)
        elif _is_recording(entry):
            yield folder / entry.name


def is_recording(name: str) -> bool:
    """Whether a file in a folder is one, by its name."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a Path for each of 100,000 files takes a second
    return suffix in SUFFIXES and not name.startswith(_APPLE_DOUBLE)


def _is_recording(entry: "os.DirEntry[str]") -> bool:
    """A link that leads nowhere is one, too: when it is opened, that is told."""
    return is_recording(entry.name) and (
        _holds(entry.is_file) or (entry.is_symlink() and not Path(entry.path).exists())
    )


def _holds(asked: Callable[[], bool]) -> bool:
    """Of a link that leads to itself nothing does."""
    try:
        return asked()
    except OSError:
        return False

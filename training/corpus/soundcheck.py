"""Whether a file can be trained on: it is decoded to its end before it is believed."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

from training.corpus.layouts.found import Skipped

_FRAMES = 1 << 18
"""decoded at a time"""


def check_all(paths: Iterable[Path], progress: Callable[[int, int], None]) -> dict[Path, str | Skipped]:
    """Path -> what `check` says of it. `progress` gets how many are done, and of how many."""
    once = list(dict.fromkeys(paths))
    checked = {}
    with ThreadPoolExecutor() as pool:
        for path, result in zip(once, pool.map(check, once), strict=True):
            checked[path] = result
            progress(len(checked), len(once))
    return checked


def check(path: Path) -> str | Skipped:
    """The SHA-256 of a file that holds sound from beginning to end, or why it is left out."""
    try:
        str(path).encode()
        if path.exists() and not path.is_file():
            return Skipped(str(path), "is no regular file")
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        if path.stat().st_size == 0:
            return Skipped(str(path), "is empty")
        return sha256 if _decodes(path) else Skipped(str(path), "holds no samples")
    except UnicodeEncodeError:
        return Skipped(str(path).encode(errors="replace").decode(), "has a name that is no UTF-8")
    except OSError as error:
        return Skipped(str(path), "cannot be read", error.strerror or str(error))
    except soundfile.LibsndfileError as error:
        return Skipped(str(path), "cannot be decoded", error.error_string)


def _decodes(path: Path) -> bool:
    with soundfile.SoundFile(path) as sound:
        count = 0
        while part := len(sound.read(_FRAMES, dtype="float32", always_2d=True)):
            count += part
    return count > 0

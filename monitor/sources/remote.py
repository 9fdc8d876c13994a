"""Recordings elsewhere: in object stores and on servers, by whatever fsspec, the extra `remote`, has a file system for.

A recording is brought here piece by piece before it is decoded, into a file without a name in TMPDIR, or else in
/var/tmp: it needs no memory, and is gone with this process, however that ends. A piece that fails is asked for again.
"""

import glob
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from monitor.errors import ConfigError, RecordingError

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

PIECE_BYTES = 8 << 20
WAITS_S = (1.0, 3.0, 9.0)
"""before each further try; a file system may have tried again on its own before it fails"""

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_WITH_QUERY = ("http", "https")
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")
"""what the file systems call what changes whenever a file is written to"""
_UNFETCHED, _UNSEEN = "could not be fetched", "cannot be looked into"
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError, ValueError)
"""what no further try will change"""
_REFUSALS = ("Credentials", "Authentication")
"""in the names of errors of the file systems' libraries, which we need not have"""


@dataclass(frozen=True, slots=True)
class Remote:
    """A recording elsewhere, as it was when it was found."""

    url: str
    size: int
    """bytes"""
    stamp: str
    """another one whenever it is written to"""

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording from elsewhere whose bytes are here for now. It goes by its URL."""

    url: str
    path: Path
    """where they are"""

    @property
    def name(self) -> str:
        """The last part of the URL, without a query."""
        return file_name(self.url)

    @property
    def parent(self) -> str:
        """The URL without that part."""
        return self.url.rpartition("/")[0]

    @property
    def suffix(self) -> str:
        """Of the name."""
        return PurePosixPath(self.name).suffix

    def __str__(self) -> str:
        return self.url


Place = Path | Fetched
"""where a recording can be opened"""
Named = Path | Remote
"""a recording, wherever it is"""


def is_url(text: str) -> bool:
    """Whether it is no path."""
    return _URL.match(text) is not None


def named(text: str) -> Path | str:
    """A path, or the URL that it is."""
    return text if is_url(text) else Path(text)


def file_name(url: str) -> str:
    """The last part of a URL, without a query."""
    scheme = url.partition(":")[0].lower()
    return (urlsplit(url).path if scheme in _WITH_QUERY else url).rpartition("/")[2]


def bytes_of(place: Place) -> Path:
    """The file of this machine in which a recording lies."""
    return place if isinstance(place, Path) else place.path


def find(url: str, wanted: Callable[[str], bool], sleep: Callable[[float], object] = time.sleep) -> list[Remote]:
    """The recording at a URL, those that match it, or all below it whose name is `wanted`; in order.

    RecordingError where could not be looked, or is nothing; ConfigError where nothing on this machine can look there.
    """
    check(url)
    system, path = _tried(url, _UNSEEN, lambda: _system(url), sleep)
    prefix = url.rstrip("/").removesuffix(path)
    entries = _tried(url, _UNSEEN, lambda: _entries(system, path), sleep)
    found = [
        Remote(prefix + entry_path, int(entry.get("size") or 0), _stamp(entry))
        for entry_path, entry in sorted(entries.items())
        if entry["type"] == "file" and (entry_path == path or wanted(file_name(entry_path)))
    ]
    if not found:
        msg = f"{url}: no recordings there"
        raise RecordingError(msg)
    return found


@contextmanager
def here(recordings: Sequence[Named], sleep: Callable[[float], object] = time.sleep) -> Iterator[list[Place]]:
    """The same on this machine, as long as it lasts. RecordingError where one cannot be fetched as it was found."""
    with ExitStack() as stack:
        yield [one if isinstance(one, Path) else stack.enter_context(_fetched(one, sleep)) for one in recordings]


@contextmanager
def _fetched(remote: Remote, sleep: Callable[[float], object]) -> Iterator[Fetched]:
    folder = os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - /tmp may be memory; the file gets no name there
    try:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - below, where other errors mean else
    except OSError as error:
        raise _no_room(remote, folder, error) from error
    with file:
        for piece in _pieces(remote, sleep):
            try:
                file.write(piece)
            except OSError as error:
                raise _no_room(remote, folder, error) from error
        yield Fetched(remote.url, Path(f"/proc/{os.getpid()}/fd/{file.fileno()}"))


def _no_room(remote: Remote, folder: str, error: OSError) -> RecordingError:
    reason = f"its {remote.size} bytes do not go into {folder}: {error.strerror or error}"
    return RecordingError(f"{remote.url}: {_UNFETCHED}: {reason}")


def _pieces(remote: Remote, sleep: Callable[[float], object]) -> Iterator[bytes]:
    """All bytes of a recording. RecordingError where they cannot be had, or are no longer those that were found."""
    system, path = _tried(remote.url, _UNFETCHED, lambda: _system(remote.url), sleep)

    def piece(start: int) -> bytes:
        end = min(start + PIECE_BYTES, remote.size)
        got: bytes = system.cat_file(path, start=start, end=end)
        if len(got) != end - start:
            msg = f"{len(got)} bytes came where {end - start} were asked for"
            raise OSError(msg)
        return got

    def stamp() -> str:
        system.invalidate_cache()
        return _stamp(system.info(path))

    for start in range(0, remote.size, PIECE_BYTES):
        yield _tried(remote.url, _UNFETCHED, lambda: piece(start), sleep)  # noqa: B023 - it is called at once
    if _tried(remote.url, _UNFETCHED, stamp, sleep) != remote.stamp:
        msg = f"{remote.url}: {_UNFETCHED}: it has changed since it was found"
        raise RecordingError(msg)


def _entries(system: Any, path: str) -> Mapping[str, Mapping[str, Any]]:  # noqa: ANN401 - fsspec has no types
    """What there is at a path, as a pattern, or below it as a folder; each by its own path."""
    if glob.has_magic(path):
        entries: Mapping[str, Mapping[str, Any]] = system.glob(path, detail=True)
        return entries
    system.invalidate_cache()
    entry = system.info(path)
    if entry["type"] == "file":
        return {path: entry}
    below: Mapping[str, Mapping[str, Any]] = system.find(path, detail=True)
    return below


def _stamp(entry: Mapping[str, Any]) -> str:
    changed = next((entry[key] for key in _STAMPS if entry.get(key) is not None), "")
    return f"{entry.get('size')}@{changed}"


def check(url: str) -> None:
    """ConfigError where nothing on this machine can look there, or a password would stand in every table."""
    if "::" in url:
        msg = f"{url}: a URL in a URL; one that stands alone expected"
        raise ConfigError(msg)
    if urlsplit(url).password is not None:
        told = f"{url.partition('://')[0]}://..."
        msg = f"{told}: holds a password, which every table would hold too: fsspec's settings are the place for it"
        raise ConfigError(msg)
    with _missing(url):
        from fsspec import get_filesystem_class  # noqa: PLC0415

        get_filesystem_class(url.partition("://")[0].lower())


@contextmanager
def _missing(url: str) -> Iterator[None]:
    """ConfigError for a library that is not installed, or a kind of URL that none knows."""
    try:
        yield
    except (ImportError, ValueError) as error:
        ours = " (pip install 'dawnchorus[remote]' brings fsspec, and s3fs for s3://)"
        msg = f"{url}: {error}{ours if isinstance(error, ImportError) else ''}"
        raise ConfigError(msg) from error


def _system(url: str) -> tuple[Any, str]:
    """A file system, and the path in it. ConfigError where there is none for such a URL, or it lacks a library."""
    with _missing(url):
        from fsspec.core import url_to_fs  # noqa: PLC0415

        system, path = url_to_fs(url)
    return system, path


def _tried(url: str, trouble: str, ask: Callable[[], Result], sleep: Callable[[float], object]) -> Result:
    """An answer, though the network may stumble. RecordingError where there is none in the end."""
    for wait_s in (*WAITS_S, None):
        try:
            return ask()
        except ConfigError:
            raise
        except Exception as error:  # each file system raises errors of its own
            if wait_s is None or _is_final(error):
                raise RecordingError(_sentence(url, trouble, error)) from error
            logger.info("%s: %s, another try in %g s", url, error, wait_s)
            sleep(wait_s)
    raise AssertionError


def _is_final(error: Exception) -> bool:
    return isinstance(error, _FINAL) or any(word in type(error).__name__ for word in _REFUSALS)


def _sentence(url: str, trouble: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{url}: {trouble}: there is no such recording or folder"
    told = (str(error).splitlines() or [""])[0]
    return f"{url}: {trouble}: {told or type(error).__name__}"

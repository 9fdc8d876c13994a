"""A file from the network: checked by its SHA-256, resumed where it broke off, and never half there under its name."""

import errno
import hashlib
import http.client
import ipaddress
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from monitor.contract.foreign import Remote
from monitor.errors import DownloadError

PARTIAL = ".partial"
READ_BYTES = 1 << 18
SILENT_S = 30.0
"""without a byte for so long, the connection is broken"""

Progress = Callable[[int, int | None], None]
"""bytes that are there, and bytes in all, if anybody knows"""


def fetch(remote: Remote, path: Path, progress: Progress = lambda _done, _size: None) -> str:
    """Bring a file to `path`, which must not exist yet; return its SHA-256 in hexadecimal.

    DownloadError where the address is not safe, cannot be reached or answers something else, the connection breaks
    (what came is kept, and the next call goes on from there), the disk is full, or the hash is another.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _size(partial) != remote.size:
            _bring(remote, partial, progress)
        found = sha256_of(partial)
        if remote.sha256 not in {None, found}:
            partial.unlink()
            msg = f"{remote.url}: SHA-256 is {found}, {remote.sha256} expected; what came was deleted"
            raise DownloadError(msg)
        partial.replace(path)
    except OSError as error:
        raise _unwritten(path, partial, error) from error
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(remote: Remote, partial: Path, progress: Progress) -> None:
    """All that is still missing of the partial file."""
    with _answer(remote.url, _size(partial)) as response:
        begun = _size(partial) if response.status == http.client.PARTIAL_CONTENT else 0
        length = response.headers["Content-Length"]
        whole = begun + int(length) if length is not None and length.isdigit() else remote.size
        _check_space(partial, None if whole is None else whole - begun)
        with partial.open("ab" if begun else "wb") as file:
            done = begun
            while piece := _read(response, remote.url, (done, whole)):
                file.write(piece)
                done += len(piece)
                progress(done, whole)
            file.flush()
            os.fsync(file.fileno())
    if whole is not None and done < whole:
        raise _broken(remote.url, (done, whole), "the connection ended")


def _answer(url: str, begun: int) -> Any:  # noqa: ANN401 - urllib promises no type
    """The response to a request for what follows after `begun` bytes, or for all of it."""
    check_address(url)
    headers = {"User-Agent": f"dawnchorus/{version('dawnchorus')}"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if _is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    try:
        response = urllib.request.build_opener(*handlers).open(request, timeout=SILENT_S)
    except urllib.error.HTTPError as error:
        if begun and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _answer(url, 0)
        msg = f"{url} answers {error.code} {error.reason}"
        raise DownloadError(msg) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        msg = f"{url} cannot be reached: {getattr(error, 'reason', None) or error}"
        raise DownloadError(msg) from error
    span = str(response.headers["Content-Range"])
    if response.status == http.client.PARTIAL_CONTENT and not span.startswith(f"bytes {begun}-"):
        response.close()
        return _answer(url, 0)
    return response


def _read(response: Any, url: str, reached: tuple[int, int | None]) -> bytes:  # noqa: ANN401
    try:
        return bytes(response.read(READ_BYTES))
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, reached, str(error) or type(error).__name__) from error


def check_address(url: str) -> None:
    """DownloadError unless it is HTTPS, or HTTP to this very machine."""
    if urlsplit(url).scheme != "https" and not (urlsplit(url).scheme == "http" and _is_loopback(url)):
        msg = f"{url}: only https is safe enough to fetch a model with"
        raise DownloadError(msg)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to safe addresses only."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:  # noqa: ANN401 - as in urllib
        check_address(str(args[-1]))
        return super().redirect_request(*args)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _check_space(partial: Path, wanted: int | None) -> None:
    free = shutil.disk_usage(partial.parent).free
    if wanted is not None and wanted > free:
        msg = f"{partial.parent}: {wanted / 1e6:.1f} MB are to come, {free / 1e6:.1f} MB are free"
        raise DownloadError(msg)


def _broken(url: str, reached: tuple[int, int | None], reason: str) -> DownloadError:
    done, whole = reached
    of = "" if whole is None else f" of {whole / 1e6:.1f}"
    return DownloadError(
        f"{url} broke off after {done / 1e6:.1f}{of} MB: {reason}; the same command goes on from there"
    )


def _unwritten(path: Path, partial: Path, error: OSError) -> DownloadError:
    """A full disk stops more than this: what came is given up."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        partial.unlink(missing_ok=True)
        return DownloadError(f"{path} cannot be written: {error.strerror}; what came was deleted")
    return DownloadError(f"{path} cannot be written: {error.strerror or error}")

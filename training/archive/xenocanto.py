"""xeno-canto through its API, version 3: recordings that answer a query, page by page, and their audio.

The API is described at https://xeno-canto.org/explore/api, the queries at https://xeno-canto.org/help/search.
It allows one request a second. urllib3's own retrying is not used: it warns with the address, and the API wants the
key in the address.
"""

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, quote_plus, urlsplit

import msgspec
import numpy as np
import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from monitor.errors import ConfigError, MonitorError
from training.archive.collection import Fetched

T = TypeVar("T")
Progress = Callable[[int, int], None]

SERVER = "https://xeno-canto.org"
KEY_VARIABLE = "XENO_CANTO_KEY"
PER_PAGE = 500
"""the most that the API gives"""
TIMEOUT_S = (10.0, 60.0)
"""for a connection; between two pieces of an answer"""
LONGEST_DOWNLOAD_S = 900.0
LONGEST_WAIT_S = 3600.0
"""a server that asks for more patience than this is left alone"""
PIECE_BYTES = 1 << 16
PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""answers after which asking again may help"""
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class ArchiveError(MonitorError):
    """Look at the network, or try later: xeno-canto does not answer as it should."""


class Found(msgspec.Struct, frozen=True):
    """A recording that xeno-canto has."""

    recording: Fetched
    """its `file` and `sha256` are empty until it is here"""
    address: str
    """of the audio; empty where xeno-canto withholds it, as for species that are trapped or disturbed"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to ask, and how often again."""

    pause_s: float = 1.0
    """between the starts of two requests"""
    attempts: int = 5
    first_attempts: int = 2
    """until the server has answered once: it is more likely out of reach than busy"""
    backoff_s: float = 2.0
    """before the second attempt; doubled before each further one, and up to half as much again by chance"""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    rng: np.random.Generator = field(default_factory=np.random.default_rng)


class XenoCanto:
    """Asks xeno-canto, no faster than it allows."""

    def __init__(
        self,
        session: requests.Session,
        key: str,
        server: str = SERVER,
        pace: Pace | None = None,
        on_wait: Callable[[str, float], None] = lambda _why, _seconds: None,
    ) -> None:
        """`on_wait` hears why, and for how many seconds, the next attempt is put off. ConfigError without a key."""
        if not key:
            msg = f"no key for xeno-canto's API: set {KEY_VARIABLE} to yours, which stands at {SERVER}/account"
            raise ConfigError(msg)
        # Without compression Content-Length is the length of the file.
        agent = f"dawnchorus/{version('dawnchorus')} (passive acoustic monitor)"
        self._headers = {"User-Agent": agent, "Accept-Encoding": "identity"}
        self._session, self._key, self._server = session, key, server.rstrip("/")
        self._pace, self._on_wait = pace or Pace(), on_wait
        self._next_s = -math.inf
        self._answered = False

    def recordings(self, query: str, progress: Progress = lambda _page, _pages: None) -> Iterator[Found]:
        """All recordings that answer a query, each once; a page is asked for when the one before is used up.

        `progress` hears the number of the page that came, and of how many. ConfigError where the key is refused;
        ArchiveError where the server cannot be reached, or answers otherwise than it should.
        """
        seen: set[str] = set()
        page = pages = 1
        while page <= pages:
            answer = self._persistently(partial(self._page, query, page), f"the query {query!r}")
            pages = _whole(answer.get("numPages")) or 0
            progress(page, max(page, pages))
            rows = answer["recordings"]
            # numPages may count one page too many, and what that one holds is no recording.
            found = [one for one in map(_found, rows) if one is not None] if isinstance(rows, list) else []
            for one in found:
                if one.recording.id not in seen:  # an upload between two pages moves a row from one to the next
                    seen.add(one.recording.id)
                    yield one
            page += 1

    def download(self, found: Found, folder: Path) -> tuple[Path, str]:
        """Bring the audio into a folder as XC, number and the suffix of its format; return that and its SHA-256.

        A file of that name and of the length that the server gives is taken as it is. A partial file has another
        name and does not stay. ArchiveError where the audio cannot be had; OSError where it cannot be written.
        """
        number = found.recording.id
        incomplete = folder / f".{number}.partial"
        try:
            return self._persistently(partial(self._receive, found, incomplete), number)
        finally:
            incomplete.unlink(missing_ok=True)

    def _page(self, query: str, page: int) -> dict[str, object]:
        parameters = {"query": query, "key": self._key, "per_page": str(PER_PAGE), "page": str(page)}
        with self._answer(f"{self._server}/api/3/recordings", parameters) as response:
            if response.status_code in REFUSED:
                msg = f"xeno-canto refused the key in {KEY_VARIABLE} ({self._said(response)}): see {SERVER}/account"
                raise ConfigError(msg)
            if response.status_code != HTTPStatus.OK:
                msg = f"xeno-canto did not take the query {query!r}: {self._said(response)}"
                raise ArchiveError(msg)
            answer = _json(response.content)
            if not isinstance(answer, dict) or "recordings" not in answer or _whole(answer.get("numPages")) is None:
                msg = f"no list of recordings came, but {_kind(response)}"
                raise _PassingError(msg)
        return answer

    def _receive(self, found: Found, incomplete: Path) -> tuple[Path, str]:
        until_s = self._pace.clock() + LONGEST_DOWNLOAD_S
        with self._answer(found.address, {}) as response:
            if response.status_code != HTTPStatus.OK:
                msg = f"{found.recording.id} did not come: {self._said(response)}"
                raise ArchiveError(msg)
            if (here := _complete(incomplete.parent, found.recording.id, response)) is not None:
                return here, hashlib.sha256(here.read_bytes()).hexdigest()
            digest = hashlib.sha256()
            with incomplete.open("wb") as file:
                for piece in response.iter_content(PIECE_BYTES):
                    if self._pace.clock() > until_s:
                        msg = f"it was not complete within {LONGEST_DOWNLOAD_S:g} s"
                        raise _PassingError(msg)
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if not (suffix := _audio_suffix(incomplete)):
                msg = f"{found.recording.id} is no audio, but {_kind(response)} came from {found.address}"
                raise ArchiveError(msg)
        return incomplete.replace(incomplete.with_name(f"{found.recording.id}{suffix}")), digest.hexdigest()

    @contextmanager
    def _answer(self, address: str, parameters: Mapping[str, str]) -> Iterator[requests.Response]:
        """An answer whose body is still to be read. Faults that may pass come as `_PassingError`, without the key."""
        host = urlsplit(address).hostname or address
        try:
            with self._session.get(
                address, params=parameters, headers=self._headers, stream=True, timeout=TIMEOUT_S
            ) as response:
                self._answered = True
                if response.status_code in PASSING:
                    raise _PassingError(self._said(response), _retry_after(response))
                yield response
        except requests.exceptions.ChunkedEncodingError:  # also where fewer bytes come than Content-Length says
            msg = "the answer broke off"
            raise _PassingError(msg) from None
        except (requests.ConnectionError, requests.Timeout):
            msg = f"{host} cannot be reached or does not answer"
            raise _PassingError(msg) from None
        except requests.RequestException as error:
            msg = f"{host} cannot be asked: {type(error).__name__}"
            raise ArchiveError(msg) from None

    def _persistently(self, attempt: Callable[[], T], what: str) -> T:
        """Try until it works, the fault does not pass, or the attempts are used up."""
        number = 0
        while True:
            number += 1
            self._take_turn()
            try:
                return attempt()
            except _PassingError as fault:
                if number >= (self._pace.attempts if self._answered else self._pace.first_attempts):
                    msg = f"{what} failed {number} times: {fault}"
                    raise ArchiveError(msg) from None
                wait_s, why = self._wait_s(number, fault), f"{what}: {fault}"
            self._on_wait(why, wait_s)
            self._pace.sleep(wait_s)

    def _wait_s(self, number: int, fault: "_PassingError") -> float:
        if fault.retry_after_s is None:
            return self._pace.backoff_s * 2 ** (number - 1) * self._pace.rng.uniform(1.0, 1.5)
        if fault.retry_after_s > LONGEST_WAIT_S:
            msg = f"{fault}, and it asks to wait {fault.retry_after_s:.0f} s: try again then"
            raise ArchiveError(msg)
        return fault.retry_after_s

    def _take_turn(self) -> None:
        now = self._pace.clock()
        if now < self._next_s:
            self._pace.sleep(self._next_s - now)
        self._next_s = max(now, self._next_s) + self._pace.pause_s

    def _said(self, response: requests.Response) -> str:
        """HTTP status and what the server says about it, in one line, without the key."""
        answer = _json(response.content)
        inner = answer.get("error") if isinstance(answer, dict) else None
        holder = inner if isinstance(inner, dict) else answer
        message = _text(holder.get("message")) if isinstance(holder, dict) else ""
        for spelling in (self._key, quote(self._key), quote_plus(self._key)):
            message = message.replace(spelling, "***")
        return f"HTTP {response.status_code}{f': {message}' if message else ''}"


class _PassingError(Exception):
    """A fault that may be gone at the next attempt."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def _retry_after(response: requests.Response) -> float | None:
    """Seconds to wait, which the header gives as such or as a date."""
    try:
        return Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, InvalidHeader):
        return None


def _complete(folder: Path, number: str, response: requests.Response) -> Path | None:
    """The file that is there already: it was complete when it got its name, and is still as long."""
    length = _length(response)
    return next((path for path in folder.glob(f"{number}.*") if path.stat().st_size == length), None)


def _length(response: requests.Response) -> int | None:
    """Bytes of the file; None where the server does not say, or says it of a compressed one."""
    return None if "Content-Encoding" in response.headers else _whole(response.headers.get("Content-Length"))


def _audio_suffix(path: Path) -> str:
    """The suffix of the format that a file begins with; empty where it is no audio."""
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(b"ID3") or (start[:1] == b"\xff" and start[1:2] >= b"\xe0"):
        return ".mp3"
    if start.startswith(b"RIFF") and start[8:12] == b"WAVE":
        return ".wav"
    if start[4:8] == b"ftyp":
        return ".m4a"
    suffixes = {b"fLaC": ".flac", b"OggS": ".ogg", b"FORM": ".aiff"}
    return suffixes.get(start[:4], "")


def _kind(response: requests.Response) -> str:
    return response.headers.get("Content-Type") or "something of no stated kind"


def _json(content: bytes) -> object:
    """What was sent; None where it is no JSON."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None


def _found(row: object) -> Found | None:
    """One row of the API's list; None where it is no recording."""
    if not isinstance(row, dict) or not (number := _text(row.get("id"))).isdecimal() or not number.isascii():
        return None
    also = row.get("also")
    recording = Fetched(
        file="",
        id=f"XC{number}",
        scientific_name=f"{_text(row.get('gen'))} {_text(row.get('sp'))}".strip(),
        common_name=_text(row.get("en")),
        group=_text(row.get("grp")),
        recordist=_text(row.get("rec")),
        licence=_address(row.get("lic")),
        url=_address(row.get("url")) or f"{SERVER}/{number}",
        country=_text(row.get("cnt")),
        locality=_text(row.get("loc")),
        latitude=_number(row.get("lat")),
        longitude=_number(row.get("lon")),
        date=_text(row.get("date")),
        time=_text(row.get("time")),
        sound_type=_text(row.get("type")),
        quality=_text(row.get("q")) or "no score",
        length_s=_length_s(_text(row.get("length"))),
        sample_rate=_whole(row.get("smp")),
        also=tuple(name for name in map(_text, also) if name) if isinstance(also, list) else (),
        sha256="",
    )
    return Found(recording, _address(row.get("file")))


def _text(value: object) -> str:
    """On one line; empty for null."""
    return "" if value is None else " ".join(str(value).split())


def _address(value: object) -> str:
    text = _text(value)
    return f"https:{text}" if text.startswith("//") else text


def _number(value: object) -> float | None:
    """A number that may be written as a text; None where it is none."""
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _length_s(text: str) -> float:
    """Seconds of `0:43` or `1:02:03`; 0 where it is written otherwise."""
    seconds = 0.0
    for part in text.split(":"):
        number = _number(part)
        if number is None:
            return 0.0
        seconds = 60 * seconds + number
    return seconds

"""Who may look and who may write: a token, its cookie, the names of this host, where a request comes from."""

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from monitor.errors import ConfigError

SHORTEST = 16
"""characters of a token"""
COOKIE = "dawnchorus"
LASTS_S = 30 * 24 * 3600
"""of a cookie"""
TRIES, WITHIN_S = 5, 60.0
"""wrong tokens from all the world together, then nobody may try for a while: the token is not to be guessed"""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def read_token(path: Path) -> str:
    """The first line of a file. ConfigError, which says nothing of it, where it cannot be read or is too short."""
    try:
        token = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"token file {path} cannot be read: {getattr(error, 'strerror', None) or 'UTF-8 text expected'}"
        raise ConfigError(msg) from None
    if len(token) < SHORTEST:
        msg = f"token file {path}: its first line has {len(token)} characters: at least {SHORTEST} expected"
        raise ConfigError(msg)
    return token


@dataclass(slots=True)
class Access:
    """Decides. Without a token everybody may look and nobody may write."""

    token: str | None
    names: frozenset[str]
    """of this host, as browsers may call it: a page of another name must not reach us through one that points here"""
    secure: bool = False
    """whether the cookie goes over TLS only"""
    now: Callable[[], float] = time.time
    _wrong: deque[float] = field(default_factory=lambda: deque(maxlen=TRIES))

    def names_us(self, connection: HTTPConnection) -> bool:
        """Whether the request names this host."""
        return _host(f"//{connection.headers.get('host', '')}") in self.names

    def may_look(self, connection: HTTPConnection) -> bool:
        """Whether the cookie is ours and still good, where there is a token."""
        return self.token is None or self._good(connection.cookies.get(COOKIE, ""))

    def may_write(self, connection: HTTPConnection) -> bool:
        """Whether there is a token, and who asks has shown it."""
        return self.token is not None and self.may_look(connection)

    @staticmethod
    def from_here(connection: HTTPConnection) -> bool:
        """Whether a page of ours asks: browsers say so themselves, and cannot be made to lie by another page."""
        site, host = connection.headers.get("sec-fetch-site", "same-origin"), connection.headers.get("host", "")
        # a proxy in front of us may speak TLS where we do not
        return site == "same-origin" and connection.headers.get("origin") in {f"http://{host}", f"https://{host}"}

    def blocked(self) -> bool:
        """Whether too many wrong tokens came just now."""
        return len(self._wrong) == TRIES and self.now() - self._wrong[0] < WITHIN_S

    def opened(self, token: str) -> str | None:
        """A cookie for who shows the token; None for a wrong one, which is counted."""
        if self.token is not None and hmac.compare_digest(token.strip().encode(), self.token.encode()):
            until = str(int(self.now()) + LASTS_S)
            return f"{until}.{self._seal(until)}"
        self._wrong.append(self.now())
        return None

    def _good(self, cookie: str) -> bool:
        until, _, seal = cookie.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < SHORTEST):
            return False
        return hmac.compare_digest(seal.encode(), self._seal(until).encode()) and int(until) > self.now()

    def _seal(self, until: str) -> str:
        key = hashlib.sha256(f"dawnchorus web {self.token}".encode()).digest()
        return hmac.new(key, until.encode(), hashlib.sha256).hexdigest()


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None

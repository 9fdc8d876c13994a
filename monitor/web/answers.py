"""What is sent back, and with which headers."""

from collections.abc import Callable, MutableMapping
from typing import Any, Final

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """What a request is told instead of what it asked for: an HTTP status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def json(content: object, status: int = 200) -> Response:
    """Anything that msgspec knows, as JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    """One sentence."""
    response = json({"error": str(refusal)}, refusal.status)
    if refusal.status == 429:  # noqa: PLR2004
        response.headers["Retry-After"] = "60"
    return response


class Guarded:
    """Around all else: a request that names another host is refused, and every answer has its headers."""

    def __init__(self, app: ASGIApp, names_us: Callable[[HTTPConnection], bool]) -> None:
        self._app, self._names_us = app, names_us

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                _head(message)
            await send(message)

        if self._names_us(HTTPConnection(scope)):
            await self._app(scope, receive, sent)
        else:
            stranger = Refusal(421, "this page is not served under that name: start it with --name to add one")
            await refused(stranger)(scope, receive, sent)


def _head(message: MutableMapping[str, Any]) -> None:
    present = {name.lower() for name, _ in message["headers"]}
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.lower().encode() not in present]
    message["headers"] = [*message["headers"], *added]

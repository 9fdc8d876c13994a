"""Which addresses there are, and what each answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from monitor.clock import rfc3339
from monitor.errors import StoreError
from monitor.sinks import verdicts
from monitor.web import asked
from monitor.web.access import COOKIE, LASTS_S, Access
from monitor.web.answers import Guarded, Refusal, json, refused
from monitor.web.checking import Checks
from monitor.web.described import document
from monitor.web.files import ClipFolder
from monitor.web.happening import Happening
from monitor.web.knowing import Found, Knowing

T = TypeVar("T")

PAGES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
MEDIA = {"sound": "audio/flac", "picture": "image/png"}


@dataclass(frozen=True, slots=True)
class Station:
    """What is served, and by whose leave."""

    name: str
    access: Access
    knowing: Knowing
    happening: Happening
    checks: Checks
    store: Path | None
    """where verdicts go; None: they cannot be kept here"""
    clips: ClipFolder | None
    missing: tuple[str, ...] = ()
    """sentences on what this page cannot show"""


Answering = Callable[[Station, Request], Awaitable[Response]]


def application(station: Station) -> Guarded:
    """All of it."""
    app = Starlette(
        routes=[*(_page(path, *page) for path, page in PAGES.items()), *_api(station)],
        exception_handlers={Refusal: _refuse, StoreError: _fail, HTTPException: _miss, ClientDisconnect: _forget},
    )
    app.router.redirect_slashes = False
    return Guarded(app, station.access.names_us)


def _api(station: Station) -> list[Route]:
    open_to_all: dict[str, Answering] = {"/api/station": _station, "/api/openapi.json": _document}
    looking: dict[str, Answering] = {
        "/api/detections": _detections,
        "/api/detections/{detection}": _detection,
        "/api/detections/{detection}/sound": partial(_file, "sound"),
        "/api/detections/{detection}/picture": partial(_file, "picture"),
        "/api/effort": _effort,
        "/api/check": _check,
        "/api/events": _events,
    }
    coming: dict[str, Answering] = {"/api/login": _login, "/api/logout": _logout}
    return [
        *(_route(station, path, answer) for path, answer in open_to_all.items()),
        *(_route(station, path, answer, look=True) for path, answer in looking.items()),
        *(_route(station, path, answer, method="POST") for path, answer in coming.items()),
        _route(station, "/api/verdicts", _verdict, method="POST", write=True),
    ]


def _route(
    station: Station, path: str, answer: Answering, *, method: str = "GET", look: bool = False, write: bool = False
) -> Route:
    """An address, and who may ask for it."""

    async def answered(request: Request) -> Response:
        access = station.access
        if method == "POST" and not access.from_here(request):
            msg = "only a page of this server may ask for that: an Origin that is this host expected"
            raise Refusal(403, msg)
        if look and not access.may_look(request):
            msg = "the token is needed to look: log in first"
            raise Refusal(401, msg)
        if write and not access.may_write(request):
            raise Refusal(401, "the token is needed to write: log in first") if access.token else _no_token()
        return await answer(station, request)

    return Route(path, answered, methods=[method])


def _no_token() -> Refusal:
    return Refusal(403, "nothing can be written here: the server was started without --token-file")


def _page(path: str, name: str, media: str) -> Route:
    content = (files("monitor.web") / "pages" / name).read_bytes()

    async def answered(_request: Request) -> Response:
        return Response(content, media_type=media)

    return Route(path, answered, methods=["GET"])


async def _station(station: Station, request: Request) -> Response:
    access = station.access
    looking = access.may_look(request)
    about: dict[str, object] = {
        "version": version("dawnchorus"),
        "token": access.token is not None,
        "may_look": looking,
        "may_write": access.may_write(request) and station.store is not None,
    }
    if looking:
        about |= {"station": station.name, "clips": station.clips is not None, "missing": station.missing}
    return json(about)


async def _document(_station: Station, _request: Request) -> Response:
    return json(document())


async def _detections(station: Station, request: Request) -> Response:
    before = asked.number(request, "before", None, -asked.LARGEST, asked.LARGEST)
    limit = asked.number(request, "limit", asked.USUAL, 1, asked.MOST) or asked.USUAL
    species, wanted = request.query_params.get("species", ""), asked.wanted(request)
    return json(await run_in_threadpool(station.knowing.sheet, before, limit, species, wanted))


async def _detection(station: Station, request: Request) -> Response:
    return json(await _known(station, asked.detection(request)))


async def _known(station: Station, detection: str) -> Found:
    if (found := await run_in_threadpool(station.knowing.one, detection)) is None:
        msg = "there is no detection of this id"
        raise Refusal(404, msg)
    return found


async def _file(kind: str, station: Station, request: Request) -> Response:
    found = await _known(station, asked.detection(request))
    content = None if station.clips is None else await run_in_threadpool(station.clips.read, found, kind)
    if content is None:
        msg = f"there is no {kind} of this detection: none was kept, or it is gone"
        raise Refusal(404, msg)
    return _part(content, request.headers.get("range", ""), MEDIA[kind])


def _part(content: bytes, asked_for: str, media: str) -> Response:
    """All of it, or the part that a player asks for: RFC 9110, 14.1.2, one range of bytes."""
    headers = {"Accept-Ranges": "bytes"}
    first, dash, last = asked_for.removeprefix("bytes=").partition("-")
    numbers = all(part.isascii() and part.isdigit() and len(part) < 10 for part in (first, last) if part)  # noqa: PLR2004
    if not asked_for.startswith("bytes=") or not dash or not numbers or not (first or last):
        return Response(content, headers=headers, media_type=media)
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start > end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, headers, media)


async def _effort(station: Station, request: Request) -> Response:
    hours = asked.number(request, "hours", 72, 1, asked.MOST_HOURS) or 1
    return json({"hours": await run_in_threadpool(station.knowing.effort, hours)})


async def _check(station: Station, _request: Request) -> Response:
    return json(await run_in_threadpool(station.checks.look))


async def _events(station: Station, _request: Request) -> Response:
    if station.happening.full:
        msg = "too many look just now; close another page"
        raise Refusal(503, msg)
    headers = {"X-Accel-Buffering": "no"}  # a proxy that collects them would show the past
    return StreamingResponse(station.happening.events(), headers=headers, media_type="text/event-stream")


async def _verdict(station: Station, request: Request) -> Response:
    said = await asked.posted(request, asked.Posted)
    if station.store is None:
        msg = "verdicts are kept in the store, which is not on this device"
        raise Refusal(403, msg)
    if (said.verdict == "other") != bool(said.scientific_name.strip()):
        msg = "scientific_name: of what is heard instead expected where the verdict is `other`, and nowhere else"
        raise Refusal(422, msg)
    await _known(station, asked.identity(said.detection))
    verdict = verdicts.Verdict(
        said.detection,
        said.verdict,
        " ".join(said.scientific_name.split()),
        said.who.strip(),
        str(rfc3339(datetime.now(UTC))),
        said.note.strip(),
    )
    message = await run_in_threadpool(verdicts.keep, station.store, station.name, verdict)
    return json(message, 201)


async def _login(station: Station, request: Request) -> Response:
    access = station.access
    if access.token is None:
        raise _no_token()
    shown = await asked.posted(request, asked.Shown)
    if access.blocked():
        msg = "too many wrong tokens: wait a minute"
        raise Refusal(429, msg)
    if (cookie := access.opened(shown.token)) is None:
        msg = "this is not the token"
        raise Refusal(401, msg)
    response = json({"may_look": True})
    response.set_cookie(COOKIE, cookie, LASTS_S, httponly=True, samesite="strict", secure=access.secure)
    return response


async def _logout(station: Station, _request: Request) -> Response:
    response = json({"may_look": station.access.token is None})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=station.access.secure)
    return response


async def _refuse(_request: Request, error: Exception) -> Response:
    return refused(error) if isinstance(error, Refusal) else json({"error": str(error)}, 500)


async def _fail(_request: Request, error: Exception) -> Response:
    return json({"error": str(error)}, 503)


async def _miss(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers: Mapping[str, str] = (error.headers or {}) if isinstance(error, HTTPException) else {}
    response = json({"error": {404: "nothing here", 405: "not with this method"}.get(status, "refused")}, status)
    response.headers.update(headers)
    return response


async def _forget(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)

"""What a request asks for, checked; what is wrong with it is told in one sentence."""

import re
from typing import Annotated, TypeVar, get_args
from uuid import UUID

import msgspec
from starlette.requests import Request

from monitor.errors import UNDECODABLE
from monitor.sinks.verdicts import Word
from monitor.web.answers import Refusal
from monitor.web.knowing import Asked

MOST_BYTES = 4096
"""of what is sent to us"""
MOST, USUAL = 200, 50
"""detections on a sheet"""
LARGEST = 2**53 - 1
MOST_HOURS = 1000
_NUMBER = re.compile(r"-?[0-9]{1,16}")
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

S = TypeVar("S", bound=msgspec.Struct)


class Posted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict on a detection."""

    detection: Annotated[str, msgspec.Meta(min_length=36, max_length=36, description="its id")]
    verdict: Word
    scientific_name: Annotated[str, msgspec.Meta(max_length=100, pattern=_PRINTABLE)] = ""
    """what is heard, where the verdict is `other`"""
    who: Annotated[str, msgspec.Meta(max_length=60, pattern=_PRINTABLE)] = ""
    note: Annotated[str, msgspec.Meta(max_length=500, pattern=_PRINTABLE)] = ""


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody shows who wants to come in."""

    token: Annotated[str, msgspec.Meta(max_length=500)]


def number(request: Request, name: str, usual: int | None, least: int, most: int) -> int | None:
    """A whole number of the query; `usual` where it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return usual
    value = int(text) if _NUMBER.fullmatch(text) else None
    if value is None or not least <= value <= most:
        msg = f"{name}={text!r}: a whole number from {least} to {most} expected"
        raise Refusal(400, msg)
    return value


def wanted(request: Request) -> Asked:
    """Which detections."""
    text = request.query_params.get("verdict", "any")
    if text not in get_args(Asked):
        msg = f"verdict={text!r}: one of {', '.join(get_args(Asked))} expected"
        raise Refusal(400, msg)
    return text  # type: ignore[return-value]


def detection(request: Request) -> str:
    """The id in the path."""
    return identity(request.path_params["detection"])


def identity(text: str) -> str:
    """An id as the store writes it."""
    try:
        if str(UUID(text)) == text:
            return text
    except ValueError:
        pass
    msg = "there is no detection of this id"
    raise Refusal(404, msg)


async def posted(request: Request, kind: type[S]) -> S:
    """What is sent, as JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        msg = "application/json expected"
        raise Refusal(415, msg)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            msg = f"at most {MOST_BYTES} bytes expected"
            raise Refusal(413, msg)
    try:
        return msgspec.json.decode(body, type=kind)
    except UNDECODABLE as error:
        raise Refusal(422, str(error)) from error

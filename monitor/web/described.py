"""The OpenAPI document (3.1) of what the page asks its server for: https://spec.openapis.org/oas/v3.1.0."""

from importlib.metadata import version
from typing import Any

import msgspec

from monitor.messages import VerdictMessage
from monitor.web import asked
from monitor.web.access import COOKIE
from monitor.web.checking import Check
from monitor.web.knowing import Found, Hour, Sheet

Object = dict[str, Any]

REFUSALS = {
    400: "The query is wrong.",
    401: "The token is needed first.",
    403: "Not from here, or not at all.",
    404: "There is none.",
    413: "Too large.",
    415: "No JSON.",
    416: "It has no such part.",
    421: "This page is not served under that name.",
    422: "It is JSON, but not what is expected.",
    429: "Too many wrong tokens: wait a minute.",
    503: "The store cannot be read or written, or too many look.",
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def document() -> Object:
    """All of it, as JSON knows it."""
    told = [Sheet, Found, Hour, Check, VerdictMessage, asked.Posted, asked.Shown]
    _, schemas = msgspec.json.schema_components(told, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dawn Chorus on a page", "version": version("dawnchorus")},
        "paths": _paths(),
        "components": {
            "schemas": schemas | {"Error": _ERROR},
            "securitySchemes": {"cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE}},
        },
        "security": [{}, {"cookie": []}],
    }


def _paths() -> Object:
    found = _parameter("detection", "path", {"type": "string", "format": "uuid"})
    before = _parameter("before", "query", {"type": "integer", "minimum": -asked.LARGEST, "maximum": asked.LARGEST})
    limit = _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": asked.MOST})
    species = _parameter("species", "query", {"type": "string"})
    words = ["any", "open", "confirmed", "rejected", "other"]
    verdict = _parameter("verdict", "query", {"type": "string", "enum": words})
    sheet = [before, limit, species, verdict]
    hours = _parameter("hours", "query", {"type": "integer", "minimum": 1, "maximum": asked.MOST_HOURS})
    return {
        "/api/station": {"get": _get("What is served, and what the asker may do.", {"type": "object"})},
        "/api/openapi.json": {"get": _get("This document.", {"type": "object"})},
        "/api/detections": {"get": _get("Detections, the newest first.", _ref("Sheet"), sheet, 400, 401, 503)},
        "/api/detections/{detection}": {"get": _get("A detection.", _ref("Found"), [found], 401, 404, 503)},
        "/api/detections/{detection}/sound": {"get": _media("Its sound, FLAC.", "audio/flac", found)},
        "/api/detections/{detection}/picture": {"get": _media("Its spectrogram, PNG.", "image/png", found)},
        "/api/effort": {"get": _get("What was heard and lost.", _hours(), [hours], 400, 401, 503)},
        "/api/check": {"get": _get("Configuration, clock, disk, rights.", _ref("Check"), [], 401, 503)},
        "/api/events": {"get": _events()},
        "/api/verdicts": {"post": _post("A verdict on a detection.", "Posted", 201, _ref("VerdictMessage"), 404, 503)},
        "/api/login": {"post": _post("Shows the token for a cookie.", "Shown", 200, {"type": "object"}, 429)},
        "/api/logout": {
            "post": {"summary": "Gives the cookie back.", "responses": _answers(200, {"type": "object"}, 403)}
        },
    }


def _hours() -> Object:
    return {
        "type": "object",
        "required": ["hours"],
        "properties": {"hours": {"type": "array", "items": _ref("Hour")}},
    }


def _events() -> Object:
    stream = {"description": "server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {"summary": "What happens just now, without end.", "responses": {"200": stream} | _refusals(401, 503)}


def _parameter(name: str, place: str, schema: Object) -> Object:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _get(summary: str, schema: Object, parameters: list[Object] | None = None, *refusals: int) -> Object:
    return {"summary": summary, "parameters": parameters or [], "responses": _answers(200, schema, *refusals)}


def _post(summary: str, body: str, status: int, schema: Object, *refusals: int) -> Object:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(body)}}},
        "responses": _answers(status, schema, 401, 403, 413, 415, 422, *refusals),
    }


def _media(summary: str, media: str, *parameters: Object) -> Object:
    whole = {"description": "all of it", "content": {media: {}}}
    part = {"description": "the part that was asked for", "content": {media: {}}}
    return {
        "summary": summary,
        "parameters": [*parameters],
        "responses": {"200": whole, "206": part} | _refusals(401, 404, 416, 503),
    }


def _answers(status: int, schema: Object, *refusals: int) -> Object:
    answer = {"description": "as asked", "content": {"application/json": {"schema": schema}}}
    return {str(status): answer} | _refusals(*refusals)


def _refusals(*refusals: int) -> Object:
    error = {"application/json": {"schema": _ref("Error")}}
    return {str(one): {"description": REFUSALS[one], "content": error} for one in (*refusals, 421)}


def _ref(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}

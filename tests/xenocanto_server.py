"""A server on the loopback that speaks the API of xeno-canto, version 3, and misbehaves where a test says so."""

import io
import json
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import soundfile

KEY = "4f3c0ffee/secret+key"
TERM = re.compile(r'(\w+):(?:"([^"]*)"|(\S+))')
QUALITIES = "ABCDE"

Row = dict[str, Any]


def row(number: int, name: str = "Parus major", **others: object) -> Row:
    """A recording as the API gives it; `file` is filled in by the server."""
    genus, epithet = name.split()
    return {
        "id": str(number),
        "gen": genus,
        "sp": epithet,
        "ssp": "",
        "grp": "birds",
        "en": f"English {epithet}",
        "rec": f"Recordist {number}",
        "cnt": "Germany",
        "loc": "Freising, Bayern",
        "lat": "48.1",
        "lon": "11.5",
        "alt": "450",
        "type": "song",
        "sex": "male",
        "stage": "adult",
        "method": "field recording",
        "url": f"//xeno-canto.org/{number}",
        "file": None,
        "file-name": f"XC{number}-garden.mp3",
        "sono": {"small": "//xeno-canto.org/sounds/small.png"},
        "lic": "//creativecommons.org/licenses/by-nc-sa/4.0/",
        "q": "A",
        "length": "0:43",
        "time": "08:00",
        "date": "2021-05-20",
        "uploaded": "2021-12-20",
        "also": ["Turdus merula", "Erithacus rubecula"],
        "rmk": "",
        "animal-seen": "no",
        "playback-used": "no",
        "smp": "48000",
    } | others


@cache
def mp3(number: int) -> bytes:
    """A short recording, another for each number."""
    file = io.BytesIO()
    samples = 0.1 * np.random.default_rng(number).normal(size=4800)
    soundfile.write(file, samples, 48_000, format="MP3")
    return file.getvalue()


@dataclass(frozen=True)
class Fault:
    """What comes instead of an answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    keep: float = 1.0
    """share of the body that comes before the connection breaks"""
    hold: threading.Event | None = None
    """after that share the answer waits for this"""


BUSY = Fault(503, b"busy", (("Content-Type", "text/plain"),))
PAGE = Fault(200, b"<html>Please log in</html>", (("Content-Type", "text/html"),))


@dataclass
class XenoCantoServer:
    """Holds recordings, what was asked, and what goes wrong next."""

    rows: list[Row] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    """by path: one is used up by each request"""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """path and parameters of each request"""
    agents: set[str] = field(default_factory=set)
    rows_per_page: int | None = None
    """fewer than are asked for, so that a test needs fewer recordings"""
    one_page_too_many: bool = False
    """as the real one was seen to count"""

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"state": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, path: str, *faults: Fault) -> None:
        """The next requests of a path go wrong."""
        self.faults.setdefault(path, deque()).extend(faults)

    @property
    def queries(self) -> list[str]:
        """What the API was asked, in order."""
        return [parameters["query"] for path, parameters in self.asked if path == API]

    @property
    def downloads(self) -> Counter[str]:
        """How often the audio of each recording was asked for."""
        return Counter(path.split("/")[1] for path, _ in self.asked if path.endswith("/download"))

    def answer(self, parameters: dict[str, str]) -> tuple[int, object]:
        """HTTP status and JSON."""
        if parameters.get("key") != KEY:
            return 401, _error(f"Missing or invalid 'key' parameter: {parameters.get('key')}")
        per_page, query = int(parameters.get("per_page", "100")), parameters.get("query", "")
        if not 50 <= per_page <= 500:
            return 400, _error("Invalid 'per_page' parameter")
        if not query or TERM.sub("", query).strip():
            return 400, _error("Queries must use tags")
        found = [one for one in self.rows if all(_matches(one, *term) for term in TERM.findall(query))]
        per_page, page = self.rows_per_page or per_page, int(parameters.get("page", "1"))
        shown = found[per_page * (page - 1) : per_page * page]
        pages = -(-len(found) // per_page) + self.one_page_too_many
        listed: object = [self._addressed(one) for one in shown] or ({"also": []} if found else [])
        species = {(one["gen"], one["sp"]) for one in found}
        counts = {"numRecordings": str(len(found)), "numSpecies": str(len(species)), "page": page, "numPages": pages}
        return 200, counts | {"recordings": listed}

    def _addressed(self, one: Row) -> Row:
        address = f"{self.address}/{one['id']}/download"
        return one | {"file": address if one["file"] is None else one["file"]}


API = "/api/3/recordings"


def _error(message: str) -> Row:
    return {"error": "client_error", "message": message}


def _matches(one: Row, tag: str, quoted: str, bare: str) -> bool:
    value = quoted or bare
    if tag == "box":
        south, west, north, east = map(float, value.split(","))
        return bool(one["lat"]) and south <= float(one["lat"]) <= north and west <= float(one["lon"]) <= east
    if tag == "q":
        best = QUALITIES[: QUALITIES.index(value[1])] if value.startswith(">") else value
        return bool(one["q"]) and one["q"] in best
    if tag == "len":
        low, high = map(float, value.split("-"))
        minutes, seconds = one["length"].split(":")
        return low <= 60 * int(minutes) + int(seconds) <= high
    if tag == "sp" and " " in value:
        return f"{one['gen']} {one['sp']}".lower().startswith(value.lower())
    return str(one[tag]).lower().startswith(value.lower())


class _Handler(BaseHTTPRequestHandler):
    state: XenoCantoServer

    def do_GET(self) -> None:
        """Answer, well or badly."""
        parts = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.state.asked.append((parts.path, parameters))
        self.state.agents.add(self.headers["User-Agent"])
        waiting = self.state.faults.get(parts.path)
        if waiting:
            self._send(waiting.popleft())
        elif parts.path == API:
            status, answer = self.state.answer(parameters)
            self._send(Fault(status, json.dumps(answer).encode(), (("Content-Type", "application/json"),)))
        else:
            self._send(Fault(200, mp3(int(parts.path.split("/")[1])), (("Content-Type", "audio/mpeg"),)))

    def _send(self, fault: Fault) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(fault.body[: round(fault.keep * len(fault.body))])
        self.wfile.flush()
        if fault.hold is not None:
            fault.hold.wait(60)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at `asked`."""

"""Real parts for the tests of the page: its server as it is installed, and what a browser asks it."""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rigs import COMMAND, STATION, answers, configure, free_port, recordings, until

from monitor.messages import DetectionMessage
from monitor.sinks.database import FILE
from monitor.sinks.store import Store

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:  # noqa: ANN401
        """The body as JSON."""
        return json.loads(self.body)


class Page:
    """`dawnchorus web`, the command as it is installed."""

    def __init__(self, config: Path, *options: str, token: bool = True) -> None:
        self.port, self.log = free_port(), config.with_name("web.log")
        secret = config.with_name("token")
        secret.write_text(f"{TOKEN}\n", encoding="utf-8")
        command = [str(COMMAND), "web", "--config", str(config), "--port", str(self.port), *options]
        command += ["--token-file", str(secret)] if token else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)
        self.address = f"127.0.0.1:{self.port}"
        self.cookie = ""

    def ready(self) -> Self:
        """Wait until it listens."""
        until(lambda: answers(self.port) or self.process.poll() is not None, f"the page; see {self.log}")
        assert self.process.poll() is None, self.said()
        return self

    def ask(self, path: str, body: object = None, method: str = "", **headers: str) -> Answer:
        """What it answers; underscores in the names of headers are hyphens. Underneath nothing corrects the path."""
        sent = {"Host": self.address} | ({"Cookie": self.cookie} if self.cookie else {})
        if body is not None:
            sent |= JSON | {"Origin": f"http://{self.address}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        payload = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            # http.client refuses blanks in a path; a test may want them
            connection._validate_path = lambda _path: None  # type: ignore[attr-defined]
            connection.request(method or ("GET" if body is None else "POST"), path, payload, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def enter(self) -> Self:
        """Show the token."""
        answer = self.ask("/api/login", {"token": TOKEN})
        assert answer.status == 200, answer.content
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, *_reason: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()


def message(number: int, sequence: int, **others: Any) -> DetectionMessage:  # noqa: ANN401
    """A detection as the daemon keeps it."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        "station": STATION,
        "sequence": sequence,
        "recording": "mic",
        "onset_utc": f"2026-05-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:30.000Z",
        "offset_utc": f"2026-05-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:33.000Z",
        "clock_quality": "ntp",
        "clock_error_s": 0.1,
        "onset_s": 60.0 * number,
        "offset_s": 60.0 * number + 3,
        "label": "parus_major",
        "scientific_name": "Parus major",
        "common_name": "Great Tit",
        "confidence": 0.9,
        "model": "test",
    }
    return DetectionMessage(**fields | others)


def filled(folder: Path, count: int, **others: Any) -> list[str]:  # noqa: ANN401
    """A store with detections; their ids, the oldest first."""
    store = Store(folder, STATION, 1_000_000)
    for number in range(count):
        store.add(lambda sequence, number=number: message(number, sequence, **others))  # type: ignore[misc]
    store.close()
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM detections ORDER BY sequence")]


def configured(folder: Path, **others: Any) -> Path:  # noqa: ANN401
    """A configuration whose store is beside it, and which keeps clips."""
    return configure(folder, recordings(folder / "none.wav"), 1, clips={"directory": str(folder / "clips")}, **others)


def clip(folder: Path, detection: str, day: str = "2026-05-01", content: bytes = b"fLaC sound") -> Path:
    """A clip as the daemon names it."""
    path = folder / "clips" / day / f"20260501T000028Z_parus-major_0.90_{detection[:8]}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def policy(answer: Answer) -> dict[str, str]:
    """The content security policy, by directive."""
    parts = re.split(r";\s*", answer.headers["content-security-policy"])
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}

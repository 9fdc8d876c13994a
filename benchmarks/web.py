"""What the page costs: while nobody looks, with one who looks, and how long it takes with a million detections.

Processor time is read from /proc; the daemon plays a recording in real time, as if it were a microphone.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import soundfile
import yaml

from monitor.sinks.database import FILE, connect, migrate
from monitor.soundscape import soundscape

COMMAND = Path(sys.executable).with_name("dawnchorus")
ROWS = int(os.environ.get("ROWS", "1000000"))
IDLE_S, LOOKED_S = 40.0, 40.0
REQUESTS = 200
RATE = 48_000
PORT = 8791
IDLE_BAR, LOOKED_BAR, LATENCY_BAR_MS = 0.5, 8.0, 100.0


def main() -> None:
    """Measure and print; exits with 1 where a bar is missed."""
    with tempfile.TemporaryDirectory(prefix="dc-") as name:
        folder = Path(name)
        met = [*latency(folder), *load(folder)]
    sys.exit(not all(met))


def latency(folder: Path) -> Iterator[bool]:
    """Requests to a store of ROWS detections, each on a connection of its own, as a phone's first is."""
    ids = fill(folder / "full")
    config = written(folder / "full", {"kind": "recordings", "paths": ["none.wav"]})
    rng = np.random.default_rng(1)
    paths: dict[str, Callable[[], str]] = {
        "the newest": lambda: "/api/detections",
        "anywhere": lambda: f"/api/detections?before={rng.integers(1, ROWS)}&limit=50",
        "of one species": lambda: f"/api/detections?before={rng.integers(1, ROWS)}&species=species_7",
        "of a species that is not there": lambda: "/api/detections?species=none",
        "not judged": lambda: f"/api/detections?before={rng.integers(1, ROWS)}&verdict=open",
        "rejected": lambda: f"/api/detections?before={rng.integers(1, ROWS)}&verdict=rejected",
        "one": lambda: f"/api/detections/{ids[rng.integers(len(ids))]}",
        "effort": lambda: "/api/effort",
        "the page": lambda: "/",
    }
    with served(config):
        for kind, path in paths.items():
            milliseconds = sorted(1000 * asked(path()) for _ in range(REQUESTS))
            p95 = milliseconds[int(0.95 * REQUESTS)]
            print(f"{kind:32} median {statistics.median(milliseconds):6.1f} ms, 95 % {p95:6.1f} ms, {ROWS} detections")
            yield p95 < LATENCY_BAR_MS


def load(folder: Path) -> Iterator[bool]:
    """Processor time of page and daemon, as a share of one core."""
    place = folder / "live"
    place.mkdir()
    soundfile.write(place / "long.wav", np.concatenate([soundscape(RATE)] * 14), RATE, subtype="PCM_16")
    config = written(place, {"kind": "recordings", "paths": [str(place / "long.wav")], "speed": 1.0})
    daemon = subprocess.Popen([COMMAND, "run", "--config", str(config)], stderr=subprocess.DEVNULL)
    try:
        with served(config) as page:
            time.sleep(8)  # loading, and the first windows
            alone, idle = shares(IDLE_S, daemon.pid, page)
            print(f"nobody looks: page {idle:.2f} %, daemon {alone:.2f} % of a core; page {memory_mb(page):.0f} MB")
            yield idle < IDLE_BAR
            ended = threading.Event()
            looker = threading.Thread(target=look, args=(ended,), daemon=True)
            looker.start()
            time.sleep(4)
            watched, looked = shares(LOOKED_S, daemon.pid, page)
            cost = looked + watched - alone
            print(
                f"one looks: page {looked:.2f} %, daemon {watched:.2f} %: {cost:.2f} % more; {memory_mb(page):.0f} MB"
            )
            yield cost < LOOKED_BAR
            ended.set()
            looker.join(5)
            after, quiet = shares(10.0, daemon.pid, page)
            print(f"nobody again: page {quiet:.2f} %, daemon {after:.2f} %")
    finally:
        daemon.kill()
        daemon.wait()


def fill(folder: Path) -> list[str]:
    """A store of ROWS detections of 40 species, a hundredth of them judged; some of their ids."""
    folder.mkdir()
    with closing(connect(folder / FILE)) as connection:
        migrate(connection)
        connection.execute("PRAGMA synchronous = OFF")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        connection.execute("BEGIN")
        connection.execute(
            f"""{numbers} INSERT INTO detections SELECT
                i, printf('%08x-0000-5000-8000-%012x', i * 2654435761 % 4294967296, i), 'mic',
                'species_' || (i % 40), 'Species ' || (i % 40), 'Common ' || (i % 40), 0.9, i * 30.0, i * 30.0 + 3,
                strftime('%Y-%m-%dT%H:%M:%S.000Z', 1700000000 + i * 30, 'unixepoch'),
                strftime('%Y-%m-%dT%H:%M:%S.000Z', 1700000003 + i * 30, 'unixepoch'), 'ntp', 0.1, 'test',
                NULL, NULL, NULL FROM n""",  # noqa: S608
            (ROWS,),
        )
        connection.execute(
            """INSERT INTO verdicts SELECT sequence + 2000000, id, id, 'confirmed', 'Parus major', 'Ada',
                onset_utc, '' FROM detections WHERE sequence % 100 = 0"""
        )
        connection.execute("UPDATE outbox_totals SET last_sequence = 4000000")
        connection.execute("COMMIT")
        return [row[0] for row in connection.execute("SELECT id FROM detections WHERE sequence % 997 = 0")]


def written(folder: Path, source: dict[str, object]) -> Path:
    """A configuration whose store is the folder itself."""
    path = folder / "config.yaml"
    settings = {"station": "bench", "source": source, "store": {"directory": str(folder)}, "mqtt": {"port": 1}}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@contextmanager
def served(config: Path) -> Iterator[int]:
    """The page; its process id."""
    page = subprocess.Popen([COMMAND, "web", "--config", str(config), "--port", str(PORT)], stderr=subprocess.DEVNULL)
    try:
        while page.poll() is None:
            try:
                asked("/api/station")
                break
            except OSError:
                time.sleep(0.2)
        yield page.pid
    finally:
        page.terminate()
        page.wait()


def asked(path: str) -> float:
    """Seconds until all of the answer is there."""
    begin = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(path)
    return time.perf_counter() - begin


def look(ended: threading.Event) -> None:
    """Follow what happens, as a browser does."""
    seen = {"picture": 0, "scores": 0}
    with closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)) as connection:
        connection.request("GET", "/api/events")
        response = connection.getresponse()
        while not ended.is_set():
            line = response.readline()
            if line.startswith(b"data: "):
                kind = json.loads(line[6:])["kind"]
                seen[kind] = seen.get(kind, 0) + 1
    print(f"    it was sent {seen['picture']} pieces of picture and {seen['scores']} scores")


def shares(seconds: float, *processes: int) -> list[float]:
    """Processor time of processes, in % of one core."""
    before = [used_s(process) for process in processes]
    begin = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    return [100 * (used_s(process) - used) / elapsed for process, used in zip(processes, before, strict=True)]


def used_s(process: int) -> float:
    """User and system time of a process and all its threads: proc(5)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(process: int) -> float:
    """Resident."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main()

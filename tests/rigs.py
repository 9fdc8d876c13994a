"""Real parts for the tests: the daemon, a broker, a subscriber, a sound server, what systemd listens with.

Each is a process or a socket of the test's own, ended by the id that it was started with.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import pytest
import soundfile
import yaml

from monitor.records import Samples
from monitor.sinks.database import FILE
from monitor.soundscape import soundscape

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("dawnchorus")
STATION = "valley"
RATE = 48_000
TABLES = ("detections", "effort")
LONGEST_STOP_S = 5.0
FIXED_PORTS = range(20_000, 32_000)
"""below those that Linux gives to connections: net.ipv4.ip_local_port_range"""


def until(condition: Callable[[], T], what: str, seconds: float = 30.0) -> T:
    """The first true answer; the test fails where none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    msg = f"not within {seconds:g} s: {what}"
    raise AssertionError(msg)


def free_port() -> int:
    """A port of the loopback that nobody listens on; connections begin at others, also while a broker is away."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", FIXED_PORTS.start + secrets.randbelow(len(FIXED_PORTS))))
            return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str | None:
    """The path of a program, also of one for administrators."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def required(name: str) -> str:
    """The path of a program; without it the test is skipped, which in CI is a failure."""
    found = program(name)
    if found is None:
        pytest.skip(f"not on this system: {name}")
    return found


def need_root() -> None:
    """Skip where this user may not mount."""
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to mount")


def song(path: Path, begin_s: float = 4.0, end_s: float = 11.0) -> Path:
    """A stretch of the synthesised soundscape as a WAV: the great tit sings from 4.0 to 8.5 s."""
    samples = soundscape(RATE)[round(begin_s * RATE) : round(end_s * RATE)]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def configure(folder: Path, source: dict[str, Any], port: int, /, **others: Any) -> Path:  # noqa: ANN401
    """A configuration file; the store is the folder `store` beside it."""
    settings = {
        "station": STATION,
        "source": source,
        "store": {"directory": str(folder / "store")},
        "mqtt": {"host": "127.0.0.1", "port": port},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings | others), encoding="utf-8")
    return path


def recordings(*paths: Path, speed: float | None = None) -> dict[str, Any]:
    """A source that plays files."""
    return {"kind": "recordings", "paths": [str(path) for path in paths], "speed": speed}


def kept(store: Path) -> dict[str, list[dict[str, Any]]]:
    """All tables of a store, each row by column name, read while the daemon may write."""
    if not (store / FILE).exists():
        return {table: [] for table in (*TABLES, "outbox")}
    with closing(sqlite3.connect(store / FILE, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in names if not name.startswith("sqlite_")]
        return {name: [_read(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in tables}  # noqa: S608


def _read(row: sqlite3.Row) -> dict[str, Any]:
    """A row by column name; noise is kept as JSON."""
    cells = dict(row)
    return cells | {name: json.loads(cells[name]) for name in cells if name == "noise_dbfs"}


class Daemon:
    """`dawnchorus run`, the command as it is installed."""

    def __init__(self, config: Path, environment: dict[str, str] | None = None) -> None:
        self.log = config.with_name("daemon.log")
        with self.log.open("ab") as log:
            command = [str(COMMAND), "run", "--config", str(config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | (environment or {}))

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def ended(self, seconds: float = 45.0) -> int:
        """Its exit code, when it ends by itself."""
        return self.process.wait(seconds)

    def stop(self, seconds: float) -> int:
        """Its exit code after SIGTERM; the test fails where it takes longer."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.process.kill()
        self.process.wait()


def run(*arguments: object, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """A command of `dawnchorus` that ends by itself."""
    command = [str(part) for part in (COMMAND, *arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=45, env=os.environ | (environment or {})
    )


class Broker:
    """mosquitto on a free port of the loopback. What it acknowledged it has on disk, whatever kills it."""

    def __init__(self, folder: Path, *settings: str) -> None:
        """`settings` are further lines of mosquitto.conf, and may contradict `allow_anonymous true`."""
        folder.mkdir(parents=True)
        self.folder, self.port = folder, free_port()
        access = [] if any(line.startswith("allow_anonymous") for line in settings) else ["allow_anonymous true"]
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",  # if root started it; else mosquitto ignores this
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            "max_queued_messages 0",
            *access,
            *settings,
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Listen, with what the last run left on the disk."""
        with (self.folder / "broker.log").open("ab") as log:
            command = [required("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: answers(self.port), f"mosquitto listens; see {self.folder}/broker.log")
        return self

    def hurry(self) -> None:
        """From the next start on write to the disk at the end only, which is much faster."""
        path = self.folder / "mosquitto.conf"
        path.write_text(path.read_text(encoding="utf-8").replace("autosave_interval 1\n", "autosave_interval 0\n"))

    def said(self) -> str:
        """Its log so far."""
        return (self.folder / "broker.log").read_text(encoding="utf-8")

    def reload(self) -> None:
        """Read the access rules again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it with SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL: subscriptions made since the last message are forgotten."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)


@dataclass(frozen=True, slots=True)
class Received:
    """What a subscriber was sent."""

    topic: str
    payload: bytes
    retained: bool
    """sent because of a new subscription, not because it was just published"""

    @property
    def level(self) -> str:
        """The last topic level: detections, effort or status."""
        return self.topic.rpartition("/")[2]

    @property
    def content(self) -> dict[str, Any]:
        """The payload as JSON."""
        return json.loads(self.payload)


class Subscriber:
    """mosquitto_sub, which writes down every message under `dawnchorus/`."""

    def __init__(self, port: int, folder: Path, *options: str, durable: bool = True) -> None:
        """Subscribed when made. A durable one loses nothing while broker or connection are away."""
        folder.mkdir(parents=True)
        self._notes = folder / "received"
        command = [required("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "dawnchorus/#"]
        command += [*options, *(["-c", "-i", folder.name] if durable else [])]
        if durable:
            subprocess.run([*command, "-E"], check=True, timeout=20)  # returns when the broker knows of it
        with self._notes.open("wb") as notes:
            self._process = subprocess.Popen(
                ["stdbuf", "-oL", *command, "-d", "-F", "message %r %t %x"], stdout=notes, stderr=subprocess.DEVNULL
            )
        # It comes back by itself to a broker that went away, but only to one that it reached before.
        until(lambda: any("SUBACK" in line for line in self._lines()), "mosquitto_sub has subscribed")

    def _lines(self) -> list[str]:
        """What it wrote: messages, and among them a line for each packet, which `-d` asks for."""
        return self._notes.read_text(encoding="utf-8").split("\n")[:-1]

    def received(self) -> list[Received]:
        """All messages so far."""
        parts = [line.split(" ")[1:] for line in self._lines() if line.startswith("message ")]
        return [Received(topic, bytes.fromhex(payload), retained == "1") for retained, topic, payload in parts]

    def records(self) -> list[Received]:
        """All detections and accounts of effort so far."""
        return [message for message in self.received() if message.level in TABLES]

    def states(self) -> list[str]:
        """What the status topic said, as it happened."""
        return [m.content["state"] for m in self.received() if m.level == "status" and not m.retained]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def retained_status(port: int, folder: Path) -> list[str]:
    """What a subscriber that comes now is told of the station's status."""
    late = Subscriber(port, folder, durable=False)
    try:
        until(late.received, "a retained message")
        return [m.content["state"] for m in late.received() if m.level == "status" and m.retained]
    finally:
        late.close()


class Supervisor:
    """The socket that systemd would give to a service of Type=notify."""

    def __init__(self, address: str) -> None:
        """`address` is a path, or a name that begins with @."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._told: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.environment = {"NOTIFY_SOCKET": address}

    def told(self) -> list[str]:
        """All notifications so far, each a text of lines."""
        return list(self._told)

    def heard(self, text: str) -> int:
        """How many notifications say this."""
        return sum(text in told for told in self.told())

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reading.join(5)
        self._socket.close()

    def _read(self) -> None:
        """Take what comes at once: the queue of such a socket is short, and who tells waits for a place in it."""
        while told := self._socket.recv(65536):
            self._told.append(told.decode())


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path fits into the address of a socket, which pytest's may not."""
    folder = Path(tempfile.mkdtemp(prefix="dc-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class SoundServer:
    """PulseAudio with a wall to play against and an ALSA microphone `mic` that hears the wall, sample by sample."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home, state = folder / "home", folder / "run"
        home.mkdir(parents=True)
        state.mkdir(mode=0o700)
        self.environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(state),
            "PULSE_RUNTIME_PATH": str(state),
            "PULSE_STATE_PATH": str(state),
            "PULSE_SERVER": f"unix:{state}/native",
        }
        script = f"load-module module-native-protocol-unix auth-anonymous=1 socket={state}/native\n"
        (folder / "default.pa").write_text(script, encoding="utf-8")
        asoundrc = 'pcm.mic { type pulse device "wall.monitor" hint { show on description "test mic" } }\n'
        (home / ".asoundrc").write_text(asoundrc, encoding="utf-8")
        self._server: subprocess.Popen[bytes] | None = None
        self._drain: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and put up the wall."""
        options = ["--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--realtime=no", "--high-priority=no"]
        self._server = self._run("pulseaudio", "-n", "-F", str(self.folder / "default.pa"), *options)
        until((self.folder / "run" / "native").exists, "PulseAudio's socket")
        self.plug()

    def plug(self) -> None:
        """Put up the wall."""
        wall = ["sink_name=wall", "format=s16le", f"rate={RATE}", "channels=1"]
        self._wall = self.control("load-module", "module-null-sink", *wall).strip()
        # a listener that wants small blocks keeps the latency low
        self._drain = self._run("parec", "-d", "wall.monitor", "--latency-msec=50", "--raw")

    def unplug(self) -> None:
        """Take the wall away, with the microphone that hears it."""
        self.control("unload-module", self._wall)
        self._end(self._drain)

    def freeze(self) -> None:
        """Stop the server without ending it, as a hung USB device does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server go on."""
        self._signal(signal.SIGCONT)

    def play(self, path: Path) -> "subprocess.Popen[bytes]":
        """Play a recording against the wall."""
        return self._run("paplay", "--device=wall", str(path))

    def control(self, *arguments: str) -> str:
        """What pactl answers."""
        command = [required("pactl"), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10, env=os.environ | self.environment
        ).stdout

    def stop(self) -> None:
        """End it."""
        self._end(self._drain)
        self._end(self._server)
        (self.folder / "run" / "native").unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)

    def _run(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [required(name), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | self.environment,
            )

    @staticmethod
    def _end(process: "subprocess.Popen[bytes] | None") -> None:
        if process is not None:
            process.kill()
            process.wait()


def noise(path: Path) -> Samples:
    """Write 3 s of 16-bit noise between silences, for PulseAudio may alter the beginning; return it, shape (n,)."""
    samples = np.random.default_rng(7).integers(-20_000, 20_000, 3 * RATE, dtype=np.int16)
    before, after = np.zeros(3 * RATE // 2, np.int16), np.zeros(RATE // 2, np.int16)
    soundfile.write(path, np.concatenate([before, samples, after]), RATE, subtype="PCM_16")
    return (samples / 32_768).astype(np.float32)

"""Weeks of audio through the daemon while its surroundings break: what it holds stays flat, and nothing is missing.

    recordings of an hour, as fast as they can be analysed -> the command as it is installed -> broker -> subscriber

Each wait between two faults and each fault are drawn by chance: the broker is killed, stopped or frozen, the disk is
full, the wall clock jumps, the daemon is killed or frozen. The store lies on a small disk of its own and what is
delivered and older than two days is taken out of it, as `dawnchorus upkeep` does. Every hour that a kill cut short is
heard again, under another name. Needs root for the disk, and libfaketime for the clock; without them these faults
are left out, and it says so. Sound servers break in real time only, so they do in tests/test_microphone.py.

Bars: after the first days memory, descriptors, threads and the store grow no more; every minute of an hour that was
heard to its end is in the ledger; a killed one has a beginning without a hole; sequence numbers arrive without a hole.
"""

import argparse
import json
import math
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import soundfile
import yaml

from monitor.resample import resample
from monitor.sinks.database import FILE, connect
from monitor.soundscape import SOUNDSCAPE_S, soundscape, wind
from monitor.upkeep import prune

RATE = 32_000
HOUR_S, HOUR_MINUTES, DAY_HOURS = 3600, 60, 24
STEP_S = 2.0
"""of windows that follow each other: weeks must pass in an hour"""
PAUSE_S = 60.0
"""of wind after each soundscape, for the same reason; three songs in 90 s are more than a place has"""
KEEP = timedelta(days=2)
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
DISK_MB = 96
LOOK_S = 1.0
FAULT_EVERY_MINUTES = (20.0, 300.0)
"""of audio"""
OUTAGE_S = (1.0, 6.0)
JUMPS = ("+0", "+3600s", "-86400s", "+30d")
FAKETIME = "/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1"


@dataclass(slots=True)
class Day:
    """What the daemon held at most on one day of audio."""

    memory_mb: float = 0.0
    descriptors: int = 0
    threads: int = 0
    store_mb: float = 0.0

    def take(self, daemon: psutil.Process, store: Path) -> None:
        """Look once."""
        with suppress(psutil.Error):
            self.memory_mb = max(self.memory_mb, daemon.memory_info().rss / 1e6)
            self.descriptors = max(self.descriptors, daemon.num_fds())
            self.threads = max(self.threads, daemon.num_threads())
        self.store_mb = max(self.store_mb, sum(path.stat().st_size for path in store.glob(f"{FILE}*")) / 1e6)


class Ledger:
    """Counts minutes of recordings as long as the store has them."""

    def __init__(self, store: Path) -> None:
        self._path = store / FILE
        self.minutes: dict[str, int] = {}
        """by recording"""
        self.faults: list[str] = []

    def read(self) -> None:
        """Take what is there; what is no unbroken beginning of a recording is a fault."""
        if not self._path.exists():
            return
        found: dict[str, list[float]] = {}
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            for recording, start_s in connection.execute("SELECT recording, start_s FROM minutes ORDER BY rowid"):
                found.setdefault(recording, []).append(start_s)
        for recording, starts in found.items():
            if starts[0] == 0:  # of others the beginning was taken out
                self.minutes[recording] = len(starts)
                if starts != [60.0 * index for index in range(len(starts))]:
                    self.faults.append(f"{recording}: minutes {starts}")

    @property
    def total(self) -> int:
        """Minutes of all recordings."""
        return sum(self.minutes.values())

    @property
    def hours(self) -> int:
        """Recordings that were heard to their end."""
        return sum(count == HOUR_MINUTES for count in self.minutes.values())


@dataclass(slots=True)
class Field:
    """A station, its broker and who listens to it, in a folder."""

    folder: Path
    chance: random.Random
    port: int
    faketime: str | None
    on_small_disk: bool
    faults: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    broker: "subprocess.Popen[bytes]" = field(init=False)
    daemon: psutil.Popen = field(init=False)

    @property
    def store(self) -> Path:
        """Where the store lies."""
        return self.folder / "disk" / "store"

    def start_broker(self) -> None:
        """With all that it had acknowledged."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.broker = subprocess.Popen([program, "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)

    def start_daemon(self, hour: int, hours: int) -> None:
        """To hear the hours that are left, a day of them at most."""
        self.lives += 1
        life = self.folder / f"life{self.lives}"
        life.mkdir()
        for index in range(hour, min(hours, hour + DAY_HOURS)):
            begin = BEGIN + timedelta(hours=index)
            (life / f"{begin:%Y%m%dT%H%M%SZ}.wav").symlink_to(self.folder / f"hour{index % DAY_HOURS}.wav")
        config = {
            "source": {"kind": "recordings", "paths": [str(life)]},
            "store": {"directory": str(self.store)},
            "detection": {"step_s": STEP_S},
            "mqtt": {"host": "127.0.0.1", "port": self.port, "keepalive_s": 5},
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "monitor", "run", "--config", str(self.folder / "config.yaml")]
        environment = os.environ | {} if self.faketime is None else os.environ | self._lying(self.faketime)
        with (self.folder / "daemon.log").open("ab") as log:
            self.daemon = psutil.Popen(command, stderr=log, env=environment)

    def set_clock(self, jump: str) -> None:
        """Of the daemon alone."""
        (self.folder / "new").write_text(f"{jump}\n", encoding="ascii")
        (self.folder / "new").replace(self.folder / "clock")

    def break_something(self) -> None:
        """A fault, and its end."""
        named = {
            "broker killed": self._broker_killed,
            "broker stopped": self._broker_stopped,
            "broker frozen": self._broker_frozen,
            "daemon frozen": self._daemon_frozen,
            "daemon killed": self._daemon_killed,
        }
        named |= {"disk full": self._disk_full} if self.on_small_disk else {}
        named |= {"clock jumped": self._clock_jumped} if self.faketime else {}
        name = self.chance.choice(sorted(named))
        self.faults[name] += 1
        named[name]()

    def _lying(self, library: str) -> dict[str, str]:
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def _broker_killed(self) -> None:
        self._end_broker(signal.SIGKILL)

    def _broker_stopped(self) -> None:
        self._end_broker(signal.SIGTERM)

    def _end_broker(self, number: signal.Signals) -> None:
        self.broker.send_signal(number)
        self.broker.wait()
        self._wait()
        self.start_broker()

    def _broker_frozen(self) -> None:
        self.broker.send_signal(signal.SIGSTOP)
        self._wait(4)
        self.broker.send_signal(signal.SIGCONT)

    def _daemon_frozen(self) -> None:
        self.daemon.send_signal(signal.SIGSTOP)
        self._wait()
        self.daemon.send_signal(signal.SIGCONT)

    def _daemon_killed(self) -> None:
        self.daemon.kill()

    def _disk_full(self) -> None:
        ballast = self.folder / "disk" / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        self._wait()
        ballast.unlink()

    def _clock_jumped(self) -> None:
        self.set_clock(self.chance.choice(JUMPS))

    def _wait(self, times: float = 1.0) -> None:
        time.sleep(times * self.chance.uniform(*OUTAGE_S))


def write_hours(folder: Path) -> None:
    """Recordings of an hour: the soundscape and wind over and over, each time a little louder or softer.

    As many as a life may hear, for the same file is the same recording. They take 5 GB.
    """
    rng = np.random.default_rng(1)
    once = np.concatenate([resample(soundscape(), 48_000, RATE), 0.05 * wind(RATE, PAUSE_S, rng)]).clip(-1, 1)
    with soundfile.SoundFile(folder / "hour0.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(math.ceil(HOUR_S / (SOUNDSCAPE_S + PAUSE_S))):
            file.write(once * np.float32(rng.uniform(0.3, 1.0)))
    for index in range(1, DAY_HOURS):
        shutil.copyfile(folder / "hour0.wav", folder / f"hour{index}.wav")


def write_broker_settings(folder: Path) -> int:
    """A mosquitto that keeps what it acknowledged; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "user root",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
        "max_queued_messages 0",
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="ascii")
    return port


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own in `folder`; False where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def subscribed(folder: Path, port: int) -> Iterator[Path]:
    """Somebody who is sent everything, also what was published while the broker was away; yields its notes."""
    program = shutil.which("mosquitto_sub") or "mosquitto_sub"
    command = [program, "-p", str(port), "-q", "1", "-c", "-i", "soak", "-t", "dawnchorus/station/#"]
    subprocess.run([*command, "-E"], check=True)
    with (folder / "received").open("wb") as notes, subprocess.Popen(command, stdout=notes) as listening:
        try:
            yield folder / "received"
        finally:
            listening.terminate()


def faketime() -> str | None:
    """The library that makes a clock lie."""
    found = [path for name in ("x86_64", "aarch64") if Path(path := FAKETIME.format(name)).exists()]
    return next(iter(found), None)


def live(there: Field, hours: int, days: dict[int, Day], until: float) -> Ledger:
    """Hear all hours, or as many as there is time for, through all faults; tell of each day."""
    ledger, told = Ledger(there.store), 0
    while ledger.hours < hours and time.monotonic() < until:
        there.start_daemon(ledger.hours, hours)
        next_fault = ledger.total + there.chance.uniform(*FAULT_EVERY_MINUTES)
        while there.daemon.poll() is None and time.monotonic() < until:
            time.sleep(LOOK_S)
            ledger.read()
            day = ledger.hours // DAY_HOURS
            days.setdefault(day, Day()).take(there.daemon, there.store)
            if day > told:
                told = day
                tell(day - 1, days[day - 1], there)
            tidy(there.store / FILE, BEGIN + timedelta(hours=ledger.hours))
            if ledger.total > next_fault and ledger.hours < hours:
                there.break_something()
                next_fault = ledger.total + there.chance.uniform(*FAULT_EVERY_MINUTES)
        end(there)
        ledger.read()
    if told in days:
        tell(told, days[told], there)
    return ledger


def tidy(store: Path, now: datetime) -> None:
    """As `dawnchorus upkeep` does it, at some time; a disk that is full just now is none."""
    if store.exists():
        with suppress(sqlite3.Error), closing(connect(store)) as connection:
            prune(connection, KEEP, now)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def end(there: Field) -> None:
    """Of a life, if it is not over yet."""
    with suppress(psutil.NoSuchProcess):
        there.daemon.terminate()
    there.daemon.wait(60)


def tell(day: int, held: Day, there: Field) -> None:
    """A line a day."""
    print(
        f"day {day + 1:2d}: {held.memory_mb:6.1f} MB, {held.descriptors:3d} descriptors, {held.threads:2d} threads, "
        f"store {held.store_mb:5.1f} MB, {there.lives} lives, {there.faults.total()} faults so far",
        flush=True,
    )


def sequences(notes: Path) -> Counter[int]:
    """How often each number arrived."""
    found: Counter[int] = Counter()
    with notes.open(encoding="utf-8") as lines:
        for line in lines:
            with suppress(json.JSONDecodeError):
                if (number := json.loads(line).get("sequence")) is not None:
                    found[number] += 1
    return found


def deliver(there: Field) -> int:
    """Let a last life send what is left; the last number that was given."""
    there.start_daemon(0, 1)
    there.daemon.wait()
    with closing(sqlite3.connect(there.store / FILE)) as connection:
        last, left = connection.execute("SELECT last_sequence, rows FROM outbox_totals").fetchone()
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    print(f"integrity check: {said}; {left} messages left in the outbox")
    return int(last)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Until it holds, or for so long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def verdict(there: Field, ledger: Ledger, last: int, notes: Path) -> None:
    """What is whole."""
    wait_for(lambda: last in sequences(notes), 60)
    arrived = sequences(notes)
    missing = [number for number in range(1, last + 1) if number not in arrived]
    cut = len(ledger.minutes) - ledger.hours
    print(f"faults: {', '.join(f'{count} x {name}' for name, count in sorted(there.faults.items())) or 'none'}")
    print(
        f"{ledger.total / HOUR_MINUTES:.1f} hours in the ledger, {ledger.hours} of them whole, "
        f"{cut} cut short, {len(ledger.faults)} with a hole"
    )
    print(f"{last} messages, {len(missing)} missing, {arrived.total() - len(arrived)} came twice")
    for fault in [*ledger.faults[:3], *map(str, missing[:10])]:
        print(f"FAULT: {fault}")


def soak(there: Field, hours: int, until: float) -> None:
    """All of it, until a monotonic time."""
    began = time.monotonic()
    with subscribed(there.folder, there.port) as notes:
        ledger = live(there, hours, {}, until)
        speed = ledger.total * 60 / (time.monotonic() - began)
        verdict(there, ledger, deliver(there), notes)
    print(f"{speed:.0f} times real time")


def main() -> None:
    """Print a line a day, and what is whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24, help="of audio")
    parser.add_argument("--minutes", type=float, default=1e6, help="that it may take at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name, small_disk(Path(name) / "disk") as on_small_disk:
        folder = Path(name)
        write_hours(folder)
        there = Field(folder, random.Random(options.seed), write_broker_settings(folder), faketime(), on_small_disk)  # noqa: S311
        there.set_clock("+0")
        there.start_broker()
        time.sleep(1)
        print(f"small disk: {on_small_disk}, lying clock: {there.faketime is not None}", flush=True)
        try:
            soak(there, options.hours, began + 60 * options.minutes)
        finally:
            for process in (there.daemon, there.broker):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                process.wait()


if __name__ == "__main__":
    main()

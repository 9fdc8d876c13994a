"""Stations far away, as processes, and what is heard of them."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from field_station import TELL
from rigs import STATION, Subscriber, configure, kept, recordings, until

from monitor.delivery.batches import unpack


class Wanderer:
    """A station far away, as a process."""

    def __init__(self, folder: Path, name: str, mqtt: dict[str, Any], *before: str, store: Path | None = None) -> None:
        """`before`: a command that the process is started with."""
        folder.mkdir()
        self.name, self.store = name, store or folder / "store"
        mqtt = {"prefix": f"dawnchorus/{name}", "keepalive_s": 5} | mqtt
        config = configure(folder, recordings(), 0, mqtt=mqtt, store={"directory": str(self.store)})
        self._log = folder / "station.log"
        with self._log.open("wb") as log:
            script = Path(__file__).with_name("field_station.py")
            command = [*before, sys.executable, str(script), str(config)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self._measure = psutil.Process(self._process.pid)

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Until it has said something so many times."""
        until(lambda: self.said().count(text) >= count, f"{self.name} says {text!r}: {self.said()}", 40)

    @property
    def used(self) -> tuple[float, float, int]:
        """Now, the seconds of a core that it has taken, and its resident bytes."""
        times = self._measure.cpu_times()
        return time.monotonic(), times.user + times.system, self._measure.memory_info().rss

    def ids(self) -> set[str]:
        """What it has kept."""
        return {row["id"] for row in kept(self.store)["detections"]}

    def stop(self) -> int:
        """How many detections it made."""
        self._process.terminate()
        try:
            made, _ = self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(TELL)
            time.sleep(1)
            pytest.fail(f"{self.name} did not end: {self.said()}")
        return int(made)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._process.kill()
        self._process.wait()


class Listener:
    """What arrives of each station."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def ids(self, station: Wanderer) -> set[str]:
        """Of its detections."""
        return {message["id"] for message in self.detections(station)}

    def wait_for(self, station: Wanderer, ids: set[str]) -> None:
        """Until these have arrived."""
        until(lambda: self.ids(station) >= ids, f"all of {station.name}: {station.said()}", 60)

    def check(self, station: Wanderer) -> None:
        """At its end everything that it made is here, and the numbers prove it."""
        made = station.stop()
        ids = station.ids()
        self.wait_for(station, ids)
        assert len(ids) == made
        assert {message["sequence"] for message in self.detections(station)} == set(range(1, made + 1))
        assert kept(station.store)["outbox"] == []

    def payloads(self, station: Wanderer, level: str) -> list[bytes]:
        """All that came to a topic of its own."""
        topic = f"dawnchorus/{station.name}/{STATION}/{level}"
        return [message.payload for message in self._subscriber.received() if message.topic == topic]

    def detections(self, station: Wanderer) -> list[dict[str, Any]]:
        """Alone or in batches."""
        packed = [message for batch in self.payloads(station, "batches") for message in unpack(batch)]
        alone = self.payloads(station, "detections")
        return [json.loads(payload) for payload in [*alone, *(p for level, p in packed if level == "detections")]]

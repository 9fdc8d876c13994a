"""A fleet for the tests: messages as stations publish them, collectors as processes, a PostgreSQL of the test's own."""

import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import psycopg
import pytest
import yaml
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.rows import dict_row
from rigs import COMMAND, short_folder, until

from monitor.messages import (
    CorrectionMessage,
    DeliveredMessage,
    DetectionMessage,
    DroppedMessage,
    EffortMessage,
    HealthMessage,
    OutboxHealth,
    StatusMessage,
)

LEVELS: dict[type[Any], str] = {
    DetectionMessage: "detections",
    EffortMessage: "effort",
    CorrectionMessage: "corrections",
    DroppedMessage: "dropped",
    StatusMessage: "status",
    HealthMessage: "health",
}


def detection(station: str, sequence: int, store: str = "a", **others: Any) -> DetectionMessage:  # noqa: ANN401
    """A detection of one of a station's stores."""
    return DetectionMessage(
        **{
            "id": f"{store}-{sequence}",
            "station": station,
            "sequence": sequence,
            "recording": "microphone",
            "onset_utc": "2026-05-01T04:12:07.250Z",
            "offset_utc": "2026-05-01T04:12:10.250Z",
            "clock_quality": "ntp",
            "clock_error_s": 0.01,
            "onset_s": 3.0 * sequence,
            "offset_s": 3.0 * sequence + 3,
            "label": "parus_major",
            "scientific_name": "Parus major",
            "common_name": "Great Tit",
            "confidence": 0.93,
            "model": "starter",
            **others,
        }
    )


def effort(station: str, sequence: int, store: str = "a") -> EffortMessage:
    """An account of an hour, three quarters of it heard."""
    return EffortMessage(
        id=f"{store}-{sequence}",
        station=station,
        sequence=sequence,
        recording="microphone",
        start_utc="2026-05-01T04:00:00.000Z",
        end_utc="2026-05-01T05:00:00.000Z",
        clock_quality="ntp",
        start_s=0.0,
        end_s=3600.0,
        heard_s=2700.0,
        lost_s=900.0,
        noise_dbfs={"1000": -61.5},
        model="starter",
    )


def correction(station: str, sequence: int, of: str, onset_utc: str) -> CorrectionMessage:
    """Another time for a detection, with a second between its ends."""
    return CorrectionMessage(
        id=of,
        station=station,
        sequence=sequence,
        of="detections",
        onset_utc=onset_utc,
        offset_utc=onset_utc.replace("00.000Z", "01.000Z"),
        clock_quality="gps",
        clock_error_s=None,
    )


def dropped(station: str, sequence: int, first: int, last: int) -> DroppedMessage:
    """A station gave up some."""
    return DroppedMessage(
        id=f"dropped-{sequence}",
        station=station,
        sequence=sequence,
        first_sequence=first,
        last_sequence=last,
        count=last - first + 1,
        reason="rows",
    )


def status(station: str, state: str = "online") -> StatusMessage:
    """What the retained status says."""
    return msgspec.convert(
        {"station": station, "state": state, "version": "1", "started_utc": "2026-05-01T00:00:00.000Z", "model": "m"},
        StatusMessage,
    )


def health(station: str, **others: Any) -> HealthMessage:  # noqa: ANN401
    """A station that fares well."""
    fine = {
        "station": station,
        "at_utc": "2026-05-01T04:13:00.000Z",
        "uptime_s": 3600.0,
        "clock_quality": "ntp",
        "clock_error_s": 0.01,
        "sources": [],
        "models": [],
        "outbox": OutboxHealth(
            rows=0, bytes=0, refused=0, refused_reason=None, dropped=0, oldest_utc=None, last_sequence=0
        ),
        "detections_today": 12,
        "store_failing_s": None,
        "free_disk_bytes": 10**10,
        "memory_bytes": 10**8,
        "cpu_share": 0.2,
        "temperature_c": 41.0,
    }
    return HealthMessage(**(fine | others))


def mixed(station: str, count: int, store: str = "a") -> list[DeliveredMessage]:
    """Messages 1 to `count` of a store: every tenth an account of effort."""
    return [effort(station, n, store) if n % 10 == 0 else detection(station, n, store) for n in range(1, count + 1)]


def disordered(messages: Sequence[DeliveredMessage], chance: random.Random) -> list[DeliveredMessage]:
    """All of them, a fifth twice, in an order of their own."""
    twice = [*messages, *chance.sample(list(messages), len(messages) // 5)]
    chance.shuffle(twice)
    return twice


def topic(message: Any) -> str:  # noqa: ANN401
    """Where it is published."""
    return f"dawnchorus/{message.station}/{LEVELS[type(message)]}"


class Air:
    """A client that publishes for any number of stations at QoS 1."""

    def __init__(self, port: int) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def say(self, *messages: Any) -> None:  # noqa: ANN401
        """Publish, and wait until the broker has all."""
        sent = [self._send(topic(message), msgspec.json.encode(message), message) for message in messages]
        for one in sent:
            one.wait_for_publish(20)
            assert one.is_published()

    def raw(self, where: str, payload: bytes) -> None:
        """Publish bytes."""
        self._client.publish(where, payload, qos=1).wait_for_publish(20)

    def close(self) -> None:
        """Go away."""
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, where: str, payload: bytes, message: Any) -> Any:  # noqa: ANN401
        retain = isinstance(message, StatusMessage | HealthMessage)
        return self._client.publish(where, payload, qos=1, retain=retain)


@contextmanager
def air(port: int) -> Iterator[Air]:
    """Publish through a broker."""
    client = Air(port)
    try:
        yield client
    finally:
        client.close()


class CollectorProcess:
    """`dawnchorus collect`, the command as it is installed."""

    def __init__(self, folder: Path, port: int, target: str, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump({"mqtt": {"host": "127.0.0.1", "port": port}, "log": "info"}))
        self._command = [str(COMMAND), "collect", target, "--config", str(config), *options]
        self._log = folder / "collector.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Run it, and return when the broker knows what it wants to hear."""
        before = self.said().count("broker: 127")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: self.said().count("broker: 127") > before, f"the collector connects; see {self._log}")
        return self

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def stop(self) -> int:
        """End it with SIGTERM."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)


def _programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps out of the way."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("not on this system: postgresql")
    return found[-1]


class Cluster:
    """A PostgreSQL that listens on a socket in its folder, run by a user who is not root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql://birds@/postgres?host={folder}"
        self._as = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        if self._as:
            os.chmod(folder, 0o777)  # noqa: PTH101, S103 it is nobody's
        programs = _programs()
        self._postgres = [*self._as, str(programs / "postgres"), "-D", str(folder / "db"), "-k", str(folder)]
        self._postgres += ["-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
        initdb = [str(programs / "initdb"), "-D", str(folder / "db"), "-U", "birds", "-A", "trust", "-N"]
        subprocess.run([*self._as, *initdb], check=True, capture_output=True, cwd=folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Listen."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._postgres, stdout=log, stderr=log, cwd=self.folder)
        until(self._answers, "PostgreSQL listens")
        return self

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query answers."""
        options = "-c search_path=dawnchorus -c timezone=UTC"
        with psycopg.connect(self.url, options=options, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    def stop(self) -> None:
        """End it at once, as a crash would: its next start recovers."""
        pid = int((self.folder / "db" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        assert self._process is not None
        self._process.wait(20)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that runs."""
    with short_folder() as folder:
        made = Cluster(folder).start()
        try:
            yield made
        finally:
            made.stop()

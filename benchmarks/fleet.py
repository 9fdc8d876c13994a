"""A fleet at one broker, collected by two: whether all is there, and how fast against subscribers that keep nothing.

    python benchmarks/fleet.py [--stations 500] [--messages 100] [--database postgresql://...]

The messages are real ones, at QoS 1, a tenth of them twice, none of them further than fifty from its place. Each
connection to the broker plays many stations. Both runs get the same messages over the same broker.
"""

import argparse
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing import Process, Value
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from monitor.errors import StoreError
from monitor.fleet import folder, postgres
from monitor.fleet.gaps import Account, account
from monitor.messages import DetectionMessage

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

CONNECTIONS = 2
"""that play the fleet"""
LISTENERS = 2
NEAR = 50
PATIENCE_S = 300.0
POLL_S = 0.2


def main() -> None:
    """Print both speeds and their ratio; exit with 1 where a message is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stations", type=int, default=500)
    parser.add_argument("--messages", type=int, default=100, help="of each station")
    parser.add_argument("--database", help="collect into it, in the place of two folders")
    given = parser.parse_args()
    stations = [f"station{number:04d}" for number in range(given.stations)]
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(broker(path))
        targets = [given.database] * LISTENERS if given.database else [str(path / f"{n}") for n in range(LISTENERS)]
        shares = [share(stations[part::CONNECTIONS], given.messages, part) for part in range(CONNECTIONS)]
        heard = Value("q", 0)
        total = sum(map(len, shares))
        bare_s = seconds(port, shares, bare(port, heard), lambda: heard.value >= total)
        collected_s = seconds(
            port, shares, collectors(port, path, targets), lambda: all_here(report(targets), stations, given.messages)
        )
        found = report(targets)
    print(f"subscribers that keep nothing: {total / bare_s:.0f} messages a second")
    print(f"collectors: {total / collected_s:.0f} messages a second, {bare_s / collected_s:.2f} of that")
    complete = sum(one.complete and one.received == given.messages for one in found)
    print(f"{complete} of {given.stations} stations complete, {sum(one.received for one in found)} messages kept")
    raise SystemExit(complete != given.stations)


def share(stations: Sequence[str], count: int, seed: int) -> list[tuple[str, bytes]]:
    """What some stations publish, as topics and payloads."""
    chance = random.Random(seed)  # noqa: S311
    order = [
        (sequence + chance.uniform(0, NEAR), station, sequence) for station in stations for sequence in range(count)
    ]
    order += [(place + chance.uniform(0, NEAR), *rest) for place, *rest in chance.sample(order, len(order) // 10)]
    return [(f"dawnchorus/{station}/detections", detection(station, n + 1)) for _, station, n in sorted(order)]


def detection(station: str, sequence: int) -> bytes:
    """A message of a usual size."""
    message = DetectionMessage(
        id=f"{station}-7c9e6679-7425-40de-944b-{sequence:08x}",
        station=station,
        sequence=sequence,
        recording="microphone",
        onset_utc="2026-05-01T04:12:07.250Z",
        offset_utc="2026-05-01T04:12:10.250Z",
        clock_quality="ntp",
        clock_error_s=0.01,
        onset_s=3.0 * sequence,
        offset_s=3.0 * sequence + 3.0,
        label="Parus major_Great Tit",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.93,
        model="starter",
    )
    return msgspec.json.encode(message)


def seconds(
    port: int,
    shares: Sequence[Sequence[tuple[str, bytes]]],
    listening: AbstractContextManager[None],
    done: Callable[[], bool],
) -> float:
    """Wall seconds from the first message to the last that was heard."""
    with listening:
        begin = time.perf_counter()
        speaking = [Process(target=speak, args=(port, share)) for share in shares]
        for process in speaking:
            process.start()
        for process in speaking:
            process.join()
        while not done() and time.perf_counter() - begin < PATIENCE_S:
            time.sleep(POLL_S)
        return time.perf_counter() - begin


def speak(port: int, share: Sequence[tuple[str, bytes]]) -> None:
    """Publish, and return when the broker has all."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.max_inflight_messages_set(200)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in [client.publish(topic, payload, qos=1) for topic, payload in share]:
        sent.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


@contextmanager
def broker(path: Path) -> Iterator[int]:
    """A mosquitto that keeps all; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = path / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "user root", "max_queued_messages 0"]
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    with subprocess.Popen([str(program), "-c", str(settings)], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(port))
            yield port
        finally:
            process.terminate()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    """RuntimeError where it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            msg = f"not within {PATIENCE_S:g} s"
            raise RuntimeError(msg)
        time.sleep(0.05)


@contextmanager
def bare(port: int, heard: "Synchronized[int]") -> Iterator[None]:
    """Subscribers that share the fleet and count."""
    ready = Value("q", 0)
    processes = [Process(target=hear, args=(port, heard, ready), daemon=True) for _ in range(LISTENERS)]
    for process in processes:
        process.start()
    wait_until(lambda: ready.value == LISTENERS)
    yield
    for process in processes:
        process.kill()
        process.join()


def hear(port: int, heard: "Synchronized[int]", ready: "Synchronized[int]") -> None:
    """Count, and acknowledge at once."""

    def add(counter: "Synchronized[int]") -> None:
        with counter.get_lock():
            counter.value += 1

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.on_message = lambda *_: add(heard)
    client.on_subscribe = lambda *_: add(ready)
    client.connect("127.0.0.1", port)
    client.subscribe("$share/bare/dawnchorus/+/detections", qos=1)
    client.loop_forever()


@contextmanager
def collectors(port: int, path: Path, targets: Sequence[str]) -> Iterator[None]:
    """`dawnchorus collect`, as many as there are targets, sharing the fleet."""
    config = path / "config.yaml"
    config.write_text(yaml.safe_dump({"mqtt": {"host": "127.0.0.1", "port": port}}), encoding="utf-8")
    logs = [path / f"log{number}" for number in range(len(targets))]
    processes = []
    for number, (target, log) in enumerate(zip(targets, logs, strict=True)):
        command = [sys.executable, "-m", "monitor", "collect", target, "--config", str(config)]
        command += ["--group", "fleet", "--name", f"collector{number}"]
        with log.open("wb") as file:
            processes.append(subprocess.Popen(command, stderr=file))
    wait_until(lambda: all("broker: 127" in log.read_text(encoding="utf-8") for log in logs))
    yield
    for process in processes:
        process.terminate()
        process.wait()


def report(targets: Sequence[str]) -> list[Account]:
    """What all collectors have together."""
    try:
        found = [
            postgres.look(target) if target.startswith(postgres.SCHEMES) else folder.look(Path(target))
            for target in dict.fromkeys(targets)
        ]
    except StoreError:
        return []
    return account(found)


def all_here(found: Sequence[Account], stations: Sequence[str], count: int) -> bool:
    """Whether nothing is missing."""
    return [one.station for one in found if one.complete and one.received == count] == list(stations)


if __name__ == "__main__":
    main()

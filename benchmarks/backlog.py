"""A month without a broker: how fast what waited is sent once there is one, and what memory that takes.

The outbox is filled, then drained by the publisher as it runs in the daemon, against a mosquitto of this run that keeps
nothing on the disk. Beside it paho alone sends as many messages of the same size at QoS 1 from memory to the same
broker. Bars: 1,000 messages a second, and memory that does not grow while it drains.
"""

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from paho.mqtt.client import Client, MQTTMessageInfo, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from sample import detection

from monitor.config.mqtt import Mqtt
from monitor.delivery.publisher import Publisher, Station
from monitor.messages import DetectionMessage, StatusMessage
from monitor.sinks.database import FILE, connect
from monitor.sinks.outbox import Outbox
from monitor.sinks.queueing import built, enqueue
from monitor.sinks.store import Store

IN_FLIGHT = 200
SETTLED_AFTER = 0.1
"""of the messages: from then on memory must not grow"""


def numbered(sequence: int) -> DetectionMessage:
    """A detection whose id says which it is."""
    return detection(f"6ba7b810-9dad-11d1-80b4-{sequence:012d}", sequence)


def fill(folder: Path, count: int) -> int:
    """An outbox of so many messages; returns the bytes of one."""
    Store(folder, "valley", 10 * count).close()
    connection = connect(folder / FILE)
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    for _ in range(count):
        enqueue(cursor, built(cursor, numbered))
    size = cursor.execute("SELECT bytes / rows FROM outbox_totals").fetchone()[0]
    cursor.execute("COMMIT")
    connection.close()
    return int(size)


def start_broker(folder: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """A mosquitto that keeps nothing on the disk, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages {IN_FLIGHT}\nuser root\n"
    (folder / "mosquitto.conf").write_text(settings, encoding="utf-8")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return broker, port
        time.sleep(0.05)
    sys.exit("mosquitto does not listen")


def drain(folder: Path, port: int, count: int) -> tuple[float, list[float]]:
    """Seconds until the outbox is empty, and resident memory in MB, from a tenth of the way on."""
    status = [
        StatusMessage(
            station="valley", state=state, version="0", started_utc="2026-05-01T12:00:00.000Z", model="starter"
        )
        for state in ("online", "offline")
    ]
    publisher = Publisher(Mqtt(host="127.0.0.1", port=port), Station(*status), folder / FILE)
    outbox, process, memory = Outbox(folder / FILE), psutil.Process(), list[float]()
    begin = time.monotonic()
    publisher.start()
    while left := outbox.count():
        if left < (1 - SETTLED_AFTER) * count:
            memory.append(process.memory_info().rss / 1e6)
        time.sleep(0.1)
    seconds = time.monotonic() - begin
    publisher.close(1.0)
    outbox.close()
    return seconds, memory


def bare(port: int, count: int, size: int) -> float:
    """Seconds that paho alone takes for as many messages, with as many in flight."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    room = threading.Semaphore(IN_FLIGHT)
    client.max_inflight_messages_set(IN_FLIGHT)
    client.on_publish = lambda *_: room.release()
    client.connect("127.0.0.1", port)
    client.loop_start()
    begin, payload = time.monotonic(), bytes(size)
    last: MQTTMessageInfo | None = None
    for _ in range(count):
        room.acquire()
        last = client.publish("dawnchorus/valley/detections", payload, 1)
    if last is not None:
        last.wait_for_publish(60)
    seconds = time.monotonic() - begin
    client.disconnect()
    client.loop_stop()
    return seconds


def main() -> None:
    """Print messages a second, their ratio to paho alone, and how memory went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = fill(folder / "store", count)
        broker, port = start_broker(folder)
        try:
            alone_s = bare(port, count, size)
            seconds, memory = drain(folder / "store", port, count)
        finally:
            broker.kill()
            broker.wait()
    print(f"{count} messages of {size} bytes: {count / seconds:.0f} a second; bar: 1,000")
    print(f"paho alone, from memory: {count / alone_s:.0f} a second; ratio {alone_s / seconds:.2f}")
    print(f"memory from {memory[0]:.1f} to {max(memory):.1f} MB while it drained")


if __name__ == "__main__":
    main()

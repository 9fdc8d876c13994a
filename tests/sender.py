"""A process that fills a store with detections and publishes them, until it is killed or done.

    python sender.py STORE PORT COUNT

It imports no more than it needs: the tests that kill it start it many times.
"""

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from monitor.config.mqtt import Mqtt
from monitor.delivery.publisher import Publisher, Station
from monitor.messages import DetectionMessage, StatusMessage
from monitor.sinks.database import FILE
from monitor.sinks.outbox import Outbox
from monitor.sinks.store import Store

ONLINE = StatusMessage(
    station="valley", state="online", version="0", started_utc="2026-05-01T12:00:00.000Z", model="starter"
)
OFFLINE = StatusMessage(
    station="valley", state="offline", version="0", started_utc="2026-05-01T12:00:00.000Z", model="starter"
)


def build(number: int) -> Callable[[int], DetectionMessage]:
    """What makes the message of a detection."""
    return lambda sequence: DetectionMessage(
        id=f"id-{number:06d}",
        station="valley",
        sequence=sequence,
        recording="garden.wav",
        onset_utc="2026-05-01T12:00:00.000Z",
        offset_utc="2026-05-01T12:00:03.000Z",
        clock_quality="ntp",
        onset_s=float(number),
        offset_s=number + 3.0,
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.8765,
        model="starter",
    )


def detections(folder: Path) -> int:
    """How many a store keeps."""
    with closing(sqlite3.connect(folder / FILE, timeout=10)) as connection:
        return int(connection.execute("SELECT count(*) FROM detections").fetchone()[0])


def main(folder: Path, port: int, count: int) -> None:
    """Go on where the process before was killed."""
    store = Store(folder, "valley", 1_000_000)
    publisher = Publisher(Mqtt(host="127.0.0.1", port=port), Station(ONLINE, OFFLINE), store.path)
    publisher.start()
    for number in range(detections(folder), count):
        store.add(build(number))
        publisher.wake()
    outbox = Outbox(store.path)
    while outbox.count():
        time.sleep(0.02)
    outbox.close()
    publisher.close(2.0)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

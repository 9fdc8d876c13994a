"""A station without a microphone: a process that keeps and publishes ten detections a second until SIGTERM.

    python field_station.py CONFIG

What it prints at the end is how many it made.
"""

import faulthandler
import signal
import sys
import threading
import time
from pathlib import Path

from test_mqtt import OFFLINE, ONLINE
from test_store import built

from monitor.cli.options import log
from monitor.config.reading import load
from monitor.config.settings import state_directory
from monitor.delivery.publisher import Publisher, Station
from monitor.signals import told
from monitor.sinks.store import Store

PAUSE_S = 0.1
TELL = signal.SIGUSR1
"""asks it what each of its threads does: the answer is in its log"""


def main(config: Path) -> int:
    """How many detections were made until somebody asked to stop."""
    settings = load(config)
    log(settings.log)
    faulthandler.register(TELL)
    stop, woken = threading.Event(), threading.Event()
    told((signal.SIGTERM,), stop)
    store = Store(state_directory(settings), settings.station, settings.store.outbox_rows, woken.set)
    publisher = Publisher(settings.mqtt, Station(ONLINE, OFFLINE), store.path)
    publisher.start()
    number = 0
    while not stop.wait(PAUSE_S):
        store.add(built(number))
        store.retry(time.monotonic())
        publisher.wake()
        number += 1
    publisher.close(3.0)
    store.close()
    return number


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))  # noqa: T201

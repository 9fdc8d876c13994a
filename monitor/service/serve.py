"""From the first signal handler to the last flush."""

import signal
import threading
from pathlib import Path

from monitor.classifier import STARTER, Classifier
from monitor.config.settings import Config
from monitor.service.session import Session
from monitor.service.streams import streams
from monitor.service.systemd import notify


def serve(config: Config) -> int:
    """Run until the recordings end or a signal asks to stop; return the number of recordings that failed.

    Raises ConfigError, ModelError, StoreError, RecordingError or BrokerError where it cannot start at all.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    classifier = Classifier(Path(config.model) if config.model else STARTER)
    session = Session(config, classifier, stop)
    found = streams(session)
    try:
        session.publisher.start()
        notify("READY=1\nSTATUS=waiting for audio")
        for stream in found:
            session.analyse(stream)
        notify("STOPPING=1")
    finally:
        session.close()
    return session.failures

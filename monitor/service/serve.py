"""From the first signal handler to the last flush."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime

from monitor.config.settings import Config
from monitor.recogniser import Recogniser, open_models, recognisers
from monitor.service.progress import Progress
from monitor.service.reload import Reload
from monitor.service.session import Session
from monitor.service.streams import Streams
from monitor.service.systemd import notify
from monitor.service.watchdog import STILL_S, Watchdog
from monitor.signals import told
from monitor.sources import Stream
from monitor.species.occurrence import week_of

logger = logging.getLogger(__name__)


def serve(config: Config, read: Callable[[], Config]) -> int:
    """Run until the recordings end or a signal asks to stop; return the number of recordings that failed.

    SIGHUP has the configuration read again, which is what `read` does.

    Raises ConfigError, ModelError, StoreError, RecordingError or BrokerError where it cannot start at all.
    """
    stop, again = threading.Event(), threading.Event()
    told((signal.SIGTERM, signal.SIGINT), stop)
    told((signal.SIGHUP,), again)
    streams = Streams.of(config)
    session = Session(config, _recognisers(config), stop)
    try:
        session.publisher.start()
        _listen(session, streams.open(session), again, read)
        notify("STOPPING=1")
    finally:
        stop.set()
        session.close()
    return session.failures


def _listen(
    session: Session, rows: Sequence[Iterator[Stream]], again: threading.Event, read: Callable[[], Config]
) -> None:
    """Analyse the rows of streams, each in a thread of its own; what breaks one of them stops them all."""
    patience_s = STILL_S + max(one.classifier.contract.window_s for one in session.recognisers)
    watched = [(row, session.row()) for row in rows]
    watchdog = Watchdog(session.rows, session.stirred, patience_s)
    reload = Reload(session, read, again, lambda: watchdog.ready)
    with watchdog, reload, ThreadPoolExecutor(len(rows), "stream") as threads:
        running = [threads.submit(_analyse, session, *one) for one in watched]
        session.vitals.start()
        broken = wait(running, return_when=FIRST_EXCEPTION).not_done
        if broken:
            session.stop.set()
    for ended in running:
        ended.result()


def _analyse(session: Session, row: Iterator[Stream], progress: Progress) -> None:
    for stream in row:
        session.analyse(stream, progress)
    progress.end()


def _recognisers(config: Config) -> list[Recogniser]:
    """The models, and in the log which species each may report this week."""
    found = recognisers(open_models(config.model), config.detection, config.species, config.place)
    for recogniser in found:
        if said := recogniser.said(week_of(datetime.now(UTC))):
            logger.info("%s", said)
    return found

"""The daemon's life: start or refuse in one sentence, survive what breaks, stop within seconds.

Settings, model and store are checked at the start. Afterwards a lost microphone, broker or disk is
waited for; only the end of all recordings or a signal ends the service.
"""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.metadata import version
from pathlib import Path

import msgspec

from monitor import pipeline
from monitor.classifier import STARTER, Classifier
from monitor.clock import SampleClock, rfc3339, system_quality
from monitor.config import Config, MicrophoneSource, RecordingsSource, state_directory
from monitor.errors import ConfigError, MicrophoneError, MonitorError, RecordingError
from monitor.features import Floats
from monitor.messages import StatusMessage
from monitor.records import Block, Detection, Window
from monitor.sinks.mqtt import Publisher, Station
from monitor.sinks.store import Origin, Store, StoreSink, outage_message
from monitor.sources import Stream, until_broken, until_stopped
from monitor.sources.microphone import open_microphone
from monitor.sources.names import read_zone
from monitor.sources.recordings import BLOCK_S, find_recordings, open_recording, paced
from monitor.tracker import Rules, Tracker

logger = logging.getLogger(__name__)

FLUSH_AT_STOP_S = 2.0
FLUSH_AT_END_S = 10.0
PACED_BLOCK_S = 0.1
SHORTEST_RETRY_S = 1.0
LONGEST_RETRY_S = 5.0


def serve(config: Config) -> int:
    """Run until the recordings end or a signal asks to stop; return the number of recordings that failed.

    Raises ConfigError, ModelError, StoreError, RecordingError or BrokerError where it cannot start at all.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    classifier = Classifier(Path(config.model) if config.model else STARTER)
    session = _Session(config, classifier, stop)
    streams = _streams(session)
    try:
        session.publisher.start()
        notify("READY=1\nSTATUS=waiting for audio")
        for stream in streams:
            session.analyse(stream)
        notify("STOPPING=1")
    finally:
        session.close()
    return session.failures


def notify(state: str) -> None:
    """Tell systemd, if it started us: sd_notify(3), one datagram to the socket it named."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
        except OSError as error:
            logger.warning("systemd does not listen at %s: %s", address, error)


class _Session:
    """What lives as long as the daemon: settings, model, store, publisher."""

    def __init__(self, config: Config, classifier: Classifier, stop: threading.Event) -> None:
        self.config, self.classifier, self.stop = config, classifier, stop
        contract = classifier.contract
        self.step = round(config.detection.step_s * contract.sample_rate)
        if not 1 <= self.step <= contract.window_samples:
            msg = (
                f"detection.step_s is {config.detection.step_s:g} s: more than 0 and at most the model's window of "
                f"{contract.window_s:g} s expected"
            )
            raise ConfigError(msg)
        self.rules = Rules.of(
            contract.labels,
            threshold=config.detection.threshold,
            own=config.detection.thresholds,
            hysteresis=config.detection.hysteresis,
            max_samples=round(config.detection.max_duration_s * contract.sample_rate),
        )
        self.failures = 0
        self.monotonic = time.monotonic
        self._waiting_for = ""
        self._publisher: Publisher | None = None
        self.store = Store(state_directory(config), config.station, config.store.outbox_rows, self._wake)
        self.publisher = self._publisher = Publisher(config.mqtt, _station(config, contract.name), self.store.path)

    def analyse(self, stream: Stream) -> None:
        """One recording through the pipeline; where it breaks off, what was heard is kept."""
        contract = self.classifier.contract
        clock = SampleClock(contract.sample_rate, stream.start, stream.quality)
        name = os.fsencode(stream.name).decode(errors="replace")  # a file name need not be UTF-8, what we keep must
        origin = Origin(self.config.station, name, clock, contract.name)
        sinks = (StoreSink(self.store, origin), _Heartbeat(name, clock))
        tracker = Tracker(contract.labels, self.rules, stream.id)
        blocks = until_broken(stream.blocks, self.broken)
        pipeline.run(blocks, stream.sample_rate, self.classifier, tracker, sinks, self.step)

    def outage(self, name: str, lost_s: float) -> None:
        """Account for a time without a microphone, which ends now."""
        contract = self.classifier.contract
        start = datetime.now(UTC) - timedelta(seconds=lost_s)
        clock = SampleClock(contract.sample_rate, start, system_quality())
        origin = Origin(self.config.station, name, clock, contract.name)
        outage_id = str(uuid.uuid4())
        self.store.add(lambda sequence: outage_message(origin, start, lost_s, outage_id, sequence))

    def close(self) -> None:
        """Flush and close, whatever happened."""
        self.store.flush()
        self.publisher.close(FLUSH_AT_STOP_S if self.stop.is_set() else FLUSH_AT_END_S)
        self.store.close()

    def broken(self, error: MonitorError) -> None:
        """A recording, or the microphone, broke off. The microphone is looked for again, so it is no failure."""
        logger.error("%s", error)
        self.failures += isinstance(error, RecordingError)

    def waiting(self, error: MonitorError) -> None:
        """There is no microphone: say so once, and to systemd that we are alive and looking."""
        if str(error) != self._waiting_for:
            logger.error("%s; looking for it again and again", error)
            self._waiting_for = str(error)
        notify(f"WATCHDOG=1\nSTATUS=no audio: {error}")

    def _wake(self) -> None:
        if self._publisher is not None:
            self._publisher.wake()


@dataclass(slots=True)
class _Heartbeat:
    """Feeds systemd's watchdog while audio is analysed, and says what was heard last."""

    name: str
    clock: SampleClock
    detections: int = 0
    last: str = "nothing yet"

    def heard(self, window: Window, scores: Floats) -> None:
        """Audio arrives and inference works."""
        del window, scores
        notify(f"WATCHDOG=1\nSTATUS=listening to {self.name}; {self.detections} detections, last: {self.last}")

    def handle(self, detection: Detection) -> None:
        """Remember a detection."""
        self.detections += 1
        when = rfc3339(self.clock.utc(detection.onset_sample)) or f"{self.clock.seconds(detection.onset_sample):.0f} s"
        self.last = f"{detection.taxon.common_name} at {when}"
        logger.info("heard %s (%.2f) at %s", detection.taxon.common_name, detection.confidence, when)

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""


def _station(config: Config, model: str) -> Station:
    online = StatusMessage(
        station=config.station,
        state="online",
        version=version("dawnchorus"),
        started_utc=str(rfc3339(datetime.now(UTC))),
        model=model,
    )
    return Station(online, msgspec.structs.replace(online, state="offline"))


def _streams(session: _Session) -> Iterator[Stream]:
    source = session.config.source
    if isinstance(source, RecordingsSource):
        paths = find_recordings(Path(p) for p in source.paths)
        zone = read_zone(source.timezone) if source.timezone else None
        return _recordings(session, paths, zone, source.speed)
    return _microphone(session, source)


def _recordings(session: _Session, paths: list[Path], zone: tzinfo | None, speed: float | None) -> Iterator[Stream]:
    """Each recording once, as if heard now: with an id of its own, so that it may be played again."""
    for path in paths:
        try:
            stream = open_recording(path, zone, PACED_BLOCK_S if speed else BLOCK_S)
        except RecordingError as error:
            session.broken(error)
            continue
        blocks = stream.blocks
        if speed:
            blocks = paced(blocks, stream.sample_rate, speed, sleep=session.stop.wait)
        yield replace(stream, id=uuid.uuid4(), blocks=until_stopped(blocks, session.stop))


def _microphone(session: _Session, source: MicrophoneSource) -> Iterator[Stream]:
    """The microphone, found again for ever. The time without it is accounted for as lost."""
    wait_s, searching = SHORTEST_RETRY_S, False
    last_audio = _LastAudio(session.monotonic())
    while not session.stop.is_set():
        try:
            stream = open_microphone(source.device, source.sample_rate, session.stop)
        except MicrophoneError as error:
            searching = True
            session.waiting(error)
            session.stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)
            continue
        if searching:
            session.outage(source.device or stream.name, session.monotonic() - last_audio.time)
        wait_s, searching = SHORTEST_RETRY_S, True
        yield replace(stream, blocks=last_audio.watch(stream.blocks, session.monotonic))
        if session.stop.is_set():
            return
    if searching:
        session.outage(source.device or "microphone", session.monotonic() - last_audio.time)


@dataclass(slots=True)
class _LastAudio:
    """When the last block came, on the monotonic clock."""

    time: float

    def watch(self, blocks: Iterator[Block], monotonic: Callable[[], float]) -> Iterator[Block]:
        for block in blocks:
            self.time = monotonic()
            yield block

"""What lives as long as the daemon, and one recording through the pipeline."""

import logging
import os
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import msgspec

from monitor import pipeline
from monitor.classifier import Classifier
from monitor.clock import SampleClock, rfc3339, system_quality
from monitor.config.settings import Config, state_directory
from monitor.errors import ConfigError, MonitorError, RecordingError
from monitor.features import Floats
from monitor.messages import StatusMessage
from monitor.records import Detection, Gap, Window
from monitor.service.systemd import notify
from monitor.sinks.keeping import Origin, StoreSink, outage_message
from monitor.sinks.mqtt import Publisher, Station
from monitor.sinks.store import Store
from monitor.sources import Stream, until_broken
from monitor.tracker import Rules, Tracker

logger = logging.getLogger(__name__)

FLUSH_AT_STOP_S = 2.0
FLUSH_AT_END_S = 10.0


class Session:
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
        chain = pipeline.Chain(self.classifier, tracker, self.step, sinks)
        pipeline.run(blocks, stream.sample_rate, [chain])

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

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

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

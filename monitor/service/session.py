"""What lives as long as the daemon, and one recording through the pipeline."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import msgspec

from monitor import pipeline
from monitor.clock import Clock, SampleClock, minute_after, rfc3339
from monitor.clock.kernel import boot_id, unsynchronised_quality
from monitor.clock.live import LiveClock, timed
from monitor.clock.reference import StationClock
from monitor.clock.timeline import Timeline
from monitor.config.settings import Config, state_directory
from monitor.effort import Minutes
from monitor.errors import MonitorError, RecordingError
from monitor.features import Floats
from monitor.messages import StatusMessage
from monitor.privacy import Silero, VoiceGate
from monitor.recogniser import Recogniser
from monitor.records import Detection, Gap, Window
from monitor.schedule import Schedule, scheduled
from monitor.service.noise_watch import NoiseWatch
from monitor.service.systemd import notify
from monitor.service.timekeeping import Timekeeper
from monitor.sinks.clips import ClipSink, ClipWriter
from monitor.sinks.keeping import StoreSink
from monitor.sinks.mqtt import Publisher, Station
from monitor.sinks.origin import Origin
from monitor.sinks.store import Store
from monitor.sources import Stream, until_broken
from monitor.sources.names import read_zone

logger = logging.getLogger(__name__)

FLUSH_AT_STOP_S = 2.0
FLUSH_AT_END_S = 10.0


class Session:
    """What lives as long as the daemon: settings, model, store, publisher."""

    def __init__(self, config: Config, recognisers: Sequence[Recogniser], stop: threading.Event) -> None:
        self.config, self.recognisers, self.stop = config, recognisers, stop
        self.schedule = Schedule.of(config.schedule, config.place, read_zone(config.place.timezone))
        self.failures = 0
        self.monotonic = time.monotonic
        self._publisher: Publisher | None = None
        self.store = Store(state_directory(config), config.station, config.store.outbox_rows, self._wake)
        self.publisher = self._publisher = Publisher(config.mqtt, _station(config, recognisers), self.store.path)
        self._clips = _clip_writer(config)
        boot = boot_id()
        self.clock = StationClock(boot, self.store.reference(boot), unsynchronised_quality())
        self._timekeeper = Timekeeper(self.clock, self.store, config.clock)
        self._timekeeper.start()
        self._noise_watch = NoiseWatch(state_directory(config))
        self._noise_watch.start()

    def analyse(self, stream: Stream) -> None:
        """One recording through the pipeline; where it breaks off, what was heard is kept."""
        timeline = Timeline(stream.began or 0.0)
        source_clock = self._clock(stream, timeline, stream.sample_rate)
        name = os.fsencode(stream.name).decode(errors="replace")  # a file name need not be UTF-8, what we keep must
        minutes = Minutes(stream.sample_rate, partial(minute_after, source_clock))
        audio = timed(until_broken(stream.blocks, self.broken), stream.sample_rate, timeline)
        if not self.schedule.always:
            audio = scheduled(audio, source_clock, self.schedule)
        chains = []
        for recogniser in self.recognisers:
            clock = self._clock(stream, timeline, recogniser.sample_rate)
            origin = Origin(self.config.station, name, clock, recogniser.name)
            kept = StoreSink(self.store, origin, minutes)
            # clips first: of what is withheld at the end of a stream its last account must know
            clips = [ClipSink(self._clips, clock, kept.withheld)] if self._clips else []
            sinks: list[pipeline.Sink] = [*clips, kept, _Heartbeat(name, clock)]
            chains.append(recogniser.chain(stream.id, clock, sinks).relieved(stream.fullness))
        pipeline.run(minutes.watched(audio), stream.sample_rate, chains)

    def _clock(self, stream: Stream, timeline: Timeline, sample_rate: int) -> Clock:
        """The time of a stream's samples, counted at a rate."""
        if stream.began is None:
            return SampleClock(sample_rate, stream.start, stream.quality)
        return LiveClock(sample_rate, timeline, self.clock)

    def close(self) -> None:
        """Flush and close, whatever happened."""
        self._timekeeper.close()
        self._noise_watch.close()
        self.store.flush()
        self.publisher.close(FLUSH_AT_STOP_S if self.stop.is_set() else FLUSH_AT_END_S)
        self.store.close()

    def broken(self, error: MonitorError) -> None:
        """A recording, or the microphone, broke off. The microphone is looked for again, so it is no failure."""
        logger.error("%s", error)
        self.failures += isinstance(error, RecordingError)

    def waiting(self, error: MonitorError) -> None:
        """There is no microphone: tell systemd that we are alive and looking."""
        notify(f"WATCHDOG=1\nSTATUS=no audio: {error}")

    def _wake(self) -> None:
        if self._publisher is not None:
            self._publisher.wake()


@dataclass(slots=True)
class _Heartbeat:
    """Feeds systemd's watchdog while audio is analysed, and says what was heard last."""

    name: str
    clock: Clock
    detections: int = 0
    last: str = "nothing yet"

    def heard(self, window: Window, scores: Floats) -> None:
        """Audio arrives and inference works."""
        del window, scores
        notify(f"WATCHDOG=1\nSTATUS=listening to {self.name}; {self.detections} detections, last: {self.last}")

    def lost(self, gap: Gap) -> None:
        """The microphone may be gone, or nobody wants to listen: both are looked after."""
        notify(f"WATCHDOG=1\nSTATUS=not listening to {self.name}: {gap.cause}")

    def handle(self, detection: Detection) -> None:
        """Remember a detection."""
        self.detections += 1
        when = (
            rfc3339(self.clock.at(detection.onset_sample).utc) or f"{self.clock.seconds(detection.onset_sample):.0f} s"
        )
        self.last = f"{detection.taxon.common_name} at {when}"
        logger.info("heard %s (%.2f) at %s", detection.taxon.common_name, detection.confidence, when)

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""


def _clip_writer(config: Config) -> ClipWriter | None:
    """None where no audio is kept."""
    if config.clips is None:
        return None
    gate = VoiceGate(Silero(), config.privacy.threshold, config.privacy.margin_s)
    return ClipWriter(config.clips, gate)


def _station(config: Config, recognisers: Sequence[Recogniser]) -> Station:
    online = StatusMessage(
        station=config.station,
        state="online",
        version=version("dawnchorus"),
        started_utc=str(rfc3339(datetime.now(UTC))),
        model=", ".join(recogniser.name for recogniser in recognisers),
    )
    return Station(online, msgspec.structs.replace(online, state="offline"))

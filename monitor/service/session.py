"""What lives as long as the daemon, and one recording through the pipeline."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec

from monitor import pipeline
from monitor.clock import Clock, SampleClock, minute_after, rfc3339
from monitor.clock.kernel import boot_id, unsynchronised_quality
from monitor.clock.live import LiveClock, timed
from monitor.clock.reference import StationClock
from monitor.clock.timeline import Timeline
from monitor.config.settings import Config, state_directory
from monitor.delivery.birdnet_go import repacking
from monitor.delivery.homeassistant.listener import Listener
from monitor.delivery.publication import Publication
from monitor.delivery.publisher import Publisher, Station
from monitor.effort import Minutes
from monitor.errors import MonitorError, RecordingError
from monitor.messages import HealthMessage, StatusMessage
from monitor.privacy import Silero, VoiceGate
from monitor.recogniser import Recogniser
from monitor.recorded import Position
from monitor.schedule import Revisable, Schedule, scheduled
from monitor.service.correspondence import Correspondence, Means
from monitor.service.heartbeat import Heartbeat
from monitor.service.live import LiveScores
from monitor.service.noise_watch import NoiseWatch
from monitor.service.onlookers import LiveSound, Onlookers
from monitor.service.progress import Listening, Progress
from monitor.service.timekeeping import Timekeeper
from monitor.service.today import Today
from monitor.service.vitals import Instruments, Vitals
from monitor.sinks.clips import ClipSink, ClipWriter
from monitor.sinks.clips.ledger import Ledger
from monitor.sinks.keeping import StoreSink
from monitor.sinks.lifecycle import Lifecycle
from monitor.sinks.origin import Origin
from monitor.sinks.outbox import Outbox
from monitor.sinks.reading import count_detections
from monitor.sinks.store import Store
from monitor.sinks.unknown.keeper import Keeper
from monitor.sinks.unknown.shelf import Network, Shelf
from monitor.sinks.unknown.sink import UnknownSink
from monitor.sources import Stream, until_broken
from monitor.sources.names import read_zone

logger = logging.getLogger(__name__)

FLUSH_AT_STOP_S = 2.0
FLUSH_AT_END_S = 10.0


class Session:
    """What lives as long as the daemon: settings, model, store, publisher."""

    def __init__(self, config: Config, recognisers: Sequence[Recogniser], stop: threading.Event) -> None:
        self.config, self.recognisers, self.stop = config, recognisers, stop
        zone = read_zone(config.place.timezone)
        self.schedule = Revisable(Schedule.of(config.schedule, config.place, zone))
        self.failures = 0
        self.monotonic = time.monotonic
        self.rows: list[Progress] = []
        """of what is listened to"""
        self.stirred = threading.Event()
        """one of them has something new to tell"""
        self._publisher: Publisher | None = None
        folder = state_directory(config)
        self.store = Store(folder, config.station, config.store.outbox_rows, self._wake, config.store.outbox_mb)
        station = _station(config, recognisers)
        self._correspondence = Correspondence(config, recognisers, station.online, self.store.path, self._means())
        correspondents = self._correspondence.correspondents
        repack = repacking(config.mqtt.birdnet_go, config.place, zone)
        self.publisher = self._publisher = Publisher(config.mqtt, station, self.store.path, correspondents, repack)
        self._correspondence.start()
        self._outbox = Outbox(self.store.path)
        self._onlookers = Onlookers(config.web, config.privacy, folder, config.station)
        self.clips = _clip_writer(config, recognisers, self.store)
        self.unknown = _unknown_keeper(config, recognisers[0])
        boot = boot_id()
        self.clock = StationClock(boot, self.store.reference(boot), unsynchronised_quality())
        self.today = Today(zone, lambda: self.clock.at(self.monotonic()).utc, partial(count_detections, folder))
        instruments = Instruments(config.station, self.store, self._outbox, self.clock, self.today)
        told = [self._say_health, self._onlookers.health, *self._correspondence.listeners]
        self.vitals = Vitals(instruments, self.rows, told)
        self._timekeeper = Timekeeper(self.clock, self.store, config.clock)
        self._timekeeper.start()
        self._noise_watch = NoiseWatch(folder)
        self._noise_watch.start()

    def row(self) -> Progress:
        """A row of streams that is going to be listened to."""
        self.rows.append(Progress(self.stirred.set))
        return self.rows[-1]

    def analyse(self, stream: Stream, progress: Progress) -> None:
        """One recording through the pipeline; where it breaks off, what was heard is kept."""
        timeline = Timeline(stream.began or 0.0)
        source_clock = self._clock(stream, timeline, stream.sample_rate)
        name = os.fsencode(stream.name).decode(errors="replace")  # a file name need not be UTF-8, what we keep must
        minutes = Minutes(stream.sample_rate, partial(minute_after, source_clock))
        chains = []
        for recogniser in self.recognisers:
            clock = self._clock(stream, timeline, recogniser.sample_rate)
            origin = Origin(self.config.station, name, clock, recogniser.name)
            sinks, lasting = self._sinks(origin, recogniser, minutes, progress)
            chain = recogniser.chain(stream.id, clock, sinks).relieved(stream.fullness)
            chains.append(replace(chain, lasting=lasting))
        progress.begin(name, Listening(stream, minutes, chains))
        audio = timed(until_broken(stream.blocks, self.broken), stream.sample_rate, timeline)
        audio = scheduled(audio, source_clock, self.schedule)
        pipeline.run(minutes.watched(audio), stream.sample_rate, chains)

    def _sinks(
        self, origin: Origin, recogniser: Recogniser, minutes: Minutes, progress: Progress
    ) -> tuple[list[pipeline.Sink], list[pipeline.Lasting]]:
        """Where one model's results for a stream go, and who is told of detections that are not complete."""
        mqtt, clock, muted = self.config.mqtt, origin.clock, self._correspondence.mute.covers
        kept = StoreSink(self.store, origin, minutes, Lifecycle(clock.sample_rate, muted) if mqtt.lifecycle else None)
        lasting: list[pipeline.Lasting] = [kept.lasting] if mqtt.lifecycle else []
        # clips first: of what is withheld at the end of a stream its last account must know
        sinks: list[pipeline.Sink] = [ClipSink(self.clips, origin, kept.withheld, self._place)] if self.clips else []
        if self.unknown is not None and recogniser is self.recognisers[0]:
            sinks.append(UnknownSink(self.unknown, origin, recogniser.classifier.contract, kept.withheld))
        sinks += [kept, Heartbeat(progress, self.today, clock)]
        if mqtt.live is not None:
            labels = recogniser.classifier.contract.labels
            sinks.append(LiveScores(origin, labels, mqtt.live.floor, self.publisher.say, self._topic("live")))
        if self.config.web.live:
            drawn = recogniser is self.recognisers[0]
            sound = LiveSound(self._onlookers, origin, recogniser.classifier.contract.labels, drawn=drawn)
            sinks.append(sound)
            lasting.append(sound.lasting)
        if self._correspondence.assistant is not None:
            listener = Listener(self._correspondence.assistant, origin, muted)
            sinks.append(listener)
            lasting.append(listener.lasting)
        return sinks, lasting

    @property
    def _place(self) -> Position | None:
        """Where the station is, by its configuration."""
        latitude, longitude = self.config.place.latitude, self.config.place.longitude
        return None if latitude is None or longitude is None else Position(latitude, longitude)

    def _clock(self, stream: Stream, timeline: Timeline, sample_rate: int) -> Clock:
        """The time of a stream's samples, counted at a rate."""
        if stream.began is None:
            return SampleClock(sample_rate, stream.start, stream.quality)
        return LiveClock(sample_rate, timeline, self.clock)

    def close(self) -> None:
        """Flush and close, whatever happened."""
        self.vitals.close()
        self._timekeeper.close()
        self._noise_watch.close()
        if self.clips is not None:
            self.clips.close(FLUSH_AT_STOP_S)
        self._onlookers.close()
        self.store.flush()
        self._correspondence.close()
        if self.unknown is not None:
            self.unknown.close()
        self.publisher.close(FLUSH_AT_STOP_S if self.stop.is_set() else FLUSH_AT_END_S)
        self._outbox.close()
        self.store.close()

    def broken(self, error: MonitorError) -> None:
        """A recording, or the microphone, broke off. The microphone is looked for again, so it is no failure."""
        logger.error("%s", error)
        self.failures += isinstance(error, RecordingError)

    def _wake(self) -> None:
        if self._publisher is not None:
            self._publisher.wake()

    def _means(self) -> Means:
        """What is used later and made later, too."""
        return Means(
            say=lambda publication: self.publisher.say(publication),  # noqa: PLW0108
            now=lambda: self.clock.at(self.monotonic()),
            health=lambda: self.vitals.examined(),  # noqa: PLW0108
            replay=lambda first, last: self.publisher.replay(first, last),  # noqa: PLW0108
        )

    def _say_health(self, message: HealthMessage) -> None:
        self.publisher.say(Publication(self._topic("health"), msgspec.json.encode(message), retain=True))

    def _topic(self, level: str) -> str:
        return f"{self.config.mqtt.prefix}/{self.config.station}/{level}"


def _clip_writer(config: Config, recognisers: Sequence[Recogniser], store: Store) -> ClipWriter | None:
    """None where no audio is kept. ConfigError where its rules name a species that no model knows."""
    if config.clips is None:
        return None
    gate = VoiceGate(Silero(), config.privacy.threshold, config.privacy.margin_s)
    labels = [label for one in recognisers for label in one.classifier.contract.labels]
    return ClipWriter(config.clips, gate, Ledger(store.path), labels)


def _unknown_keeper(config: Config, recogniser: Recogniser) -> Keeper | None:
    """Of what the first model has no name for; None where nothing is kept. ModelError where it gives no vectors."""
    if config.unknown is None:
        return None
    classifier = recogniser.classifier
    _ = classifier.embedding
    network = Network(classifier.fingerprint(), recogniser.name, recogniser.sample_rate)
    shelf = Shelf(Path(config.unknown.directory), network, config.unknown.megabytes)
    gate = VoiceGate(Silero(), config.privacy.threshold, config.privacy.margin_s)
    return Keeper(shelf, network, classifier.describe, gate)


def _station(config: Config, recognisers: Sequence[Recogniser]) -> Station:
    online = StatusMessage(
        station=config.station,
        state="online",
        version=version("dawnchorus"),
        started_utc=str(rfc3339(datetime.now(UTC))),
        model=", ".join(recogniser.name for recogniser in recognisers),
    )
    return Station(online, msgspec.structs.replace(online, state="offline"))

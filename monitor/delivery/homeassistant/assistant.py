"""What Home Assistant is told: what sensors there are, on each connection and whenever it starts, and their states."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from monitor.config.homeassistant import HomeAssistant as Settings
from monitor.delivery.homeassistant.entities import (
    CONFIDENCE,
    FIXED,
    OFF,
    ON,
    PROBLEM,
    SPECIES,
    Entity,
    Station,
    noise_entity,
)
from monitor.delivery.homeassistant.health import figures, problems
from monitor.delivery.homeassistant.sounding import Sounding
from monitor.delivery.homeassistant.states import Say, States
from monitor.delivery.publication import Arrived, Publication
from monitor.messages import HealthMessage, Occurrence

BIRTH = b"online"
"""what Home Assistant says on `<prefix>/status` when it has started, unless it was told to say something else"""
DELAY_S = (0.5, 5.0)
"""after which it is told again what sensors there are: by chance, so that a fleet does not do it all at once"""


class HomeAssistant:
    """A correspondent that speaks for a station; for any number of threads."""

    def __init__(
        self,
        station: Station,
        settings: Settings,
        species: Mapping[str, Entity],
        sources: Sequence[str],
        say: Say,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        """`species`: the sensor of each label that has one, as from `species_entities`.

        `say` sends beside the outbox, and again on each connection what is retained.
        """
        self._station, self._say = station, say
        self._chance = chance or random.Random()  # noqa: S311 nobody gains by guessing when we speak
        self._states = States(station, say, monotonic)
        self._sounding = Sounding(species, settings.off_delay_s, self._states, monotonic)
        self._noise = {source: noise_entity(source) for source in sources}
        self._entities = [*FIXED, *self._noise.values(), *self._sounding.entities]
        self._lock = threading.Lock()
        self._again: threading.Timer | None = None

    @property
    def topics(self) -> Sequence[str]:
        """Where Home Assistant says that it has started."""
        return [f"{self._station.discovery_prefix}/status"]

    @property
    def retained(self) -> list[str]:
        """All topics on which it leaves something with the broker."""
        return [topic for entity in self._entities for topic in self._station.topics(entity)]

    def start(self) -> None:
        """Say what sensors there are."""
        self._announce()
        with self._lock:
            self._sounding.start()

    def connected(self) -> Iterable[Publication]:
        """Nothing: what was said is retained, and so the publisher says it again."""
        return ()

    def arrived(self, message: Arrived) -> Iterable[Publication]:
        """When Home Assistant starts, say again after a while what sensors there are."""
        if message.topic in self.topics and message.payload == BIRTH and not message.retained:
            with self._lock:
                if self._again is None:
                    self._again = threading.Timer(self._chance.uniform(*DELAY_S), self._announce)
                    self._again.daemon = True
                    self._again.start()
        return ()

    def lasting(self, labels: Iterable[str]) -> None:
        """Of these a detection goes on."""
        with self._lock:
            self._sounding.hear(labels)

    def settle(self) -> None:
        """Time passes."""
        with self._lock:
            self._sounding.settle()

    def detected(self, detection: Occurrence) -> None:
        """A detection is complete."""
        with self._lock:
            species = {
                "species": detection.common_name,
                "scientific_name": detection.scientific_name,
                "onset_utc": detection.onset_utc,
                "source": detection.recording,
                "model": detection.model,
                "id": detection.id,
            }
            self._states.repeat(SPECIES, species)
            self._states.repeat(CONFIDENCE, round(100 * detection.confidence, 1))

    def health(self, health: HealthMessage) -> None:
        """The station's health, from time to time."""
        found = problems(health)
        with self._lock:
            for entity, state in figures(health):
                self._states.tell(entity, state)
            for source in health.sources:
                if source.name in self._noise:
                    self._states.tell(self._noise[source.name], source.level_dbfs)
            self._states.tell(PROBLEM, {"problem": ON if found else OFF, "problems": found})
            self._sounding.settle()

    def close(self) -> None:
        """Speak no more by itself."""
        with self._lock:
            if self._again is not None:
                self._again.cancel()

    def _announce(self) -> None:
        with self._lock:
            self._again = None
        for entity in self._entities:
            self._say(self._station.config(entity))


def take_away(topics: Sequence[str], say: Say) -> None:
    """Have the broker hold nothing any more on topics. Discovery first: a sensor that is gone misses no state."""
    for topic in sorted(topics, key=lambda topic: not topic.endswith("/config")):
        say(Publication(topic, b"", retain=True))

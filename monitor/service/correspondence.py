"""Who speaks and listens beside the outbox, where the configuration asks for it: Home Assistant, and who commands."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.clock.times import Instant
from monitor.config.settings import Config
from monitor.config.source import RecordingsSource, source_name
from monitor.contract import Label
from monitor.delivery.commands.actions import Controls
from monitor.delivery.commands.admission import Admission
from monitor.delivery.commands.key import read_key
from monitor.delivery.commands.listener import Commands
from monitor.delivery.correspondent import Correspondent
from monitor.delivery.homeassistant.assistant import HomeAssistant, take_away
from monitor.delivery.homeassistant.entities import Station
from monitor.delivery.homeassistant.sounding import species_entities
from monitor.delivery.homeassistant.states import Say
from monitor.delivery.mute import Mute
from monitor.messages import HealthMessage, StatusMessage
from monitor.recogniser import Recogniser
from monitor.sinks.announced import gone
from monitor.sinks.orders import Orders

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What of the daemon they use; none of it is called before they are started."""

    say: Say
    now: Callable[[], Instant]
    health: Callable[[], HealthMessage]
    replay: Callable[[int, int | None], object]


class Correspondence:
    """All of them.

    ConfigError where a species is named that no model knows, BrokerError where the key of the commands cannot be
    read, StoreError where it cannot be read what they were ordered before.
    """

    def __init__(
        self, config: Config, recognisers: Sequence[Recogniser], status: StatusMessage, store: Path, means: Means
    ) -> None:
        """`store`: the path of one that has been opened."""
        self._recognisers, self._store, self._means = recognisers, store, means
        self._labels = [label for one in recognisers for label in one.classifier.contract.labels]
        self.mute = Mute()
        self.assistant = _assistant(config, self._labels, means.say)
        self._orders = None if config.mqtt.commands is None else Orders(store)
        self._commands = self._listening(config, status)

    @property
    def correspondents(self) -> list[Correspondent]:
        """For the publisher."""
        return [one for one in (self.assistant, self._commands) if one is not None]

    @property
    def listeners(self) -> list[Callable[[HealthMessage], None]]:
        """Who wants to know how the station fares."""
        return [] if self.assistant is None else [self.assistant.health]

    def start(self) -> None:
        """Speak. What an earlier run told Home Assistant, and is no more, is taken away."""
        left = gone(self._store, self.assistant.retained if self.assistant else ())
        take_away(left, self._means.say)
        if self.assistant is not None:
            self.assistant.start()

    def close(self) -> None:
        """Speak no more."""
        if self.assistant is not None:
            self.assistant.close()
        if self._orders is not None:
            self._orders.close()

    def _listening(self, config: Config, status: StatusMessage) -> Commands | None:
        """Who obeys. What was ordered before counts again, as long as anybody may take it back."""
        if config.mqtt.commands is None or self._orders is None:
            return None
        for species, threshold in self._orders.thresholds().items():
            self._set_threshold(species, threshold)
        controls = Controls(
            status=status,
            labels=self._labels,
            orders=self._orders,
            mute=self.mute,
            now=self._means.now,
            health=self._means.health,
            set_threshold=self._set_threshold,
            replay=self._means.replay,
        )
        admission = Admission(config.station, self._orders, self._means.now)
        topic = f"{config.mqtt.prefix}/{config.station}"
        return Commands(topic, read_key(config.mqtt.commands), admission, controls)

    def _set_threshold(self, species: str, threshold: float | None) -> None:
        known = [one.name for one in self._recognisers if one.set_threshold(species, threshold)]
        said = "as configured" if threshold is None else f"{threshold:g}"
        logger.info("threshold of %s is %s, as ordered, for %s", species, said, ", ".join(known) or "no model any more")


def _assistant(config: Config, labels: Sequence[Label], say: Say) -> HomeAssistant | None:
    settings = config.mqtt.homeassistant
    if settings is None:
        return None
    station = Station(config.station, f"{config.mqtt.prefix}/{config.station}", settings.prefix)
    live = [source for source in config.listening if not isinstance(source, RecordingsSource)]
    return HomeAssistant(station, settings, species_entities(settings, labels), [source_name(s) for s in live], say)

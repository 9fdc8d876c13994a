"""Which species are heard at this moment: a sensor for each that is configured."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from monitor.config.homeassistant import HomeAssistant as Settings
from monitor.contract import Label
from monitor.contract.names import Names
from monitor.delivery.homeassistant.entities import OFF, ON, Entity, species_entity
from monitor.delivery.homeassistant.states import States

AGAIN = 0.5
"""of the delay to off: after so much of it a sensor that is on is said to be on again"""


def species_entities(settings: Settings, labels: Sequence[Label]) -> dict[str, Entity]:
    """The sensor of each label that has one. ConfigError where a species is named that no model knows."""
    names = Names(labels)
    names.check(settings.species, "mqtt.homeassistant.species")
    found: dict[str, Entity] = {}
    for name in settings.species:
        of_name = [labels[index] for index in names.indices(name)]
        entity = species_entity(of_name[0].scientific_name, of_name[0].common_name, (1 + AGAIN) * settings.off_delay_s)
        found.update({label.label: entity for label in of_name})
    return found


class Sounding:
    """Turns a sensor on while its species is heard, and off a while after; for one thread at a time.

    On is said again from time to time, and off always: so the sensor is right where Home Assistant starts in between,
    and its own delay, which is longer, is left for a station that falls silent.
    """

    def __init__(
        self,
        by_label: Mapping[str, Entity],
        off_delay_s: float,
        states: States,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._by_label, self._off_delay_s, self._states, self._monotonic = by_label, off_delay_s, states, monotonic
        self._heard: dict[str, float] = {}
        """when each species that is on was heard last, by key"""
        self._said: dict[str, float] = {}
        """when it was said to be on"""

    @property
    def entities(self) -> list[Entity]:
        """All sensors, each once: several labels may be one species."""
        return list({entity.key: entity for entity in self._by_label.values()}.values())

    def start(self) -> None:
        """Nothing has been heard yet."""
        for entity in self.entities:
            self._states.repeat(entity, OFF)

    def hear(self, labels: Iterable[str]) -> None:
        """These are heard now."""
        now = self._monotonic()
        for entity in (self._by_label[label] for label in labels if label in self._by_label):
            self._heard[entity.key] = now
            if now - self._said.get(entity.key, -self._off_delay_s) >= AGAIN * self._off_delay_s:
                self._said[entity.key] = now
                self._states.repeat(entity, ON)

    def settle(self) -> None:
        """Turn off what has not been heard for a while."""
        now = self._monotonic()
        for entity in self.entities:
            if now - self._heard.get(entity.key, now) >= self._off_delay_s:
                del self._heard[entity.key], self._said[entity.key]
                self._states.repeat(entity, OFF)

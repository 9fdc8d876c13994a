"""What Home Assistant is told to make: one entity for each fact, each with a state topic of its own.

Discovery as its documentation has it (https://www.home-assistant.io/integrations/mqtt), one message for each entity:
all versions understand it, and an entity goes with one empty message, where a message for the whole device wants two
and a version of 2024.11 or later. A name is the entity's alone: Home Assistant puts the device's before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

import msgspec

from monitor.delivery.homeassistant.names import identifier
from monitor.delivery.publication import Publication

HEALTH_LOST_S = 300
"""after so long without a new one a figure of the health is unknown: it comes once a minute"""
ON, OFF = "ON", "OFF"

Options = Mapping[str, object]

_MEASUREMENT: Options = {"state_class": "measurement"}
_DIAGNOSTIC: Options = {"entity_category": "diagnostic", "expire_after": HEALTH_LOST_S}


@dataclass(frozen=True, slots=True)
class Entity:
    """One of Home Assistant's entities."""

    component: Literal["sensor", "binary_sensor"]
    key: str
    """of its state topic and, with the station's, of its ids"""
    name: str
    options: Options = field(default_factory=dict)
    told_as: str | None = None
    """where it says more than its state, and so JSON: the key of its state there; the whole is shown as attributes"""


SPECIES = Entity("sensor", "last_species", "Last species", {"icon": "mdi:bird"}, told_as="species")
"""another id of the detection is another attribute, and so a change, also where the species is the same again"""
CONFIDENCE = Entity(
    "sensor",
    "last_confidence",
    "Last confidence",
    {**_MEASUREMENT, "unit_of_measurement": "%", "icon": "mdi:percent"},
)
TODAY = Entity(
    "sensor",
    "detections_today",
    "Detections today",
    {"state_class": "total_increasing", "icon": "mdi:counter", "expire_after": HEALTH_LOST_S},
)
PROBLEM = Entity("binary_sensor", "problem", "Problem", {**_DIAGNOSTIC, "device_class": "problem"}, told_as="problem")
WAITING = Entity("sensor", "outbox_rows", "Messages waiting", {**_DIAGNOSTIC, **_MEASUREMENT, "icon": "mdi:tray-full"})
DISK = Entity(
    "sensor",
    "free_disk",
    "Free disk",
    {**_DIAGNOSTIC, **_MEASUREMENT, "device_class": "data_size", "unit_of_measurement": "MB"},
)
MEMORY = Entity(
    "sensor",
    "memory",
    "Memory",
    {**_DIAGNOSTIC, **_MEASUREMENT, "device_class": "data_size", "unit_of_measurement": "MB"},
)
TEMPERATURE = Entity(
    "sensor",
    "temperature",
    "Temperature",
    {**_DIAGNOSTIC, **_MEASUREMENT, "device_class": "temperature", "unit_of_measurement": "°C"},
)
CLOCK = Entity("sensor", "clock", "Clock quality", {**_DIAGNOSTIC, "icon": "mdi:clock-check"})

FIXED = (SPECIES, CONFIDENCE, TODAY, PROBLEM, WAITING, DISK, MEMORY, TEMPERATURE, CLOCK)
"""of every station"""


def species_entity(scientific_name: str, common_name: str, off_delay_s: float) -> Entity:
    """On while a species is heard. Home Assistant itself turns it off where the station cannot any more."""
    options = {"device_class": "sound", "off_delay": round(off_delay_s), "icon": "mdi:bird"}
    return Entity("binary_sensor", f"species_{identifier(scientific_name)}", common_name, options)


def noise_entity(source: str) -> Entity:
    """How loud a source was in its last minute. dBFS are no sound pressure, so there is no class of device for it."""
    options = {**_MEASUREMENT, "unit_of_measurement": "dBFS", "icon": "mdi:waveform", "expire_after": HEALTH_LOST_S}
    return Entity("sensor", f"noise_{identifier(source)}", f"Noise of {source}", options)


@dataclass(frozen=True, slots=True)
class Station:
    """What all entities of a station have in common."""

    name: str
    topic: str
    """`<prefix>/<station>`"""
    discovery_prefix: str

    @property
    def id(self) -> str:
        """Another for each station of a broker."""
        return identifier(self.topic)

    def state_topic(self, entity: Entity) -> str:
        """Of one entity alone: nobody has to take its value out of another's."""
        return f"{self.topic}/sensors/{entity.key}"

    def topics(self, entity: Entity) -> list[str]:
        """All that the broker holds of an entity, its discovery message first."""
        return [self.config(entity).topic, self.state_topic(entity)]

    def config(self, entity: Entity) -> Publication:
        """Its discovery message."""
        unique_id = f"{self.id}_{entity.key}"
        topic = f"{self.discovery_prefix}/{entity.component}/{unique_id}/config"
        content: dict[str, object] = {
            "name": entity.name,
            "unique_id": unique_id,
            "state_topic": self.state_topic(entity),
            "availability": [{"topic": f"{self.topic}/status", "value_template": "{{ value_json.state }}"}],
            "device": self._device(),
            "origin": {"name": "Dawn Chorus", "sw_version": version("dawnchorus")},
            **entity.options,
        }
        if entity.told_as is not None:
            content["value_template"] = f"{{{{ value_json.{entity.told_as} }}}}"
            content["json_attributes_topic"] = self.state_topic(entity)
        return Publication(topic, msgspec.json.encode(content), retain=True)

    def _device(self) -> Options:
        return {
            "identifiers": [self.id],
            "name": self.name,
            "manufacturer": "Dawn Chorus",
            "model": "Passive acoustic monitor",
            "sw_version": version("dawnchorus"),
        }

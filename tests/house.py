"""Home Assistant's rules for what it finds over MQTT, from its documentation.

https://www.home-assistant.io/integrations/mqtt, sensor.mqtt and binary_sensor.mqtt; the classes with their units from
https://developers.home-assistant.io/docs/core/entity/sensor and binary-sensor. What it would quietly ignore is an
error here: nothing is to be said that it does not understand.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rigs import Received

TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/([a-zA-Z0-9_-]+)/config")
EVERYWHERE = {
    "availability",
    "device",
    "entity_category",
    "expire_after",
    "icon",
    "json_attributes_topic",
    "name",
    "origin",
    "state_topic",
    "unique_id",
    "value_template",
}
KNOWN = {
    "sensor": EVERYWHERE | {"device_class", "state_class", "unit_of_measurement", "suggested_display_precision"},
    "binary_sensor": EVERYWHERE | {"device_class", "off_delay", "payload_on", "payload_off"},
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version"}
UNITS = {
    "data_size": {"B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"},
    "temperature": {"°C", "°F", "K"},
    "sound_pressure": {"dB", "dBA"},
    "timestamp": {None},
}
BINARY_CLASSES = {"problem", "sound", "connectivity", "running", "occupancy"}
STATE_CLASSES = {"measurement", "total", "total_increasing"}
TEMPLATE = re.compile(r"\{\{ value_json\.(\w+) \}\}")
UNAVAILABLE, UNKNOWN = "unavailable", "unknown"


def checked(topic: str, config: dict[str, Any]) -> None:
    """Fail where a discovery message breaks a rule."""
    found = TOPIC.fullmatch(topic)
    assert found, topic
    component, object_id = found.groups()
    assert config.keys() <= KNOWN[component], config.keys() - KNOWN[component]
    assert {"name", "unique_id", "state_topic", "availability", "device", "origin"} <= config.keys()
    assert object_id == config["unique_id"]
    assert config["device"].keys() <= DEVICE
    assert config["device"]["identifiers"]
    assert config["origin"]["name"]
    assert not config["name"].startswith(config["device"]["name"])
    assert config.get("entity_category") in {None, "diagnostic"}
    for seconds in ("expire_after", "off_delay"):
        assert isinstance(config.get(seconds, 1), int)
        assert config.get(seconds, 1) > 0
    assert config.get("json_attributes_topic") in {None, config["state_topic"]}
    assert TEMPLATE.fullmatch(config.get("value_template", "{{ value_json.x }}"))
    assert re.fullmatch(r"mdi:[a-z0-9-]+", config.get("icon", "mdi:bird"))
    _checked_class(component, config)


def _checked_class(component: str, config: dict[str, Any]) -> None:
    device_class = config.get("device_class")
    if component == "binary_sensor":
        assert device_class in BINARY_CLASSES
    elif device_class is not None:
        assert config.get("unit_of_measurement") in UNITS[device_class]
    assert config.get("state_class") in {None, *STATE_CLASSES}


@dataclass(slots=True)
class Entity:
    """One that was found."""

    config: dict[str, Any]
    state: str = UNKNOWN
    attributes: dict[str, Any] = field(default_factory=dict)

    def take(self, payload: bytes) -> None:
        """A message on its state topic."""
        text = payload.decode()
        if not text:
            return
        if "value_template" in self.config:
            self.attributes = json.loads(text)
            text = str(self.attributes[TEMPLATE.fullmatch(self.config["value_template"])[1]])
        assert len(text) <= 255
        if text != "None" and ({"state_class", "unit_of_measurement"} & self.config.keys()):
            float(text)
        if "device_class" in self.config and "off_delay" in self.config:
            assert text in {"ON", "OFF"}
        self.state = UNKNOWN if text == "None" else text


class House:
    """What Home Assistant has found, by unique id, from the messages in the order in which they came."""

    def __init__(self, messages: Iterable[Received]) -> None:
        self.found: dict[str, Entity] = {}
        self._held: dict[str, bytes] = {}
        for message in messages:
            self._take(message)
        topics = [entity.config["state_topic"] for entity in self.found.values()]
        assert len(set(topics)) == len(topics), "a state topic is shared"

    def state(self, name: str) -> str:
        """The state of an entity, by the end of its unique id."""
        entity = self.entity(name)
        [available] = entity.config["availability"]
        assert available["value_template"] == "{{ value_json.state }}"
        held = self._held.get(available["topic"])
        online = held is not None and json.loads(held)["state"] == "online"
        return entity.state if online else UNAVAILABLE

    def entity(self, name: str) -> Entity:
        """An entity, by the end of its unique id."""
        [one] = [entity for key, entity in self.found.items() if key.endswith(name)]
        return one

    def names(self) -> set[str]:
        """Of all entities."""
        return {entity.config["name"] for entity in self.found.values()}

    def _take(self, message: Received) -> None:
        self._held[message.topic] = message.payload
        if message.topic.startswith("homeassistant/") and message.topic != "homeassistant/status":
            self._discover(message)
        for entity in self.found.values():
            self._tell(entity, message.topic, message.payload)

    def _discover(self, message: Received) -> None:
        key = message.topic.split("/")[2]
        if not message.payload:
            self.found.pop(key, None)
            return
        checked(message.topic, message.content)
        before = self.found.get(key)
        self.found[key] = Entity(message.content, before.state if before else UNKNOWN)
        for topic, payload in self._held.items():  # what is retained comes when it subscribes
            self._tell(self.found[key], topic, payload)

    @staticmethod
    def _tell(entity: Entity, topic: str, payload: bytes) -> None:
        if topic == entity.config["state_topic"]:
            entity.take(payload)

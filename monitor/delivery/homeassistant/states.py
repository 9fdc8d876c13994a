"""The states of the sensors, each on a topic of its own and retained.

At QoS 0: what a connection loses is said again on the next, and an acknowledgement would tell nobody anything.
"""

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from monitor.delivery.homeassistant.entities import Entity, Station
from monitor.delivery.publication import Publication

REPEAT_S = 120.0
"""a state that stays the same is told again after so long, for it expires"""
UNKNOWN = "None"

State: TypeAlias = str | float | Mapping[str, object] | None
"""None: unknown; a mapping where the entity is told more than its state"""
Say: TypeAlias = Callable[[Publication], None]


class States:
    """Tells them; for one thread at a time."""

    def __init__(self, station: Station, say: Say, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._station, self._say, self._monotonic = station, say, monotonic
        self._told: dict[str, tuple[str, float]] = {}

    def tell(self, entity: Entity, state: State) -> None:
        """Say a state that is another than before, or that was last said a while ago. None: unknown."""
        text, now = _text(state), self._monotonic()
        before, since = self._told.get(entity.key, ("", 0.0))
        if text != before or now - since >= REPEAT_S:
            self.repeat(entity, text)

    def repeat(self, entity: Entity, state: State) -> None:
        """Say a state, whatever was said before."""
        text = _text(state)
        self._told[entity.key] = text, self._monotonic()
        self._say(Publication(self._station.state_topic(entity), text.encode(errors="replace"), retain=True))


def _text(state: State) -> str:
    if isinstance(state, Mapping):
        return msgspec.json.encode(state).decode()
    return UNKNOWN if state is None else str(state)

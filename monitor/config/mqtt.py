"""Where detections are published to, and how much that may cost."""

from typing import Annotated

import msgspec

from monitor.config.batch import Batching
from monitor.config.birdnet_go import BirdnetGo
from monitor.config.broker import Broker
from monitor.config.commands import Commands
from monitor.config.homeassistant import HomeAssistant
from monitor.config.publishing import Live

PING_BYTES = 160
"""on the wire, both ways and acknowledged, for each `keepalive_s` of silence"""


class Mqtt(Broker, frozen=True):
    """The broker that detections are published to, or several of which the first that answers is used."""

    prefix: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s\x00]+$", description="first levels of every topic")] = (
        "dawnchorus"
    )
    client_id: Annotated[str, msgspec.Meta(min_length=1, description="null: <prefix>/<station>")] | None = None
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    brokers: Annotated[list[Broker], msgspec.Meta(description="several, in order, in the place of the one above")] = (
        msgspec.field(default_factory=list)
    )
    budget_kb_per_hour: (
        Annotated[float, msgspec.Meta(gt=0, le=1e9, description="on the wire; null: no bound")] | None
    ) = None
    live: Annotated[Live | None, msgspec.Meta(description="scores of each window; null: none")] = None
    lifecycle: Annotated[bool, msgspec.Meta(description="tell of a detection also when it begins and goes on")] = False
    batch: Annotated[Batching | None, msgspec.Meta(description="several messages in one; null: each alone")] = None
    birdnet_go: Annotated[BirdnetGo | None, msgspec.Meta(description="null: no copies for its consumers")] = None
    homeassistant: Annotated[HomeAssistant | None, msgspec.Meta(description="null: it is told nothing")] = None
    commands: Annotated[Commands | None, msgspec.Meta(description="null: nobody is listened to")] = None

    def __post_init__(self) -> None:
        """Refuse what no single key can say: ValueError."""
        super().__post_init__()
        if self.brokers and any(getattr(self, key) != getattr(Broker(), key) for key in Broker.__struct_fields__):
            msg = "brokers takes the place of host and all that describes a single one: either of them expected"
            raise ValueError(msg)
        if self.budget_kb_per_hour is not None and self.budget_kb_per_hour <= 2 * self.silence_kb_per_hour:
            kb, least = self.silence_kb_per_hour, 2 * self.silence_kb_per_hour
            msg = (
                f"budget_kb_per_hour {self.budget_kb_per_hour:g} leaves nothing: a ping every {self.keepalive_s} s "
                f"takes {kb:.1f} of it; more than {least:.1f}, or a longer keepalive_s expected"
            )
            raise ValueError(msg)

    @property
    def silence_kb_per_hour(self) -> float:
        """What it costs to stay connected and say nothing."""
        return 3.6 * PING_BYTES / self.keepalive_s

    @property
    def servers(self) -> list[Broker]:
        """All brokers, in order."""
        return self.brokers or [self]

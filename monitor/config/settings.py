"""All that a station can be told."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from monitor.config.clips import Clips
from monitor.config.clock import Timekeeping
from monitor.config.detection import Detecting
from monitor.config.mqtt import Mqtt
from monitor.config.place import Place
from monitor.config.privacy import Privacy
from monitor.config.schedule import Scheduling
from monitor.config.source import MicrophoneSource, RecordingsSource, Source, source_name
from monitor.config.species import Species
from monitor.config.unknown import Unknown
from monitor.config.values import TopicLevel
from monitor.config.web import Web

OUTBOX_MB = 1000.0


class Store(msgspec.Struct, frozen=True):
    """Where detections are kept."""

    directory: Annotated[str, msgspec.Meta(description="empty: the service's state directory")] = ""
    outbox_rows: Annotated[int, msgspec.Meta(ge=1, description="unsent messages kept at most")] = 1_000_000
    outbox_mb: Annotated[float, msgspec.Meta(gt=0, description="of them, MB at most")] = OUTBOX_MB
    keep_days: Annotated[int, msgspec.Meta(ge=10, description="then delivered rows go; null: never")] | None = None


class Config(msgspec.Struct, frozen=True):
    """Everything a station can be told. There is no audio-feature setting: the model file knows them."""

    station: TopicLevel = "station"
    source: Source = MicrophoneSource()
    sources: Annotated[list[Source], msgspec.Meta(description="several, in the place of source")] = []
    model: Annotated[str | list[str] | None, msgspec.Meta(description="file, or several; null: the bundled one")] = None
    species: Species = Species()
    detection: Detecting = Detecting()
    store: Store = Store()
    mqtt: Mqtt = Mqtt()
    place: Place = Place()
    schedule: Scheduling = Scheduling()
    clock: Timekeeping = Timekeeping()
    clips: Annotated[Clips | None, msgspec.Meta(description="audio that is kept; null: none")] = None
    privacy: Privacy = Privacy()
    unknown: Annotated[Unknown | None, msgspec.Meta(description="sounds without a name; null: none are kept")] = None
    web: Web = Web()
    log: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        """Refuse what no single key can say: ValueError."""
        if self.sources and self.source != MicrophoneSource():
            msg = "source and sources exclude each other: one of them expected"
            raise ValueError(msg)
        names = [source_name(source) for source in self.sources if not isinstance(source, RecordingsSource)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"sources: several are called {', '.join(twice)}; give each a name of its own"
            raise ValueError(msg)

    @property
    def listening(self) -> list[Source]:
        """All that is listened to."""
        return self.sources or [self.source]


def state_directory(config: Config) -> Path:
    """Where the store lies: as configured, as systemd says, or in the user's home."""
    if config.store.directory:
        return Path(config.store.directory)
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "dawnchorus"

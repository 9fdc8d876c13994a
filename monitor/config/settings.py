"""All that a station can be told."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from monitor.config.detection import Detecting
from monitor.config.mqtt import Mqtt
from monitor.config.source import MicrophoneSource, RecordingsSource
from monitor.config.values import TopicLevel


class Store(msgspec.Struct, frozen=True):
    """Where detections are kept."""

    directory: Annotated[str, msgspec.Meta(description="empty: the service's state directory")] = ""
    outbox_rows: Annotated[int, msgspec.Meta(ge=1, description="unsent messages kept at most")] = 1_000_000


class Config(msgspec.Struct, frozen=True):
    """Everything a station can be told. There is no audio-feature setting: the model file knows them."""

    station: TopicLevel = "station"
    source: MicrophoneSource | RecordingsSource = MicrophoneSource()
    model: Annotated[str, msgspec.Meta(description="model file; null: the bundled one")] | None = None
    detection: Detecting = Detecting()
    store: Store = Store()
    mqtt: Mqtt = Mqtt()
    log: Literal["debug", "info", "warning", "error"] = "info"


def state_directory(config: Config) -> Path:
    """Where the store lies: as configured, as systemd says, or in the user's home."""
    if config.store.directory:
        return Path(config.store.directory)
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "dawnchorus"

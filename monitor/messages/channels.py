"""Where each message goes: its topic below `<prefix>/<station>/`, and what the broker does with it."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from monitor.messages.batches import BatchMessage
from monitor.messages.commands import CommandMessage, ResponseMessage
from monitor.messages.delivered import (
    CorrectionMessage,
    DetectionMessage,
    DroppedMessage,
    EffortMessage,
    LifecycleMessage,
    VerdictMessage,
)
from monitor.messages.passing import LiveMessage
from monitor.messages.states import HealthMessage, StatusMessage


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic, which carries messages of one type."""

    level: str
    """the last one of the topic"""
    message: type[msgspec.Struct]
    qos: Literal[0, 1] = 1
    retained: bool = False
    heard: bool = False
    """the station listens there, and publishes nothing"""
    content_type: str = "application/json"


CHANNELS = (
    Channel("status", StatusMessage, retained=True),
    Channel("detections", DetectionMessage),
    Channel("effort", EffortMessage),
    Channel("corrections", CorrectionMessage),
    Channel("lifecycle", LifecycleMessage),
    Channel("dropped", DroppedMessage),
    Channel("verdicts", VerdictMessage),
    Channel("health", HealthMessage, qos=0, retained=True),
    Channel("live", LiveMessage, qos=0),
    Channel("batches", BatchMessage, content_type="application/zlib"),
    Channel("command", CommandMessage, heard=True),
    Channel("response", ResponseMessage),
)

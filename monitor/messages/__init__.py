"""What is published, as types, one file for each promise of delivery; their JSON Schemas are part of the package.

delivered     from the outbox, until acknowledged: read first
states        retained: who comes later is told the last of it
passing       of use for a moment only
batches       several of the delivered in one
commands      what a station is told, and what it answers
channels      which topic carries which of them, and how
schemas       types -> JSON Schemas; asyncapi: all of it as one document
published     the schemas as they were published, in `schema/`: they change by addition only
"""

from monitor.messages.delivered import (
    SCHEMA,
    CorrectionMessage,
    DeliveredMessage,
    DetectionMessage,
    DroppedMessage,
    EffortMessage,
    LifecycleMessage,
    Occurrence,
    VerdictMessage,
)
from monitor.messages.passing import LiveMessage
from monitor.messages.states import HealthMessage, ModelHealth, OutboxHealth, SourceHealth, StatusMessage

__all__ = [
    "SCHEMA",
    "CorrectionMessage",
    "DeliveredMessage",
    "DetectionMessage",
    "DroppedMessage",
    "EffortMessage",
    "HealthMessage",
    "LifecycleMessage",
    "LiveMessage",
    "ModelHealth",
    "Occurrence",
    "OutboxHealth",
    "SourceHealth",
    "StatusMessage",
    "VerdictMessage",
]

"""What is published, as types. Each field names its unit; `schema` counts incompatible changes.

Times are RFC 3339 UTC with milliseconds, or null where nobody knows them; seconds count from the start
of the recording.
"""

from typing import Any, Literal

import msgspec

SCHEMA = 1


class DetectionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/detections, at QoS 1, from the outbox."""

    schema: int = SCHEMA
    id: str
    station: str
    sequence: int
    """counts every outbox message of this store from 1 without a hole: what is missing was not received"""
    recording: str
    onset_utc: str | None
    offset_utc: str | None
    clock_quality: str
    onset_s: float
    offset_s: float
    label: str
    scientific_name: str
    common_name: str
    confidence: float
    model: str


class EffortMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/effort, at QoS 1, from the outbox: once an hour and at the end of a recording."""

    schema: int = SCHEMA
    id: str
    station: str
    sequence: int
    recording: str
    start_utc: str | None
    end_utc: str | None
    clock_quality: str
    start_s: float
    end_s: float
    heard_s: float
    lost_s: float
    model: str


class StatusMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/status, retained; the broker publishes `offline` when the station falls silent."""

    schema: int = SCHEMA
    station: str
    state: Literal["online", "offline"]
    version: str
    started_utc: str
    model: str


def schemas() -> dict[str, Any]:
    """JSON Schemas (2020-12) by topic level."""
    types = {"detections": DetectionMessage, "effort": EffortMessage, "status": StatusMessage}
    return {topic: msgspec.json.schema(message) for topic, message in types.items()}

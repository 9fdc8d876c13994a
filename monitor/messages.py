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
    clock_error_s: float | None = None
    """`onset_utc` and `offset_utc` are right to so many seconds; null where nobody can say"""
    onset_s: float
    offset_s: float
    label: str
    scientific_name: str
    common_name: str
    confidence: float
    model: str


class EffortMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/effort, at QoS 1, from the outbox: every hour of UTC and at the end of a recording.

    heard_s + lost_s + paused_s + withheld_s = end_s - start_s; lost_s is the sum of its five causes.
    """

    schema: int = SCHEMA
    id: str
    station: str
    sequence: int
    recording: str
    start_utc: str | None
    end_utc: str | None
    clock_quality: str
    clock_error_s: float | None = None
    start_s: float
    end_s: float
    heard_s: float
    lost_s: float
    lost_device_s: float = 0.0
    """the microphone was gone, dead or frozen"""
    lost_overrun_s: float = 0.0
    """audio was lost on its way"""
    lost_overload_s: float = 0.0
    """analysis could not keep up"""
    lost_damaged_s: float = 0.0
    """a recording could not be decoded"""
    lost_unknown_s: float = 0.0
    paused_s: float = 0.0
    """outside the schedule"""
    withheld_s: float = 0.0
    """heard, but its sound withheld for privacy"""
    clipped_s: float = 0.0
    """of what was listened to, this was at full scale; no part of the sum"""
    noise_dbfs: dict[str, float] = {}
    """level of each octave band by its nominal centre in Hz: half of the minutes were quieter"""
    model: str


class CorrectionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/corrections, at QoS 1, from the outbox: an earlier message had a wrong time.

    A device that boots without a clock learns the time later. All times of one boot then move alike.
    """

    schema: int = SCHEMA
    id: str
    """of the message that was published with another time, or none"""
    station: str
    sequence: int
    of: Literal["detections", "effort"]
    onset_utc: str
    """of an account of effort, its start"""
    offset_utc: str
    """of an account of effort, its end"""
    clock_quality: str
    clock_error_s: float | None


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
    types = {
        "detections": DetectionMessage,
        "effort": EffortMessage,
        "corrections": CorrectionMessage,
        "status": StatusMessage,
    }
    return {topic: msgspec.json.schema(message) for topic, message in types.items()}

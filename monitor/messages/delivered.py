"""What the outbox delivers: each kept until the broker has acknowledged it, and numbered without a hole.

Each field names its unit; `schema` counts incompatible changes. Times are RFC 3339 UTC with milliseconds, or null
where nobody knows them; seconds count from the start of the recording.
"""

from typing import Literal

import msgspec

SCHEMA = 1


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What all of them begin with."""

    schema: int = SCHEMA
    id: str
    """a UUID, the same however often the message comes: what has one that is known came twice"""
    station: str
    sequence: int
    """counts every outbox message of this store from 1 without a hole: what is missing was not received"""
    backfilled: bool = False
    """it comes late: it had to wait for a broker, or was asked for again"""


class DetectionMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/detections, at QoS 1, from the outbox."""

    recording: str
    """name of the file, or of what is listened to"""
    onset_utc: str | None
    offset_utc: str | None
    clock_quality: str
    """who vouches for the times: gps or ntp; rtc, unsynced or recorder: nobody; unknown: they are null"""
    clock_error_s: float | None = None
    """`onset_utc` and `offset_utc` are right to so many seconds; null where nobody can say"""
    onset_s: float
    offset_s: float
    label: str
    """the model's own name of it"""
    scientific_name: str
    common_name: str
    confidence: float
    """the highest calibrated score, in [0, 1]"""
    model: str


class EffortMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/effort, at QoS 1, from the outbox: every hour of UTC and at the end of a recording.

    heard_s + lost_s + paused_s + withheld_s = end_s - start_s; lost_s is the sum of its five causes.
    """

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


class CorrectionMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/corrections, at QoS 1, from the outbox: an earlier message had a wrong time.

    A device that boots without a clock learns the time later. All times of one boot then move alike.
    """

    id: str
    """of the message that was published with another time, or none"""
    of: Literal["detections", "effort"]
    onset_utc: str
    """of an account of effort, its start"""
    offset_utc: str
    """of an account of effort, its end"""
    clock_quality: str
    clock_error_s: float | None


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """A detection while it lasts: what is known of it so far."""

    id: str
    """of the detection that it will become"""
    recording: str
    onset_utc: str | None
    offset_utc: str | None
    """end of the last window in which it was heard"""
    clock_quality: str
    clock_error_s: float | None = None
    onset_s: float
    offset_s: float
    label: str
    scientific_name: str
    common_name: str
    confidence: float
    """the highest so far"""
    model: str


class LifecycleMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/lifecycle, at QoS 1, from the outbox, where asked for: a detection begins, grows and ends.

    For alerts that cannot wait for the end. The form is that of Frigate's events. `end` comes with the detection; one
    that is reported in pieces ends and begins with each. Its times are not corrected: the detection's are. A station
    that dies leaves a `new` without `end`: what is open when its status says offline, or online with another
    `started_utc`, is over.
    """

    id: str
    """of this message; `after.id` is the detection's"""
    type: Literal["new", "update", "end"]
    before: Occurrence | None
    """as the message before it said; null where this is the first"""
    after: Occurrence


class DroppedMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/dropped, at QoS 1, from the outbox: messages that will not come of themselves.

    Of a sequence number from `first_sequence` to `last_sequence` that a subscriber lacks it need not wait any more. It
    may ask for a replay, which brings what the store keeps: detections, effort and corrections. Where the reason is
    `unkept` that was done, and what is still lacking is gone.
    """

    first_sequence: int
    last_sequence: int
    count: int
    """of them that were given up; the others had been delivered"""
    reason: Literal["rows", "bytes", "unkept"]
    """which bound of the outbox was reached, or that a replay was asked for and this is what it could not bring"""


class VerdictMessage(Delivered, frozen=True, kw_only=True):
    """<prefix>/<station>/verdicts, at QoS 1, from the outbox: somebody has listened to a detection and judged it.

    Of several verdicts on one detection the last one counts.
    """

    detection: str
    """id of the detection"""
    verdict: Literal["confirmed", "rejected", "other"]
    """it is what the detection says; it is not; it is another species"""
    scientific_name: str
    """the species that is heard in the opinion of who judged; empty where that is none, or nobody could say"""
    who: str
    at_utc: str
    """by the clock of where it was judged"""
    note: str = ""


DeliveredMessage = (
    DetectionMessage | EffortMessage | CorrectionMessage | LifecycleMessage | DroppedMessage | VerdictMessage
)

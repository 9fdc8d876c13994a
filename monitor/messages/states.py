"""What a station is and how it fares, retained by the broker: who comes later is told the last of it."""

from typing import Literal

import msgspec

from monitor.messages.delivered import SCHEMA


class StatusMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/status, retained; the broker publishes `offline` when the station falls silent."""

    schema: int = SCHEMA
    station: str
    state: Literal["online", "offline"]
    version: str
    started_utc: str
    model: str


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one source fares."""

    name: str
    state: Literal["waiting", "listening", "paused", "lost", "ended"]
    """waiting: nothing has come yet; paused: by the schedule; lost: looked for; ended: no more recordings"""
    trouble: str | None
    """why nothing is heard, in one sentence"""
    outages: int
    """times it was lost since the start"""
    dropped_s: float
    """audio that was given up because its analysis could not keep up, since the start"""
    overrun_s: float
    """audio that was lost on its way to the analysis, since the start"""
    level_dbfs: float | None
    """of the last full minute; null where nothing was heard in it"""
    clipped_s: float | None
    """of the last full minute"""
    noise_dbfs: dict[str, float]
    """of the last full minute, by nominal centre of an octave band in Hz; empty where nothing was heard in it"""


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What one model gives up on one source because it cannot keep up."""

    model: str
    source: str
    measure: int
    """what it gives up now, 0: nothing; the higher the more"""
    changes: int
    """of the measure, since the start"""
    windows_left_out: int
    """since the start"""
    unheard_s: float
    """audio that no window covered because of that, since the start"""


class OutboxHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for the broker."""

    rows: int
    bytes: int
    refused: int
    """of the rows: set aside, because the broker refused them, and offered again from time to time"""
    refused_reason: str | None
    """of the last one"""
    dropped: int
    """given up since the store was made"""
    oldest_utc: str | None
    last_sequence: int
    """of all that were ever put into it"""


class HealthMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/health, retained, once a minute and at once when something changes for the worse.

    What could not be found out is null. At QoS 0: the next one says all of it again.
    """

    schema: int = SCHEMA
    station: str
    at_utc: str | None
    """when this was so; null where nobody knows the time"""
    uptime_s: float
    """of the program"""
    clock_quality: str
    clock_error_s: float | None
    """the station's clock is right to so many seconds; null where nobody can say"""
    sources: list[SourceHealth]
    models: list[ModelHealth]
    """one for each model and source, those that have come to an end left out"""
    outbox: OutboxHealth | None
    detections_today: int | None
    """reported since midnight at the station"""
    store_failing_s: float | None
    """for so long the disk has refused to take records; null: it does not"""
    free_disk_bytes: int | None
    """where the store lies"""
    memory_bytes: int | None
    """resident"""
    cpu_share: float | None
    """of one core, since the message before; null in the first"""
    temperature_c: float | None
    """of the warmest sensor of the computer"""

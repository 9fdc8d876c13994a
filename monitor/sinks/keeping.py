"""One recording's detections and effort on their way into the store."""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.clock import SampleClock, rfc3339
from monitor.effort import EffortMeter
from monitor.features import Floats
from monitor.messages import DetectionMessage, EffortMessage
from monitor.records import Detection, Effort, Gap, Window
from monitor.sinks.store import Store

EFFORT_PERIOD_S = 3600


@dataclass(frozen=True, slots=True)
class Origin:
    """What the records of one recording have in common."""

    station: str
    recording: str
    clock: SampleClock
    """at the model's rate"""
    model: str


class StoreSink:
    """Keeps one recording's detections and effort."""

    def __init__(self, store: Store, origin: Origin) -> None:
        self._store, self._origin = store, origin
        self._meter = EffortMeter(EFFORT_PERIOD_S * origin.clock.sample_rate)

    def heard(self, window: Window, scores: Floats) -> None:
        """Count the window's effort."""
        del scores
        self._store.retry(time.monotonic())
        self._keep(self._meter.heard(window))

    def lost(self, gap: Gap) -> None:
        """Nothing to do: what no window covers is lost."""

    def handle(self, detection: Detection) -> None:
        """Keep a detection."""
        self._store.add(lambda sequence: detection_message(self._origin, detection, sequence))

    def ended(self, end_sample: int) -> None:
        """Keep the account of what is left."""
        self._keep(self._meter.ended(end_sample))

    def _keep(self, effort: Effort | None) -> None:
        if effort is not None:
            effort_id = str(uuid.uuid4())
            self._store.add(lambda sequence: effort_message(self._origin, effort, effort_id, sequence))


def detection_message(origin: Origin, detection: Detection, sequence: int) -> DetectionMessage:
    """A detection as it is kept and published."""
    clock = origin.clock
    return DetectionMessage(
        id=detection.id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        onset_utc=rfc3339(clock.utc(detection.onset_sample)),
        offset_utc=rfc3339(clock.utc(detection.offset_sample)),
        clock_quality=clock.quality,
        onset_s=round(clock.seconds(detection.onset_sample), 3),
        offset_s=round(clock.seconds(detection.offset_sample), 3),
        label=detection.label,
        scientific_name=detection.taxon.scientific_name,
        common_name=detection.taxon.common_name,
        confidence=round(detection.confidence, 4),
        model=origin.model,
    )


def effort_message(origin: Origin, effort: Effort, effort_id: str, sequence: int) -> EffortMessage:
    """An account as it is kept and published."""
    clock = origin.clock
    return EffortMessage(
        id=effort_id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        start_utc=rfc3339(clock.utc(effort.start_sample)),
        end_utc=rfc3339(clock.utc(effort.end_sample)),
        clock_quality=clock.quality,
        start_s=clock.seconds(effort.start_sample),
        end_s=clock.seconds(effort.end_sample),
        heard_s=clock.seconds(effort.heard_samples),
        lost_s=clock.seconds(effort.lost_samples),
        model=origin.model,
    )


def outage_message(origin: Origin, start: datetime, lost_s: float, outage_id: str, sequence: int) -> EffortMessage:
    """The account of a time without any microphone: all of it lost."""
    return EffortMessage(
        id=outage_id,
        station=origin.station,
        sequence=sequence,
        recording=origin.recording,
        start_utc=rfc3339(start),
        end_utc=rfc3339(start + timedelta(seconds=lost_s)),
        clock_quality=origin.clock.quality,
        start_s=0.0,
        end_s=lost_s,
        heard_s=0.0,
        lost_s=lost_s,
        model=origin.model,
    )

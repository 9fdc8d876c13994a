"""Detections while they last: what is told of one before it is complete."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.clock import rfc3339
from monitor.messages import LifecycleMessage, Occurrence
from monitor.records import Detection
from monitor.sinks.origin import Origin
from monitor.sinks.outbox import Build

RISE = 0.1
"""a confidence that is higher by so much is worth telling"""
EVERY_S = 10
"""a detection that has gone on for so long since it was last told of is told of again"""


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a detection."""

    type: Literal["new", "update", "end"]
    before: Detection | None
    """as it was told of last"""
    after: Detection

    def message(self, origin: Origin) -> Build[LifecycleMessage]:
        """As it is published. Its id is the same however often it is tried."""
        name = f"{self.type}:{self.after.offset_sample}:{self.after.confidence}"
        message_id = str(uuid.uuid5(uuid.UUID(self.after.id), name))
        return lambda sequence: LifecycleMessage(
            id=message_id,
            station=origin.station,
            sequence=sequence,
            type=self.type,
            before=None if self.before is None else occurrence(origin, self.before),
            after=occurrence(origin, self.after),
        )


class Lifecycle:
    """Remembers what was told of the detections that are not complete, each counted at `sample_rate` Hz."""

    def __init__(self, sample_rate: int, muted: Callable[[str], bool] = lambda _label: False) -> None:
        """`muted` says of a label that nobody wants to hear of it now; what was told of is ended in any case."""
        self._every, self._muted = EVERY_S * sample_rate, muted
        self._told: dict[str, Detection] = {}

    def lasting(self, detections: Sequence[Detection]) -> Iterator[Change]:
        """Take all that are not complete, as they are so far; give what is worth telling."""
        for after in detections:
            before = self._told.get(after.id)
            if self._muted(after.label) or (before is not None and not self._changed(before, after)):
                continue
            self._told[after.id] = after
            yield Change("new" if before is None else "update", before, after)

    def complete(self, detection: Detection) -> Change | None:
        """One is complete; None where nobody wants to hear of it."""
        before = self._told.pop(detection.id, None)
        return None if before is None and self._muted(detection.label) else Change("end", before, detection)

    def _changed(self, before: Detection, after: Detection) -> bool:
        return after.confidence >= before.confidence + RISE or after.offset_sample >= before.offset_sample + self._every


def occurrence(origin: Origin, detection: Detection) -> Occurrence:
    """A detection as it is kept and published, complete or not."""
    clock = origin.clock
    onset, offset = clock.at(detection.onset_sample), clock.at(detection.offset_sample)
    return Occurrence(
        id=detection.id,
        recording=origin.recording,
        onset_utc=rfc3339(onset.utc),
        offset_utc=rfc3339(offset.utc),
        clock_quality=onset.quality,
        clock_error_s=None if onset.error_s is None else round(onset.error_s, 6),
        onset_s=round(clock.seconds(detection.onset_sample), 3),
        offset_s=round(clock.seconds(detection.offset_sample), 3),
        label=detection.label,
        scientific_name=detection.taxon.scientific_name,
        common_name=detection.taxon.common_name,
        confidence=round(detection.confidence, 4),
        model=origin.model,
    )

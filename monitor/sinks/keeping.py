"""One recording's detections and effort on their way into the store."""

import time
import uuid
from collections.abc import Callable, Sequence

from monitor.clock import Clock, rfc3339
from monitor.effort import Ledger, Minutes
from monitor.features import Floats
from monitor.messages import DetectionMessage
from monitor.records import Detection, Effort, Gap, Window
from monitor.sinks.accounts import Account, HourAccount, Noise, minute_row
from monitor.sinks.origin import Origin
from monitor.sinks.rows import Moments
from monitor.sinks.store import Store

WRITTEN_MINUTES = 10
"""that go to the disk at once: a memory card wears with each writing, and a power cut costs no more than these"""
SETTLE_S = 120
"""after which nobody can withhold sound from a minute: its detections and clips are decided"""


class StoreSink:
    """Keeps one recording's detections, its minutes and its hours."""

    def __init__(
        self, store: Store, origin: Origin, minutes: Minutes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`minutes` are those of the stream, which its audio passes through."""
        rate = origin.clock.sample_rate
        self._store, self._origin, self._minutes, self._monotonic = store, origin, minutes, monotonic
        self._ledger = Ledger(lambda index: minutes.end_at(index, rate), SETTLE_S * rate)
        self._hour = HourAccount(origin.clock)
        self._unwritten: list[tuple[Effort, Noise]] = []

    def heard(self, window: Window, scores: Floats) -> None:
        """Count the window's effort."""
        del scores
        self._ledger.heard(window)
        self._settle()

    def lost(self, gap: Gap) -> None:
        """Count what is missing."""
        self._ledger.lost(gap)
        self._settle()

    def withheld(self, start_sample: int, end_sample: int) -> None:
        """The sound of these samples is kept from everybody."""
        self._ledger.withheld(start_sample, end_sample)

    def handle(self, detection: Detection) -> None:
        """Keep a detection."""
        moments = _moments(self._origin.clock, detection.onset_sample, detection.offset_sample)
        self._store.add(lambda sequence: detection_message(self._origin, detection, sequence), moments)

    def ended(self, end_sample: int) -> None:
        """Keep the account of what is left."""
        self._account(self._ledger.ended(end_sample))
        self._write()
        self._publish(self._hour.close())

    def _settle(self) -> None:
        self._store.retry(self._monotonic())
        self._account(self._ledger.take())

    def _account(self, efforts: Sequence[Effort]) -> None:
        """Take minutes that are final; write and publish what they complete."""
        for effort in efforts:
            noise = Noise.of(self._minutes.levels(effort.minute), self._minutes.sample_rate)
            if (hour := self._hour.add(effort, noise)) is not None:
                self._write()
                self._publish(hour)
            self._unwritten.append((effort, noise))
            if len(self._unwritten) >= WRITTEN_MINUTES:
                self._write()

    def _write(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        if unwritten:
            self._store.add_minutes(lambda: [minute_row(self._origin, effort, noise) for effort, noise in unwritten])

    def _publish(self, hour: Account | None) -> None:
        if hour is not None:
            account_id = str(uuid.uuid4())
            moments = _moments(self._origin.clock, hour.start_sample, hour.end_sample)
            self._store.add(lambda sequence: hour.message(self._origin, account_id, sequence), moments)


def _moments(clock: Clock, start_sample: int, end_sample: int) -> Moments | None:
    """Where a record of a microphone lies on the monotonic clock."""
    begun, ended = clock.at(start_sample).monotonic, clock.at(end_sample).monotonic
    return None if clock.boot is None or begun is None or ended is None else Moments(clock.boot, begun, ended)


def detection_message(origin: Origin, detection: Detection, sequence: int) -> DetectionMessage:
    """A detection as it is kept and published."""
    clock = origin.clock
    onset, offset = clock.at(detection.onset_sample), clock.at(detection.offset_sample)
    return DetectionMessage(
        id=detection.id,
        station=origin.station,
        sequence=sequence,
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

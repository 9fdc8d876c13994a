"""One recording's detections and effort on their way into the store."""

import time
import uuid
from collections.abc import Callable, Sequence

import msgspec

from monitor.clock import Clock
from monitor.effort import Ledger, Minutes
from monitor.features import Floats
from monitor.messages import DetectionMessage
from monitor.records import Detection, Effort, Gap, Window
from monitor.sinks.accounts import Account, HourAccount, Noise, minute_row
from monitor.sinks.lifecycle import Lifecycle, occurrence
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
        self,
        store: Store,
        origin: Origin,
        minutes: Minutes,
        lifecycle: Lifecycle | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`minutes` are those of the stream, which its audio passes through. Without a `lifecycle` none is told."""
        rate = origin.clock.sample_rate
        self._lifecycle = lifecycle
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

    def lasting(self, detections: Sequence[Detection]) -> None:
        """Tell what is worth telling of detections that are not complete."""
        for change in () if self._lifecycle is None else self._lifecycle.lasting(detections):
            self._store.send(change.message(self._origin))

    def handle(self, detection: Detection) -> None:
        """Keep a detection, and tell that it has ended."""
        origin = self._origin
        moments = _moments(origin.clock, detection.onset_sample, detection.offset_sample)
        end = None if self._lifecycle is None else self._lifecycle.complete(detection)
        told = None if end is None else end.message(origin)
        self._store.add(lambda sequence: detection_message(origin, detection, sequence), moments, told)

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
    known = msgspec.structs.asdict(occurrence(origin, detection))
    return DetectionMessage(station=origin.station, sequence=sequence, **known)

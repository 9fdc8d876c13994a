"""A recording's effort as a station keeps it: minute by minute, and summed up by the hour.

How loud it was is left out: to measure that takes half as long again as all the rest.
"""

import uuid
from typing import TYPE_CHECKING

from monitor.effort import Ledger, Minutes
from monitor.features import Floats
from monitor.records import Detection, Effort, Gap, Window
from monitor.sinks.accounts import Account, HourAccount, Noise, minute_row
from monitor.sinks.origin import Origin

if TYPE_CHECKING:
    from monitor.messages import EffortMessage
    from monitor.sinks.rows import Minute


class EffortRows:
    """Collects the effort of one model on one recording, whose minutes are `minutes`."""

    def __init__(self, origin: Origin, minutes: Minutes, stream_id: uuid.UUID) -> None:
        """`stream_id` makes the accounts' ids: the same whenever the recording is analysed again."""
        rate = origin.clock.sample_rate
        self.minutes: list[Minute] = []
        self.hours: list[EffortMessage] = []
        self._origin, self._id = origin, uuid.uuid5(stream_id, origin.model)
        self._ledger = Ledger(lambda index: minutes.end_at(index, rate))
        self._hour = HourAccount(origin.clock)

    def heard(self, window: Window, scores: Floats) -> None:
        """Count the window's effort."""
        del scores
        self._ledger.heard(window)
        self._account(self._ledger.take())

    def lost(self, gap: Gap) -> None:
        """Count what is missing."""
        self._ledger.lost(gap)
        self._account(self._ledger.take())

    def handle(self, detection: Detection) -> None:
        """Nothing to do."""

    def ended(self, end_sample: int) -> None:
        """Account for what is left."""
        self._account(self._ledger.ended(end_sample))
        self._close(self._hour.close())

    def _account(self, efforts: list[Effort]) -> None:
        for effort in efforts:
            self._close(self._hour.add(effort, Noise()))
            self.minutes.append(minute_row(self._origin, effort, Noise()))

    def _close(self, hour: Account | None) -> None:
        if hour is not None:
            account_id = str(uuid.uuid5(self._id, f"effort:{hour.start_sample}"))
            self.hours.append(hour.message(self._origin, account_id, sequence=0))

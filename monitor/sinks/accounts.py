"""The ledger's minutes as rows, and their sums by the hour as messages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import msgspec

from monitor.clock import Clock, rfc3339
from monitor.levels import Levels, octaves
from monitor.messages import EffortMessage
from monitor.records import Cause, Effort
from monitor.sinks.origin import Origin
from monitor.sinks.rows import Minute

HOUR_S = 3600
LEAST_HOUR_S = 600
"""an account that has just begun when an hour of UTC ends goes on into the next"""


@dataclass(frozen=True, slots=True)
class Noise:
    """How loud a minute was."""

    clipped_s: float = 0.0
    bands_dbfs: dict[str, float] = field(default_factory=dict)
    """by nominal centre of the octave in Hz; empty where nothing was heard"""

    @staticmethod
    def of(levels: Levels | None, sample_rate: int) -> "Noise":
        """From what was measured at a sample rate."""
        if levels is None:
            return Noise()
        names = (f"{centre_hz:g}" for centre_hz in octaves(sample_rate))
        bands = {name: round(level, 1) for name, level in zip(names, levels.bands_dbfs, strict=False)}
        return Noise(levels.clipped_samples / sample_rate, bands)


def minute_row(origin: Origin, effort: Effort, noise: Noise) -> Minute:
    """A minute of the ledger as it is kept."""
    clock, missed = origin.clock, effort.missed
    start, end = clock.at(effort.start_sample), clock.at(effort.end_sample)
    return Minute(
        recording=origin.recording,
        model=origin.model,
        start_utc=rfc3339(start.utc),
        end_utc=rfc3339(end.utc),
        clock_quality=start.quality,
        clock_error_s=None if start.error_s is None else round(start.error_s, 6),
        boot=clock.boot,
        start_monotonic=start.monotonic,
        end_monotonic=end.monotonic,
        start_s=clock.seconds(effort.start_sample),
        sample_rate=clock.sample_rate,
        elapsed=effort.end_sample - effort.start_sample,
        heard=effort.heard_samples,
        paused=effort.paused_samples,
        withheld=effort.withheld_samples,
        lost_device=missed.get(Cause.DEVICE, 0),
        lost_overrun=missed.get(Cause.OVERRUN, 0),
        lost_overload=missed.get(Cause.OVERLOAD, 0),
        lost_damaged=missed.get(Cause.DAMAGED, 0),
        lost_unknown=missed.get(Cause.UNKNOWN, 0),
        clipped_s=noise.clipped_s,
        noise_dbfs=msgspec.json.encode(noise.bands_dbfs).decode(),
    )


@dataclass(frozen=True, slots=True)
class Account:
    """The sum of consecutive minutes of the ledger."""

    start_sample: int
    end_sample: int
    heard: int
    withheld: int
    missed: Counter[Cause]
    clipped_s: float
    bands_dbfs: dict[str, float]

    @staticmethod
    def of(minutes: Sequence[tuple[Effort, Noise]]) -> "Account":
        """Of at least one minute."""
        efforts = [effort for effort, _ in minutes]
        missed: Counter[Cause] = Counter()
        for effort in efforts:
            missed.update(effort.missed)
        return Account(
            start_sample=efforts[0].start_sample,
            end_sample=efforts[-1].end_sample,
            heard=sum(effort.heard_samples for effort in efforts),
            withheld=sum(effort.withheld_samples for effort in efforts),
            missed=missed,
            clipped_s=sum(noise.clipped_s for _, noise in minutes),
            bands_dbfs=_medians([noise.bands_dbfs for _, noise in minutes if noise.bands_dbfs]),
        )

    def message(self, origin: Origin, account_id: str, sequence: int) -> EffortMessage:
        """The account as it is kept and published."""
        clock, missed = origin.clock, self.missed
        start, end = clock.at(self.start_sample), clock.at(self.end_sample)
        return EffortMessage(
            id=account_id,
            station=origin.station,
            sequence=sequence,
            recording=origin.recording,
            start_utc=rfc3339(start.utc),
            end_utc=rfc3339(end.utc),
            clock_quality=start.quality,
            clock_error_s=None if start.error_s is None else round(start.error_s, 6),
            start_s=clock.seconds(self.start_sample),
            end_s=clock.seconds(self.end_sample),
            heard_s=clock.seconds(self.heard),
            lost_s=clock.seconds(missed.total() - missed[Cause.SCHEDULE]),
            lost_device_s=clock.seconds(missed[Cause.DEVICE]),
            lost_overrun_s=clock.seconds(missed[Cause.OVERRUN]),
            lost_overload_s=clock.seconds(missed[Cause.OVERLOAD]),
            lost_damaged_s=clock.seconds(missed[Cause.DAMAGED]),
            lost_unknown_s=clock.seconds(missed[Cause.UNKNOWN]),
            paused_s=clock.seconds(missed[Cause.SCHEDULE]),
            withheld_s=clock.seconds(self.withheld),
            clipped_s=self.clipped_s,
            noise_dbfs=self.bands_dbfs,
            model=origin.model,
        )


class HourAccount:
    """Gathers minutes until an hour of UTC is over; where nobody knows UTC, for an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: list[tuple[Effort, Noise]] = []

    def add(self, effort: Effort, noise: Noise) -> Account | None:
        """Take a minute; return the account of the hour before it, if it begins a new one."""
        full = self.close() if self._minutes and self._begins_hour(effort) else None
        self._minutes.append((effort, noise))
        return full

    def close(self) -> Account | None:
        """The account of what has been gathered, if there is anything."""
        minutes, self._minutes = self._minutes, []
        return Account.of(minutes) if minutes else None

    def _begins_hour(self, effort: Effort) -> bool:
        first, last = self._minutes[0][0].start_sample, self._minutes[-1][0].start_sample
        gathered_s = self._clock.seconds(effort.start_sample - first)
        before, now = self._clock.at(last).utc, self._clock.at(effort.start_sample).utc
        if before is None or now is None or gathered_s >= HOUR_S + LEAST_HOUR_S:
            return gathered_s >= HOUR_S
        return gathered_s >= LEAST_HOUR_S and (before.date(), before.hour) != (now.date(), now.hour)


def _medians(minutes: Sequence[dict[str, float]]) -> dict[str, float]:
    """Half of the minutes were quieter: a car that passes does not count."""
    return {band: median(minute[band] for minute in minutes) for band in (minutes[0] if minutes else ())}

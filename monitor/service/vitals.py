"""How the station fares: found out once a minute, and at once when something changes for the worse."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from monitor import hardware
from monitor.clock import rfc3339
from monitor.clock.reference import StationClock
from monitor.messages import HealthMessage, ModelHealth, OutboxHealth, SourceHealth
from monitor.overload import Relief
from monitor.pipeline import Chain
from monitor.service.progress import Progress, State
from monitor.service.regular import Regular
from monitor.service.today import Today
from monitor.sinks.accounts import Noise
from monitor.sinks.outbox import Outbox
from monitor.sinks.store import Store

EVERY_S = 60.0
LOOK_S = 1.0
"""how often it is looked whether something has become worse"""
SOONEST_S = 5.0
"""a message is not followed by one about something worse within so long: a loose plug must not flood the broker"""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is read beside the rows."""

    station: str
    """its name"""
    store: Store
    outbox: Outbox
    """of that store, and for nobody else"""
    clock: StationClock
    today: Today

    def outbox_health(self) -> OutboxHealth | None:
        """None where the store cannot be read."""
        try:
            return self.outbox.health()
        except sqlite3.Error:  # the publisher, who needs it more, says so aloud
            return None


@dataclass(frozen=True, slots=True)
class Ailments:
    """What is worse than it could be."""

    lost: frozenset[str] = frozenset()
    """sources"""
    failing: bool = False
    """the disk"""
    measures: dict[tuple[str, str], int] = field(default_factory=dict)
    """by source and model"""

    def worse_than(self, before: "Ailments") -> bool:
        """Whether anything is."""
        higher = any(measure > before.measures.get(which, 0) for which, measure in self.measures.items())
        return higher or bool(self.lost - before.lost) or self.failing > before.failing


class Vitals:
    """Finds out how the station fares, from a thread of its own, and tells who wants to know."""

    def __init__(
        self,
        instruments: Instruments,
        rows: Sequence[Progress],
        tell: Sequence[Callable[[HealthMessage], None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` are called from that thread, one after the other."""
        self._instruments, self._rows, self._tell, self._monotonic = instruments, rows, tell, monotonic
        self._began = monotonic()
        self._told_at = self._began - EVERY_S
        self._told = Ailments()
        self._used_s: tuple[float, float] | None = None
        """monotonic, and processor time until then"""
        self._examining = threading.Lock()
        self._regular = Regular("vitals", LOOK_S, self.look)

    def start(self) -> None:
        """Tell from now on."""
        self._regular.start()

    def close(self) -> None:
        """Tell no more."""
        self._regular.close()

    def look(self) -> None:
        """Tell if it is time, or if something is worse than when it was told last."""
        since_s = self._monotonic() - self._told_at
        if since_s >= EVERY_S or (since_s >= SOONEST_S and self._ailments().worse_than(self._told)):
            self.report()

    def report(self) -> None:
        """Tell how the station fares now."""
        self._told_at, self._told = self._monotonic(), self._ailments()
        message = self.examined()
        for tell in self._tell:
            tell(message)

    def examined(self) -> HealthMessage:
        """How the station fares now; from any thread."""
        with self._examining:
            return self._examined()

    def _examined(self) -> HealthMessage:
        read, now = self._instruments, self._monotonic()
        instant = read.clock.at(now)
        return HealthMessage(
            station=read.station,
            at_utc=rfc3339(instant.utc),
            uptime_s=round(now - self._began, 3),
            clock_quality=instant.quality,
            clock_error_s=None if instant.error_s is None else round(instant.error_s, 6),
            sources=[_source(row) for row in self._rows if row.name],
            models=[one for row in self._rows for one in _models(row)],
            outbox=read.outbox_health(),
            detections_today=read.today.detections(),
            store_failing_s=_rounded(read.store.failing_s),
            free_disk_bytes=hardware.free_bytes(read.store.path.parent),
            memory_bytes=hardware.resident_bytes(),
            cpu_share=self._cpu_share(),
            temperature_c=hardware.temperature_c(),
        )

    def _ailments(self) -> Ailments:
        return Ailments(
            lost=frozenset(row.name for row in self._rows if row.state is State.LOST),
            failing=self._instruments.store.failing_s is not None,
            measures={(one.source, one.model): one.measure for row in self._rows for one in _models(row)},
        )

    def _cpu_share(self) -> float | None:
        before, self._used_s = self._used_s, (self._monotonic(), time.process_time())
        if before is None or self._used_s[0] <= before[0]:
            return None
        return round((self._used_s[1] - before[1]) / (self._used_s[0] - before[0]), 4)


def _source(row: Progress) -> SourceHealth:
    condition, listening = row.condition, row.listening
    levels = None if listening is None else listening.minutes.last_levels
    noise = None if listening is None or levels is None else Noise.of(levels, listening.minutes.sample_rate)
    return SourceHealth(
        name=row.name,
        state=row.state.value,
        trouble=row.trouble,
        outages=condition.outages,
        dropped_s=round(condition.dropped_s, 3),
        overrun_s=round(condition.overrun_s, 3),
        level_dbfs=None if levels is None else round(levels.rms_dbfs, 1),
        clipped_s=None if noise is None else round(noise.clipped_s, 3),
        noise_dbfs={} if noise is None else noise.bands_dbfs,
    )


def _models(row: Progress) -> list[ModelHealth]:
    chains = [] if row.listening is None else row.listening.chains
    return [_model(row.name, chain, chain.relief) for chain in chains if chain.relief is not None]


def _model(source: str, chain: Chain, relief: Relief) -> ModelHealth:
    contract = chain.classifier.contract
    return ModelHealth(
        model=contract.name,
        source=source,
        measure=relief.measure,
        changes=relief.changes,
        windows_left_out=relief.windows_left_out,
        unheard_s=round(relief.unheard_samples / contract.sample_rate, 3),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)

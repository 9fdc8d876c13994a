"""What is wrong with a station, worst first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from monitor.fleet.stations import Station
from monitor.messages import HealthMessage, OutboxHealth

SILENT_S = 180.0
"""without health, which comes once a minute, before that is trouble"""
MANY_ROWS = 1000
LITTLE_DISK_BYTES = 500_000_000
HOT_C = 80.0
"""where a Raspberry Pi begins to slow down"""


class Grade(IntEnum):
    """How bad it is."""

    BAD = 0
    """nothing is heard, kept or known"""
    DOUBTFUL = 1


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """One thing that somebody should look at."""

    grade: Grade
    what: str


def troubles(station: Station, now: datetime) -> list[Trouble]:
    """All that is wrong, worst first."""
    return sorted(_found(station, now))


def _found(station: Station, now: datetime) -> Iterator[Trouble]:
    if station.status is None:
        yield Trouble(Grade.DOUBTFUL, "it never said that it is online")
    elif station.status.state == "offline":
        yield Trouble(Grade.BAD, "offline")
        return  # what it said of itself before is no longer so
    if station.health_at is not None and (now - station.health_at).total_seconds() > SILENT_S:
        silent_min = (now - station.health_at).total_seconds() / 60
        yield Trouble(Grade.BAD, f"has not said how it fares for {silent_min:.0f} min")
    if station.health is not None:
        yield from _health(station.health)
    if station.missing:
        yield Trouble(Grade.DOUBTFUL, f"{station.missing} missing")
    if station.unread:
        yield Trouble(Grade.DOUBTFUL, f"{station.unread} that cannot be read")


def _health(health: HealthMessage) -> Iterator[Trouble]:
    for source in health.sources:
        if source.state == "lost":
            yield Trouble(Grade.BAD, f"{source.name} is lost{f': {source.trouble}' if source.trouble else ''}")
    if health.store_failing_s is not None:
        yield Trouble(Grade.BAD, f"its disk has refused for {health.store_failing_s:.0f} s")
    if health.outbox is None:
        yield Trouble(Grade.BAD, "its store cannot be read")
    else:
        yield from _outbox(health.outbox)
    if any(model.measure for model in health.models):
        yield Trouble(Grade.DOUBTFUL, "it cannot keep up")
    if health.free_disk_bytes is not None and health.free_disk_bytes < LITTLE_DISK_BYTES:
        yield Trouble(Grade.DOUBTFUL, f"{health.free_disk_bytes / 1e6:.0f} MB of disk left")
    if health.temperature_c is not None and health.temperature_c > HOT_C:
        yield Trouble(Grade.DOUBTFUL, f"{health.temperature_c:.0f} °C")
    if health.clock_quality in {"unsynced", "unknown"}:
        yield Trouble(Grade.DOUBTFUL, f"its clock is {health.clock_quality}")


def _outbox(outbox: OutboxHealth) -> Iterator[Trouble]:
    if outbox.refused:
        yield Trouble(Grade.DOUBTFUL, f"the broker refuses {outbox.refused} of its messages: {outbox.refused_reason}")
    if outbox.rows - outbox.refused > MANY_ROWS:
        yield Trouble(Grade.DOUBTFUL, f"{outbox.rows} messages wait for a broker")

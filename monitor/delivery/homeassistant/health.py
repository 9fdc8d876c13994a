"""The health of a station as states of sensors."""

from collections.abc import Iterator

from monitor.delivery.homeassistant.entities import CLOCK, DISK, MEMORY, TEMPERATURE, TODAY, WAITING, Entity
from monitor.messages import HealthMessage

_BYTES_PER_MB = 1_000_000


def figures(health: HealthMessage) -> Iterator[tuple[Entity, str | float | None]]:
    """What is measured, but for the noise."""
    yield TODAY, health.detections_today
    yield WAITING, None if health.outbox is None else health.outbox.rows
    yield DISK, _megabytes(health.free_disk_bytes)
    yield MEMORY, _megabytes(health.memory_bytes)
    yield TEMPERATURE, health.temperature_c
    yield CLOCK, health.clock_quality


def problems(health: HealthMessage) -> list[str]:
    """What somebody should look after, one sentence each."""
    lost = [source for source in health.sources if source.state == "lost"]
    found = [
        f"{source.name} is lost: {source.trouble}" if source.trouble else f"{source.name} is lost" for source in lost
    ]
    found += [f"{one.model} cannot keep up with {one.source}" for one in health.models if one.measure > 0]
    if health.store_failing_s is not None:
        found.append("the store cannot be written")
    if health.outbox is None:
        found.append("the store cannot be read")
    elif health.outbox.refused:
        found.append(f"the broker refuses {health.outbox.refused} messages: {health.outbox.refused_reason}")
    return found


def _megabytes(count: int | None) -> float | None:
    return None if count is None else round(count / _BYTES_PER_MB, 1)

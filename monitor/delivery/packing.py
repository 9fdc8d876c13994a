"""How rows of the outbox become publications."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.config.mqtt import Mqtt
from monitor.delivery.batches import Batcher
from monitor.delivery.publication import Parcel, Publication
from monitor.sinks.outbox import OutboxRow

Parcels = Callable[[Sequence[OutboxRow]], list[Parcel]]
"""rows to send -> parcels; a row that is in none of them is offered again"""

LATE, IN_TIME = b'"backfilled":true', b'"backfilled":false'


@dataclass(frozen=True, slots=True)
class Packing:
    """How rows become parcels."""

    parcels: Parcels
    lookahead: int = 0
    """rows that it wants to see at once"""
    hurry: Callable[[], None] = lambda: None
    """let nothing wait any more for others: the station stops"""


def packing(settings: Mqtt, base: str, monotonic: Callable[[], float]) -> Packing:
    """Each message alone, or in batches, as the settings ask; `base` is the topic above the levels."""
    if settings.batch is None:
        return Packing(lambda rows: [alone(row, base) for row in rows])
    batcher = Batcher(settings.batch, base, monotonic)
    return Packing(batcher.parcels, settings.batch.rows, batcher.hurry)


def alone(row: OutboxRow, base: str) -> Parcel:
    """A message as it is."""
    return Parcel((row.sequence,), (Publication(f"{base}/{row.topic}", row.payload, qos=1),))


def late(row: OutboxRow) -> OutboxRow:
    """The same, and it says that it comes late. JSON writes a quote inside of a text in another way."""
    return replace(row, payload=row.payload.replace(IN_TIME, LATE, 1))

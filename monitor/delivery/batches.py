"""Several messages in one, compressed: for links on which every byte is paid for.

A batch is published on `<prefix>/<station>/batches` in the place of its messages: a zlib stream (RFC 1950) of JSON,
`{"schema": 1, "messages": [{"level": "detections", "message": {...}}, ...]}`, where `level` is the last level of the
topic that a message would have had alone. A hundred detections in one take 14 % of their bytes and 11 % of what they
would take on the wire, ten take 22 and 19 %, one 69 and 77 %: for the most part their ids, which are random.
"""

import time
import zlib
from collections.abc import Callable, Sequence

import msgspec

from monitor.config.batch import Batching
from monitor.delivery.publication import Parcel, Publication
from monitor.errors import UNDECODABLE, MessageError
from monitor.messages.batches import BatchMessage, Packed
from monitor.messages.delivered import SCHEMA
from monitor.sinks.outbox import OutboxRow

LEVEL = "batches"
LARGEST_BYTES = 16 * 1024 * 1024
"""of a batch that is unpacked: a few kilobytes can stand for any amount of memory"""
REMEMBERED = 100_000
"""rows; then their waiting begins anew"""


class Batcher:
    """Makes batches of what waits; a row that is in none of them waits for company and is to be offered again."""

    def __init__(self, settings: Batching, base: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`base`: the topic above the levels, <prefix>/<station>."""
        self._settings, self._base, self._monotonic = settings, base, monotonic
        self._seen: dict[int, float] = {}
        """when a row was first offered, by sequence number"""
        self._hurry = False

    def parcels(self, rows: Sequence[OutboxRow]) -> list[Parcel]:
        """Full batches of rows not yet sent, and one that is not full if a row of it has waited long enough."""
        now, size = self._monotonic(), self._settings.rows
        if len(self._seen) > REMEMBERED:
            self._seen.clear()
        for row in rows:
            self._seen.setdefault(row.sequence, now)
        whole = len(rows) - len(rows) % size
        waited_s = max((now - self._seen[row.sequence] for row in rows[whole:]), default=0.0)
        taken = rows if self._hurry or waited_s >= self._settings.wait_s else rows[:whole]
        return [self._parcel(taken[start : start + size]) for start in range(0, len(taken), size)]

    def hurry(self) -> None:
        """Let nothing wait any more: the station stops."""
        self._hurry = True

    def _parcel(self, rows: Sequence[OutboxRow]) -> Parcel:
        payload = pack([(row.topic, row.payload) for row in rows])
        return Parcel(tuple(row.sequence for row in rows), (Publication(f"{self._base}/{LEVEL}", payload, qos=1),))


def pack(messages: Sequence[tuple[str, bytes]]) -> bytes:
    """A batch of messages, each as level and JSON."""
    packed = [Packed(level=level, message=msgspec.Raw(payload)) for level, payload in messages]
    return zlib.compress(msgspec.json.encode(BatchMessage(messages=packed)), 9)


def unpack(payload: bytes) -> list[tuple[str, bytes]]:
    """The messages of a batch, each as level and JSON. Raises MessageError for what is no batch."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(payload, LARGEST_BYTES)
    except zlib.error as error:
        msg = f"batch of {len(payload)} bytes cannot be decompressed: {error}"
        raise MessageError(msg) from error
    if not stream.eof:
        msg = f"batch of {len(payload)} bytes is cut off, or has more than {LARGEST_BYTES} bytes in it"
        raise MessageError(msg)
    try:
        batch = msgspec.json.decode(text, type=BatchMessage)
    except UNDECODABLE as error:
        msg = f"batch of {len(payload)} bytes is none: {error}"
        raise MessageError(msg) from error
    if batch.schema != SCHEMA:
        msg = f"batch has schema {batch.schema}: {SCHEMA} expected"
        raise MessageError(msg)
    return [(packed.level, bytes(packed.message)) for packed in batch.messages]

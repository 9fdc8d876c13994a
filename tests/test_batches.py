"""Several messages in one: what goes in comes out, for little, and nothing else does harm."""

import random
import uuid
import zlib
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.config.batch import Batching
from monitor.delivery.batches import LARGEST_BYTES, Batcher, pack, unpack
from monitor.errors import MessageError
from monitor.messages import DetectionMessage
from monitor.sinks.outbox import OutboxRow

modest = settings(derandomize=True, deadline=None, max_examples=60)

LEVELS = st.sampled_from(["detections", "effort", "corrections"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.lists(st.tuples(LEVELS, st.dictionaries(st.text(), VALUES).map(msgspec.json.encode)), max_size=8)

SPECIES = [("Parus major", "Great tit"), ("Sylvia atricapilla", "Eurasian blackcap"), ("Corvus frugilegus", "Rook")]


def detection(number: int, chance: random.Random) -> bytes:
    """A detection as a station publishes it, one every few seconds."""
    scientific, common = chance.choices(SPECIES, [8, 5, 2])[0]
    onset_s = round(3.1 * number + chance.random(), 3)
    offset_s = round(onset_s + chance.uniform(2, 9), 3)
    onset_utc, offset_utc = (f"2026-05-01T{4 + int(s // 3600):02d}:{int(s // 60) % 60:02d}:{s % 60:06.3f}Z"
                             for s in (onset_s, offset_s))  # fmt: skip
    message = DetectionMessage(
        id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        station="valley",
        sequence=number + 1,
        recording="usb:16d0:06f3",
        onset_utc=onset_utc,
        offset_utc=offset_utc,
        clock_quality="ntp",
        clock_error_s=round(chance.uniform(0.001, 0.02), 6),
        onset_s=onset_s,
        offset_s=offset_s,
        label=f"{scientific}_{common}",
        scientific_name=scientific,
        common_name=common,
        confidence=round(chance.uniform(0.6, 1), 4),
        model="dawnchorus-starter-6",
    )
    return msgspec.json.encode(message)


def rows(first: int, last: int) -> list[OutboxRow]:
    """Rows of the outbox with these sequence numbers."""
    return [OutboxRow(sequence, "detections", b'{"n":%d}' % sequence) for sequence in range(first, last + 1)]


@modest
@given(messages=MESSAGES)
def test_what_is_packed_is_unpacked_byte_by_byte(messages: list[tuple[str, bytes]]) -> None:
    assert unpack(pack(messages)) == messages


@modest
@given(
    payload=st.binary() | st.binary().map(zlib.compress) | VALUES.map(lambda v: zlib.compress(msgspec.json.encode(v)))
)
@example(payload=zlib.compress(b'{"more": ' + b"[" * 100_000))
@example(payload=zlib.compress(b'{"schema": 1, "messages": [{"level": "\xff"}]}'))
def test_what_is_no_batch_is_refused_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(MessageError, match="batch"):
        unpack(payload)


@modest
@given(messages=MESSAGES, cut=st.integers(0, 400), change=st.binary(max_size=2))
def test_a_damaged_batch_gives_all_its_messages_or_none(
    messages: list[tuple[str, bytes]], cut: int, change: bytes
) -> None:
    whole = pack(messages)
    with suppress(MessageError):
        assert unpack(whole[:cut] + change + whole[cut + len(change) :]) == messages


def test_a_small_batch_that_stands_for_more_than_memory_is_refused() -> None:
    with pytest.raises(MessageError, match="more than 16777216 bytes in it"):
        unpack(zlib.compress(b" " * (LARGEST_BYTES + 1)))


def test_a_batch_of_a_later_kind_is_refused_by_its_number() -> None:
    with pytest.raises(MessageError, match="schema 2: 1 expected"):
        unpack(zlib.compress(b'{"schema": 2, "messages": []}'))


@pytest.mark.parametrize(("together", "share"), [(1, 0.72), (10, 0.23), (100, 0.15)])
def test_batches_take_the_share_of_the_bytes_that_is_published(together: int, share: float) -> None:
    chance = random.Random(1)  # noqa: S311 no secret
    messages = [("detections", detection(number, chance)) for number in range(1000)]
    batches = [pack(messages[start : start + together]) for start in range(0, 1000, together)]
    assert sum(map(len, batches)) < share * sum(len(payload) for _, payload in messages)


class _Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@modest
@given(
    size=st.integers(1, 7),
    arrivals=st.lists(st.tuples(st.integers(0, 10), st.floats(0, 20)), min_size=1, max_size=30),
)
def test_each_row_goes_once_in_order_in_full_batches_or_after_its_wait(
    size: int, arrivals: list[tuple[int, float]]
) -> None:
    clock, came, sent = _Clock(), {}, []
    batcher = Batcher(Batching(rows=size, wait_s=30.0), "dawnchorus/valley", clock)
    waiting: list[OutboxRow] = []
    for count, pause_s in arrivals:
        new = rows(len(came) + 1, len(came) + count)
        came |= dict.fromkeys((row.sequence for row in new), clock.now)
        waiting += new
        parcels = batcher.parcels(waiting)
        for parcel in parcels:
            (publication,) = parcel.publications
            assert (publication.topic, publication.qos) == ("dawnchorus/valley/batches", 1)
            assert [msgspec.json.decode(p)["n"] for _, p in unpack(publication.payload)] == list(parcel.sequences)
            waited_s = clock.now - came[parcel.sequences[0]]
            assert len(parcel.sequences) == size or (len(parcel.sequences) < size and waited_s >= 30.0)
            sent += parcel.sequences
        waiting = [row for row in waiting if row.sequence not in sent]
        assert all(clock.now - came[row.sequence] < 30.0 for row in waiting)
        clock.now += pause_s
    assert all(after == before + 1 for before, after in pairwise([0, *sent]))


def test_at_the_stop_nothing_waits_for_company() -> None:
    batcher = Batcher(Batching(rows=10, wait_s=600.0), "dawnchorus/valley")
    assert batcher.parcels(rows(1, 3)) == []
    batcher.hurry()
    assert [parcel.sequences for parcel in batcher.parcels(rows(1, 13))] == [tuple(range(1, 11)), (11, 12, 13)]

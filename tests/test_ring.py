"""Audio that waits: in order, bounded, and nothing disappears without a gap in its place."""

import threading
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.records import Cause, Gap
from monitor.sources.feed import Frames, Piece
from monitor.sources.ring import Ring

modest = settings(derandomize=True, deadline=None, max_examples=100)

RATE = 100


def audio(start: int, count: int) -> Frames:
    """Samples that are their own index."""
    return Frames(start, np.arange(start, start + count, dtype=np.float32)[:, None], 0.0)


def laid_out(lengths: list[int]) -> list[Piece]:
    """Pieces that follow each other: a positive length is audio, a negative one a gap."""
    pieces: list[Piece] = []
    position = 0
    for length in lengths:
        end = position + abs(length)
        pieces.append(audio(position, length) if length > 0 else Gap(position, end, Cause.DEVICE))
        position = end
    return pieces


def taken(ring: Ring) -> list[Piece]:
    """All that waits, once nothing more comes."""
    ring.close()
    return list(ring.pieces(threading.Event()))


lengths = st.lists(st.integers(-80, 80).filter(bool), min_size=1, max_size=40)


@modest
@given(lengths=lengths, held=st.integers(1, 300))
def test_what_comes_out_is_what_was_put_or_a_gap_and_never_more_than_fits(lengths: list[int], held: int) -> None:
    ring, pieces = Ring(RATE, held / RATE), laid_out(lengths)
    for piece in pieces:
        ring.put(piece)
        assert 0 <= ring.fullness() <= 1
    out = taken(ring)
    assert all(before.end_sample == after.start_sample for before, after in pairwise(out))
    assert (out[0].start_sample, out[-1].end_sample) == (0, pieces[-1].end_sample)
    original = {sample for piece in pieces if isinstance(piece, Frames) for sample in piece.samples[:, 0].tolist()}
    kept = [sample for piece in out if isinstance(piece, Frames) for sample in piece.samples[:, 0].tolist()]
    given_up = [
        s for p in out if isinstance(p, Gap) and p.cause == Cause.OVERLOAD for s in range(p.start_sample, p.end_sample)
    ]
    assert sorted([*kept, *given_up]) == sorted(original)
    assert kept == sorted(kept)
    assert not kept or not given_up or max(given_up) < min(kept), "the oldest goes"
    assert len(kept) <= held
    assert len(given_up) == ring.dropped_samples


@modest
@given(lengths=lengths)
def test_nothing_is_given_up_while_there_is_room(lengths: list[int]) -> None:
    ring, pieces = Ring(RATE, 1000), laid_out(lengths)
    for piece in pieces:
        ring.put(piece)
    assert [p for p in taken(ring) if isinstance(p, Frames)] == [p for p in pieces if isinstance(p, Frames)]
    assert ring.dropped_samples == 0


def test_a_gap_that_goes_on_for_days_takes_no_room() -> None:
    ring = Ring(RATE)
    for minute in range(10_000):
        ring.put(Gap(minute * 6000, (minute + 1) * 6000, Cause.DEVICE))
    assert taken(ring) == [Gap(0, 60_000_000, Cause.DEVICE)]


def test_a_reader_waits_for_what_is_put_later_and_ends_when_the_ring_is_closed() -> None:
    ring, read = Ring(RATE), []
    reader = threading.Thread(target=lambda: read.extend(ring.pieces(threading.Event())))
    reader.start()
    pieces = laid_out([50, 50, -10, 50])
    for piece in pieces:
        ring.put(piece)
    ring.close()
    reader.join(10)
    assert not reader.is_alive()
    assert read == pieces


def test_at_the_stop_what_has_waited_for_long_is_given_up_and_the_last_bit_is_not() -> None:
    stop = threading.Event()
    stop.set()
    behind, up_to_date = Ring(RATE), Ring(RATE)
    for piece in laid_out([90, 90, -10, 90]):
        behind.put(piece)
    up_to_date.put(audio(0, 90))
    for ring in (behind, up_to_date):
        ring.close()
    assert list(behind.pieces(stop)) == [
        Gap(0, 180, Cause.OVERLOAD),
        Gap(180, 190, Cause.DEVICE),
        Gap(190, 280, Cause.OVERLOAD),
    ]
    assert [len(p.samples) for p in up_to_date.pieces(stop) if isinstance(p, Frames)] == [90]

"""Blocks held against the clock: late ones, missing ones, too many. The clock is simulated, sample by sample."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import MicrophoneError
from monitor.records import Cause, Gap
from monitor.sources.continuity import LATE_S, Continuity
from monitor.sources.feed import Frames, Piece

modest = settings(derandomize=True, deadline=None, max_examples=60)

RATE, BLOCK = 1000, 100
OPENED = 50.0


def block(taken_from: int, counted_from: int, delay_s: float, drift: float = 0.0) -> Frames:
    """A block whose samples say when they were taken, in samples since the opening."""
    taken = np.arange(taken_from, taken_from + BLOCK, dtype=np.float32)[:, None]
    return Frames(counted_from, taken, OPENED + (taken_from + BLOCK) / RATE * (1 + drift) + delay_s)


def judged(frames: list[Frames], continuity: Continuity | None = None) -> list[Piece]:
    """What is made of frames."""
    continuity = continuity or Continuity("mic", RATE)
    pieces = [piece for one in frames for piece in continuity.add(one)]
    return [*pieces, *continuity.flush()]


def without_holes(pieces: list[Piece]) -> list[Piece]:
    """Pieces, each of which begins where the last one ends."""
    assert pieces
    assert all(before.end_sample == after.start_sample for before, after in pairwise(pieces))
    return pieces


def gaps(pieces: list[Piece]) -> list[Gap]:
    """What is missing."""
    return [piece for piece in pieces if isinstance(piece, Gap)]


@modest
@given(
    delays_s=st.lists(st.floats(0, LATE_S - 0.01), min_size=30, max_size=200),
    drift=st.sampled_from([-3e-4, 0.0, 3e-4]),
)
def test_jitter_and_drift_make_no_gap(delays_s: list[float], drift: float) -> None:
    frames = [block(i * BLOCK, i * BLOCK, delay_s, drift) for i, delay_s in enumerate(delays_s)]
    assert [piece.samples for piece in judged(frames) if isinstance(piece, Frames)] == [f.samples for f in frames]


@modest
@given(stall=st.integers(3, 60), before=st.integers(12, 60), queue=st.integers(0, 10))
def test_blocks_that_are_late_and_catch_up_make_no_gap(stall: int, before: int, queue: int) -> None:
    """Nothing comes for a while, then all that had been waiting at once, and some more on the way."""
    frames = [block(i * BLOCK, i * BLOCK, 0.0) for i in range(before)]
    resumed = OPENED + (before + stall) * BLOCK / RATE
    late = [block((before + i) * BLOCK, (before + i) * BLOCK, 0.0) for i in range(stall + queue)]
    frames += [Frames(f.start_sample, f.samples, max(f.captured, resumed + 0.01)) for f in late]
    pieces = without_holes(judged(frames))
    assert gaps(pieces) == []
    assert len(pieces) == len(frames)


@modest
@given(
    before=st.integers(12, 200),
    missing=st.integers(round(LATE_S * RATE) + 60, 5000),
    jitter=st.lists(st.floats(0, 0.05), min_size=300, max_size=300),
    data=st.data(),
)
def test_samples_that_never_came_become_a_gap_of_their_length_and_no_block_spans_it(
    before: int, missing: int, jitter: list[float], data: st.DataObject
) -> None:
    """A hole that nobody tells of lies within a block, or between two."""
    within = data.draw(st.integers(0, BLOCK - 1))
    taken = [*range(before * BLOCK + within), *range(before * BLOCK + within + missing, 260 * BLOCK + missing)]
    frames = []
    for index, start in enumerate(range(0, len(taken) - BLOCK, BLOCK)):
        samples = np.array(taken[start : start + BLOCK], np.float32)[:, None]
        frames.append(Frames(start, samples, OPENED + (taken[start + BLOCK - 1] + 1) / RATE + jitter[index]))
    pieces = without_holes(judged(frames))
    (gap,) = gaps(pieces)
    assert gap.cause == Cause.OVERRUN
    for piece in pieces:
        if isinstance(piece, Frames):
            steps = np.diff(piece.samples[:, 0])
            assert (steps == 1).all(), "a hole within a block"
            off = piece.samples[0, 0] - piece.start_sample
            assert abs(off) <= 0.06 * RATE, "samples stay where they were in time"
    assert gap.start_sample <= before * BLOCK + within
    assert gap.end_sample >= before * BLOCK + within + missing - 60
    assert gap.end_sample - gap.start_sample <= missing + 3 * BLOCK


def test_what_was_kept_for_us_before_the_hole_stays_audio() -> None:
    """We were stopped for 6 s; of these the sound server kept 4 s, lost 2, and went on."""
    frames = [block(i * BLOCK, i * BLOCK, 0.0) for i in range(30)]
    resumed = OPENED + 9.0
    frames += [Frames(i * BLOCK, block(i * BLOCK, 0, 0).samples, resumed + i / 1e4) for i in range(30, 70)]
    frames += [block((i + 20) * BLOCK, i * BLOCK, 0.01) for i in range(70, 140)]
    pieces = without_holes(judged(frames))
    (gap,) = gaps(pieces)
    assert 6_700 <= gap.start_sample <= 7_000
    assert 9_000 <= gap.end_sample <= 9_300
    for piece in pieces:
        if isinstance(piece, Frames):
            assert abs(piece.samples[0, 0] - piece.start_sample) <= 20


def test_samples_that_the_feed_itself_knows_to_be_lost_are_a_gap_at_once() -> None:
    frames = [block(i * BLOCK, i * BLOCK, 0.0) for i in [*range(20), 24, 25]]
    assert gaps(without_holes(judged(frames))) == [Gap(2000, 2400, Cause.OVERRUN)]


def test_nothing_is_given_out_before_it_is_known_when_it_was_taken_and_then_it_is() -> None:
    continuity = Continuity("mic", RATE)
    given = [list(continuity.add(block(i * BLOCK, i * BLOCK, 0.3 if i < 5 else 0.02))) for i in range(16)]
    assert [len(pieces) for pieces in given] == [0] * 13 + [14, 1, 1]
    assert [piece.start_sample for pieces in given for piece in pieces] == list(range(0, 1600, BLOCK))
    assert continuity.time_of(0) == pytest.approx(OPENED + 0.02)


@pytest.mark.parametrize("after", [0, 15, 400])
def test_audio_that_is_faster_than_sound_is_no_microphone_from_the_first_block_or_later(after: int) -> None:
    continuity = Continuity("mic", RATE)
    frames = [block(i * BLOCK, i * BLOCK, 0.0) for i in range(after)]
    wild = [Frames(i * BLOCK, frames_of(i), OPENED + after * BLOCK / RATE + i / 1e5) for i in range(after, after + 400)]
    heard: list[Piece] = []
    with pytest.raises(MicrophoneError, match=r"^mic: audio comes 2\.\d s too early, faster than sound does"):
        heard.extend(piece for one in [*frames, *wild] for piece in continuity.add(one))
    assert sum(len(piece.samples) for piece in heard if isinstance(piece, Frames)) <= after * BLOCK + 3 * RATE
    assert bool(heard) == bool(after)


def frames_of(index: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Any samples."""
    return np.full((BLOCK, 1), index, np.float32)


def test_a_feed_that_breaks_on_probation_was_never_heard() -> None:
    continuity = Continuity("mic", RATE)
    assert not [piece for i in range(9) for piece in continuity.add(block(i * BLOCK, i * BLOCK, 0.0))]
    assert list(continuity.flush(broken=True)) == []


def test_a_card_that_promises_more_than_it_gives_has_gaps() -> None:
    """It says 1000 Hz and gives 900: a tenth of all time is missing."""
    frames = [Frames(i * BLOCK, frames_of(i), OPENED + (i + 1) * BLOCK / 900) for i in range(900)]
    pieces = without_holes(judged(frames))
    missing = sum(gap.end_sample - gap.start_sample for gap in gaps(pieces))
    assert pieces[-1].end_sample == pytest.approx(100_000, abs=3000)
    assert missing >= 8_000

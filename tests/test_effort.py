"""Every sample is accounted for, once, minute by minute."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.effort import Ledger, Minutes
from monitor.effort.minutes import KEPT
from monitor.levels import OctaveMeter, octaves
from monitor.records import Block, Cause, Effort, Gap, Window
from monitor.resample import resampled
from monitor.windows import windows

modest = settings(derandomize=True, deadline=None, max_examples=100)

Piece = Block | Gap


@st.composite
def audio(draw: st.DrawFn) -> list[Piece]:
    """Blocks, gaps that are told with a cause, and gaps that are not told."""
    position, pieces = draw(st.integers(0, 50)), list[Piece]()
    kinds = st.sampled_from(["block", "block", *Cause, "untold"])
    for kind, length in draw(st.lists(st.tuples(kinds, st.integers(1, 150)), max_size=12)):
        if kind == "block":
            pieces.append(Block(position, np.zeros(length, np.float32)))
        elif kind != "untold":
            pieces.append(Gap(position, position + length, Cause(kind)))
        position += length
    return pieces


def every(period: int) -> Callable[[int], int]:
    """Minutes of so many samples."""
    return lambda index: (index + 1) * period


@dataclass
class Story:
    """What an analysis tells a ledger, and what the ledger hands out."""

    efforts: list[Effort] = field(default_factory=list)
    covered: set[int] = field(default_factory=set)
    end_sample: int = 0


def told(pieces: list[Piece], size: int, step: int, ledger: Ledger) -> Story:
    """One recording, told as the pipeline tells it."""
    story = Story()

    def watched() -> Iterator[Piece]:
        for piece in pieces:
            story.end_sample = piece.end_sample
            yield piece
            if isinstance(piece, Gap):
                ledger.lost(piece)

    for window in windows(watched(), size, step):
        ledger.heard(window)
        story.covered |= set(range(window.start_sample, window.end_sample))
        story.efforts += ledger.take()
    story.efforts += ledger.ended(story.end_sample)
    return story


def elapsed(effort: Effort) -> int:
    """Samples of an account."""
    return effort.end_sample - effort.start_sample


@modest
@given(
    pieces=audio(),
    size=st.integers(1, 60),
    step=st.integers(1, 60),
    period=st.integers(1, 400),
    settle=st.sampled_from([0, 70]),
)
def test_heard_and_lost_and_paused_add_up_to_what_elapsed_in_every_minute(
    pieces: list[Piece], size: int, step: int, period: int, settle: int
) -> None:
    story = told(pieces, size, min(step, size), Ledger(every(period), settle))
    for effort in story.efforts:
        assert effort.heard_samples + effort.lost_samples + effort.paused_samples == elapsed(effort)
        inside = story.covered & set(range(effort.start_sample, effort.end_sample))
        assert effort.heard_samples == len(inside)
    assert sum(map(elapsed, story.efforts)) == story.end_sample


@modest
@given(pieces=audio(), size=st.integers(1, 60), period=st.integers(1, 400))
def test_minutes_follow_each_other_from_the_first_sample_to_the_last_and_end_where_they_should(
    pieces: list[Piece], size: int, period: int
) -> None:
    story = told(pieces, size, size, Ledger(every(period)))
    assert [effort.minute for effort in story.efforts] == list(range(len(story.efforts)))
    assert [e.start_sample for e in story.efforts[:1]] == [0] * min(story.end_sample, 1)
    assert [e.end_sample for e in story.efforts[-1:]] == [story.end_sample] * min(story.end_sample, 1)
    assert all(a.end_sample == b.start_sample == (a.minute + 1) * period for a, b in pairwise(story.efforts))


@modest
@given(pieces=audio(), size=st.integers(1, 60), period=st.integers(1, 400))
def test_every_sample_of_a_gap_is_missed_for_its_cause(pieces: list[Piece], size: int, period: int) -> None:
    story = told(pieces, size, size, Ledger(every(period)))
    missed: Counter[Cause] = Counter()
    for effort in story.efforts:
        missed.update(effort.missed)
    said: Counter[Cause] = Counter()
    for piece in pieces:
        if isinstance(piece, Gap):
            said[piece.cause] += piece.end_sample - piece.start_sample
    # what is missing untold, or between gaps and too short to judge, goes with the gap beside it
    too_short = story.end_sample - said.total() - len(story.covered)
    assert all(missed[cause] >= said[cause] for cause in Cause if cause is not Cause.UNKNOWN)
    assert sum(missed[cause] - said[cause] for cause in Cause if cause is not Cause.UNKNOWN) <= too_short


@modest
@given(
    pieces=audio(),
    size=st.integers(1, 60),
    period=st.integers(1, 400),
    withheld=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), max_size=6),
    after=st.integers(0, 20),
)
def test_withheld_is_what_was_heard_and_is_withheld_however_often_before_or_after(
    pieces: list[Piece], size: int, period: int, withheld: list[tuple[int, int]], after: int
) -> None:
    ledger = Ledger(every(period), settle_samples=10_000)
    early, late = withheld[:after], withheld[after:]
    for start, length in early:
        ledger.withheld(start, start + length)
    story = told(pieces, size, size, Ledger(every(period)))
    for window in windows(pieces, size, size):
        ledger.heard(window)
    for start, length in late:
        ledger.withheld(start, start + length)
    efforts = ledger.ended(story.end_sample)
    secret = {sample for start, length in withheld for sample in range(start, start + length)}
    for effort in efforts:
        inside = story.covered & set(range(effort.start_sample, effort.end_sample))
        assert effort.withheld_samples == len(inside & secret)
        assert effort.heard_samples == len(inside - secret)
        assert effort.heard_samples + effort.lost_samples + effort.paused_samples + effort.withheld_samples == elapsed(
            effort
        )


def window(start: int, end: int) -> Window:
    """Make a window whose samples do not matter."""
    return Window(start, end, np.zeros(0, np.float32))


def test_a_minute_is_handed_out_when_it_is_over_and_nobody_can_withhold_any_more() -> None:
    ledger = Ledger(every(20), settle_samples=15)
    ledger.heard(window(0, 30))
    assert ledger.take() == []
    ledger.withheld(12, 22)
    ledger.heard(window(30, 35))
    assert ledger.take() == [Effort(0, 0, 20, 12, 8, {})]
    ledger.withheld(0, 20)
    assert ledger.ended(35) == [Effort(1, 20, 35, 13, 2, {})]


def test_an_outage_hands_out_its_minutes_while_it_lasts() -> None:
    ledger = Ledger(every(60))
    ledger.heard(window(0, 30))
    handed_out = []
    for minute in range(24 * 60):
        ledger.lost(Gap(30 + 60 * minute, 90 + 60 * minute, Cause.DEVICE))
        handed_out.append(ledger.take())
    assert [len(efforts) for efforts in handed_out] == [1] * 24 * 60
    assert handed_out[0] == [Effort(0, 0, 60, 30, 0, {Cause.DEVICE: 30})]
    assert handed_out[-1] == [Effort(1439, 1439 * 60, 1440 * 60, 0, 0, {Cause.DEVICE: 60})]


@pytest.mark.parametrize(
    ("pieces", "missed"),
    [
        ([Gap(0, 100, Cause.DEVICE), Block(100, np.zeros(9, np.float32))], {Cause.DEVICE: 109}),
        ([Block(0, np.zeros(9, np.float32)), Gap(9, 100, Cause.OVERRUN)], {Cause.OVERRUN: 100}),
        ([Block(0, np.zeros(9, np.float32))], {Cause.UNKNOWN: 9}),
        (
            [Gap(0, 5, Cause.OVERLOAD), Block(5, np.zeros(9, np.float32)), Gap(14, 20, Cause.DEVICE)],
            {Cause.OVERLOAD: 5, Cause.DEVICE: 15},
        ),
    ],
)
def test_audio_too_short_to_judge_is_lost_for_the_reason_of_the_gap_beside_it(
    pieces: list[Piece], missed: dict[Cause, int]
) -> None:
    (effort,) = told(pieces, 30, 10, Ledger(every(1000))).efforts
    assert effort.missed == missed
    assert effort.heard_samples == 0


def test_nothing_elapsed_needs_no_account() -> None:
    assert Ledger(every(60)).ended(0) == []


@modest
@given(
    pieces=audio(),
    ends=st.lists(st.integers(1, 200), max_size=30),
    rates=st.sampled_from([(4410, 2400), (4800, 2400), (2400, 2400), (1600, 2400)]),
)
def test_ends_of_minutes_are_the_same_for_the_stream_and_for_each_model(
    pieces: list[Piece], ends: list[int], rates: tuple[int, int]
) -> None:
    source_rate, model_rate = rates
    scale = source_rate // 800
    minutes = Minutes(source_rate, borders([scale * end for end in np.cumsum(ends)]))
    scaled = [
        Gap(scale * p.start_sample, scale * p.end_sample, p.cause)
        if isinstance(p, Gap)
        else Block(scale * p.start_sample, np.zeros(scale * len(p.samples), np.float32))
        for p in pieces
    ]
    ledgers = [Ledger(lambda index, rate=rate: minutes.end_at(index, rate)) for rate in (source_rate, model_rate)]  # type: ignore[misc]
    passed = list(minutes.watched(scaled))
    at_source = told(passed, 50, 50, ledgers[0])
    at_model = told(list(resampled(passed, source_rate, model_rate)), 50, 50, ledgers[1])
    for story in (at_source, at_model):
        assert sum(map(elapsed, story.efforts)) == story.end_sample
        for e in story.efforts:
            assert e.heard_samples + e.lost_samples + e.paused_samples == elapsed(e)
    assert abs(len(at_source.efforts) - len(at_model.efforts)) <= 1
    for one, other in zip(at_source.efforts[:-1], at_model.efforts[:-1], strict=False):
        assert other.end_sample == (one.end_sample * model_rate + source_rate // 2) // source_rate


def borders(ends: list[int]) -> Callable[[int], int]:
    """The first of some ends that lies behind a sample; far behind the last there is another."""
    return lambda sample: ends[i] if (i := bisect_right(ends, sample)) < len(ends) else sample + 10_000


@modest
@given(pieces=audio(), period=st.integers(1, 300))
def test_audio_passes_unchanged_and_what_is_missing_becomes_gaps_within_minutes(
    pieces: list[Piece], period: int
) -> None:
    minutes = Minutes(8000, lambda sample: (sample // period + 1) * period)
    passed = list(minutes.watched(pieces))
    assert [p for p in passed if isinstance(p, Block)] == [p for p in pieces if isinstance(p, Block)]
    assert all(a.end_sample == b.start_sample for a, b in pairwise(passed))
    assert [p.start_sample for p in passed[:1]] in ([], [0])
    for piece in passed:
        if isinstance(piece, Gap):
            assert piece.start_sample // period == (piece.end_sample - 1) // period
    causes = {sample: p.cause for p in pieces if isinstance(p, Gap) for sample in range(p.start_sample, p.end_sample)}
    for piece in passed:
        if isinstance(piece, Gap):
            assert {causes.get(s, Cause.UNKNOWN) for s in range(piece.start_sample, piece.end_sample)} == {piece.cause}


def test_each_minute_has_the_levels_of_what_was_listened_to_in_it_however_it_was_cut() -> None:
    rate, period = 8000, 16_000
    samples = np.random.default_rng(1).normal(0, 0.2, 4 * period).astype(np.float32)
    samples[period : period + 50] = 1.0
    minutes = Minutes(rate, lambda sample: (sample // period + 1) * period)
    list(minutes.watched([Block(start, samples[start : start + 700]) for start in range(0, 3 * period, 700)]))
    whole = OctaveMeter(rate)
    whole.add(samples[:period])
    first, second, expected = minutes.levels(0), minutes.levels(1), whole.take()
    assert first is not None
    assert expected is not None
    assert first.bands_dbfs == pytest.approx(expected.bands_dbfs)
    assert first.rms_dbfs == pytest.approx(expected.rms_dbfs)
    assert (first.samples, first.clipped_samples) == (period, 0)
    assert second is not None
    assert second.samples == period
    assert second.clipped_samples >= 50
    assert len(second.bands_dbfs) == len(octaves(rate))
    assert minutes.levels(7) is None
    assert minutes.last_levels is not None
    assert minutes.last_levels.samples == period


def test_a_minute_that_was_paused_or_lost_has_no_levels() -> None:
    minutes = Minutes(8000, lambda sample: (sample // 16_000 + 1) * 16_000)
    list(minutes.watched([Gap(0, 40_000, Cause.SCHEDULE), Block(40_000, np.zeros(8000, np.float32))]))
    assert [minutes.levels(index) is None for index in range(3)] == [True, True, False]


def test_of_a_long_stream_only_the_last_minutes_are_remembered() -> None:
    minutes = Minutes(8000, lambda sample: (sample // 100 + 1) * 100)
    for start in range(0, 30_000, 100):
        list(minutes.watched([Block(start, np.zeros(100, np.float32))]))
    assert len(minutes._ends) <= KEPT
    assert len(minutes._levels) <= KEPT
    assert minutes.end(299) == 30_000

"""Every sample is accounted for, once."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.effort import EffortMeter
from monitor.records import Block, Effort, Window
from monitor.windows import windows

modest = settings(derandomize=True, deadline=None, max_examples=200)


@st.composite
def audio(draw: st.DrawFn) -> list[Block]:
    """Stretches with gaps between; what lies before the first is lost too."""
    position, blocks = draw(st.integers(0, 50)), []
    for length, gap in draw(st.lists(st.tuples(st.integers(1, 150), st.integers(1, 90)), max_size=5)):
        blocks.append(Block(position, np.zeros(length, np.float32)))
        position += length + gap
    return blocks


def window(start: int, end: int) -> Window:
    """Make a window whose samples do not matter."""
    return Window(start, end, np.zeros(0, np.float32))


def accounts(heard: list[Window], end_sample: int, period: int) -> list[Effort]:
    """All accounts of one recording."""
    meter = EffortMeter(period)
    found = [meter.heard(one) for one in heard]
    return [effort for effort in [*found, meter.ended(end_sample)] if effort is not None]


@modest
@given(blocks=audio(), size=st.integers(1, 60), step=st.integers(1, 60), period=st.integers(1, 400))
def test_heard_and_lost_add_up_to_what_elapsed(blocks: list[Block], size: int, step: int, period: int) -> None:
    heard = list(windows(blocks, size, min(step, size)))
    end_sample = blocks[-1].end_sample if blocks else 0
    found = accounts(heard, end_sample, period)
    covered = {sample for one in heard for sample in range(one.start_sample, one.end_sample)}
    assert sum(e.heard_samples for e in found) == len(covered)
    assert sum(e.lost_samples for e in found) == end_sample - len(covered)
    for effort in found:
        inside = covered & set(range(effort.start_sample, effort.end_sample))
        assert effort.heard_samples == len(inside)
        assert effort.lost_samples == effort.end_sample - effort.start_sample - len(inside)


@modest
@given(blocks=audio(), size=st.integers(1, 60), step=st.integers(1, 60), period=st.integers(1, 400))
def test_accounts_follow_each_other_from_the_first_sample_to_the_last(
    blocks: list[Block], size: int, step: int, period: int
) -> None:
    end_sample = blocks[-1].end_sample if blocks else 0
    found = accounts(list(windows(blocks, size, min(step, size))), end_sample, period)
    assert [e.start_sample for e in found[:1]] == [0] * min(end_sample, 1)
    assert [e.end_sample for e in found[-1:]] == [end_sample] * min(end_sample, 1)
    assert all(before.end_sample == after.start_sample for before, after in pairwise(found))
    assert all(e.end_sample - e.start_sample >= period for e in found[:-1])


def test_a_period_is_complete_with_the_window_that_reaches_its_end() -> None:
    meter = EffortMeter(20)
    assert meter.heard(window(0, 10)) is None
    assert meter.heard(window(5, 15)) is None
    assert meter.heard(window(10, 20)) == Effort(0, 20, 20)
    assert meter.heard(window(15, 25)) is None
    assert meter.ended(25) == Effort(20, 25, 5)


def test_a_gap_is_lost() -> None:
    meter = EffortMeter(1000)
    meter.heard(window(0, 10))
    meter.heard(window(40, 50))
    effort = meter.ended(60)
    assert effort == Effort(0, 60, 20)
    assert effort.lost_samples == 40


def test_a_recording_too_short_to_judge_is_lost_and_not_silent() -> None:
    assert EffortMeter(1000).ended(7) == Effort(0, 7, 0)


def test_nothing_elapsed_needs_no_account() -> None:
    assert EffortMeter(1000).ended(0) is None


def test_a_period_that_ends_with_the_recording_is_accounted_for_once() -> None:
    meter = EffortMeter(10)
    assert meter.heard(window(0, 10)) == Effort(0, 10, 10)
    assert meter.ended(10) is None

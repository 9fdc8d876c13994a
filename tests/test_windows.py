"""Windows of audio whose samples are their own index, so that each shows where it comes from."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.records import Block, Window
from monitor.windows import windows

modest = settings(derandomize=True, deadline=None, max_examples=200)

Stretch = tuple[int, int]
"""first sample, one past the last"""


def block(start: int, end: int) -> Block:
    """Audio in which sample i has the value i."""
    return Block(start, np.arange(start, end, dtype=np.float32))


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Audio with gaps between, up to a few hundred samples."""
    position, found = draw(st.integers(0, 1000)), []
    for length, gap in draw(st.lists(st.tuples(st.integers(1, 120), st.integers(1, 50)), min_size=1, max_size=4)):
        found.append((position, position + length))
        position += length + gap
    return found


@st.composite
def cut(draw: st.DrawFn, audio: list[Stretch]) -> list[Block]:
    """Return the same audio in blocks, of which some are empty."""
    blocks = []
    for start, end in audio:
        cuts = sorted(draw(st.lists(st.integers(start, end), max_size=8)))
        blocks += [block(a, b) for a, b in pairwise([start, *cuts, end])]
    return blocks


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """Size and step of a window."""
    size = draw(st.integers(1, 60))
    return size, draw(st.integers(1, size))


def spans(found: list[Window]) -> list[Stretch]:
    """Where windows begin and end."""
    return [(w.start_sample, w.end_sample) for w in found]


def of_one_stretch(length: int, size: int, step: int) -> list[Stretch]:
    """Where the windows of so many samples lie."""
    return spans(list(windows([block(0, length)], size, step)))


@modest
@given(audio=stretches(), sizes=sizes(), draw=st.data())
def test_any_cutting_into_blocks_gives_the_same_windows(
    audio: list[Stretch], sizes: tuple[int, int], draw: st.DataObject
) -> None:
    whole = list(windows([block(*stretch) for stretch in audio], *sizes))
    pieces = list(windows(draw.draw(cut(audio)), *sizes))
    assert spans(pieces) == spans(whole)
    for one, other in zip(pieces, whole, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@modest
@given(audio=stretches(), sizes=sizes())
def test_no_window_spans_a_gap(audio: list[Stretch], sizes: tuple[int, int]) -> None:
    for window in windows([block(*stretch) for stretch in audio], *sizes):
        assert any(start <= window.start_sample < window.end_sample <= end for start, end in audio)


@modest
@given(audio=stretches(), sizes=sizes())
def test_a_window_holds_the_samples_it_names_and_repeats_them_where_there_are_too_few(
    audio: list[Stretch], sizes: tuple[int, int]
) -> None:
    size, _ = sizes
    for window in windows([block(*stretch) for stretch in audio], *sizes):
        length = window.end_sample - window.start_sample
        assert window.samples.shape == (size,)
        assert window.samples.dtype == np.float32
        np.testing.assert_array_equal(window.samples, window.start_sample + np.arange(size) % length)


@modest
@given(audio=stretches(), sizes=sizes())
def test_every_sample_of_a_stretch_of_a_third_of_a_window_is_covered_and_no_other(
    audio: list[Stretch], sizes: tuple[int, int]
) -> None:
    size, step = sizes
    found = spans(list(windows([block(*stretch) for stretch in audio], size, step)))
    covered = {sample for window in found for sample in range(*window)}
    judged = {sample for start, end in audio if 3 * (end - start) >= size for sample in range(start, end)}
    assert covered == judged


@modest
@given(audio=stretches(), sizes=sizes())
def test_windows_of_a_stretch_are_a_step_apart_but_for_the_last(audio: list[Stretch], sizes: tuple[int, int]) -> None:
    size, step = sizes
    found = spans(list(windows([block(*stretch) for stretch in audio], size, step)))
    for start, end in audio:
        starts = [w[0] for w in found if start <= w[0] < end]
        assert starts[:1] in ([], [start])
        apart = np.diff(starts)
        assert (apart[:-1] == step).all()
        assert ((apart > 0) & (apart <= step)).all()


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (30, [(0, 9), (4, 13), (8, 17), (12, 21), (16, 25), (20, 29), (21, 30)]),
        (29, [(0, 9), (4, 13), (8, 17), (12, 21), (16, 25), (20, 29)]),
        (10, [(0, 9), (1, 10)]),
        (9, [(0, 9)]),
        (8, [(0, 8)]),
        (3, [(0, 3)]),
        (2, []),
        (0, []),
    ],
)
def test_a_tail_is_covered_by_one_window_that_ends_with_the_last_sample(length: int, expected: list[Stretch]) -> None:
    assert of_one_stretch(length, size=9, step=4) == expected


def test_steps_as_long_as_a_window_do_not_overlap() -> None:
    assert of_one_stretch(12, size=4, step=4) == [(0, 4), (4, 8), (8, 12)]
    assert of_one_stretch(13, size=4, step=4) == [(0, 4), (4, 8), (8, 12), (9, 13)]


def test_a_gap_starts_a_new_row_of_windows() -> None:
    found = windows([block(0, 10), block(11, 21)], 8, 4)
    assert spans(list(found)) == [(0, 8), (2, 10), (11, 19), (13, 21)]


def test_blocks_that_touch_are_one_stretch() -> None:
    found = windows([block(0, 3), block(3, 6), block(6, 9)], 8, 4)
    assert spans(list(found)) == [(0, 8), (1, 9)]


def test_a_window_comes_with_its_last_sample_and_not_later() -> None:
    heard: list[int] = []

    def live() -> Iterator[Block]:
        for sample in range(12):
            heard.append(sample + 1)
            yield block(sample, sample + 1)

    arrived = [(w.end_sample, heard[-1]) for w in windows(live(), 8, 2)]
    assert arrived == [(8, 8), (10, 10), (12, 12)]


def test_windows_do_not_change_when_the_source_reuses_its_buffer() -> None:
    buffer = np.ones(8, np.float32)
    stream = windows([Block(0, buffer), Block(8, np.zeros(8, np.float32))], 8, 8)
    first = next(stream)
    buffer[:] = 5
    assert (first.samples == 1).all()


def test_no_audio_has_no_windows() -> None:
    assert list(windows([], 8, 4)) == []
    assert list(windows([block(5, 5)], 8, 4)) == []


@pytest.mark.parametrize(("size", "step"), [(8, 0), (8, -1), (8, 9), (0, 0), (0, 1)])
def test_a_step_that_would_leave_audio_unheard_is_refused(size: int, step: int) -> None:
    with pytest.raises(ConfigError, match=rf"step of {step} samples.*at most the window's {size}"):
        list(windows([block(0, 10)], size, step))

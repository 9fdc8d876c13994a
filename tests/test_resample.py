"""Resampling: one stream whatever the cutting, and positions that stay where they were in time."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.records import Block, Samples
from monitor.resample import resample, resampled

modest = settings(derandomize=True, deadline=None, max_examples=60)

RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000, 250_000)
TO = 24_000

rates = st.sampled_from(RATES)

Audio = list[Block]
"""one block a stretch, gaps between"""


def noise(count: int, seed: int = 3) -> Samples:
    """White noise, shape (count,)."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, count).astype(np.float32)


@st.composite
def audio(draw: st.DrawFn, shortest_gap: int = 1) -> Audio:
    """Noise with gaps."""
    position, stretches = draw(st.integers(0, 100_000)), []
    lengths = st.tuples(st.integers(1, 3000), st.integers(shortest_gap, shortest_gap + 3000))
    for length, gap in draw(st.lists(lengths, min_size=1, max_size=4)):
        stretches.append(Block(position, noise(length, position)))
        position += length + gap
    return stretches


@st.composite
def cut(draw: st.DrawFn, stretches: Audio) -> Audio:
    """Return the same audio in more blocks, of which some are empty."""
    blocks = []
    for whole in stretches:
        length = len(whole.samples)
        cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8)))
        blocks += [Block(whole.start_sample + a, whole.samples[a:b]) for a, b in pairwise([0, *cuts, length])]
    return blocks


def joined(blocks: Audio) -> Audio:
    """Blocks that touch, as one."""
    found: Audio = []
    for block in blocks:
        if found and found[-1].end_sample == block.start_sample:
            block = Block(found[-1].start_sample, np.concatenate([found.pop().samples, block.samples]))  # noqa: PLW2901
        found.append(block)
    return found


@modest
@given(stretches=audio(), from_rate=rates, draw=st.data())
def test_any_cutting_into_blocks_gives_the_same_samples(stretches: Audio, from_rate: int, draw: st.DataObject) -> None:
    whole = joined(list(resampled(stretches, from_rate, TO)))
    pieces = joined(list(resampled(draw.draw(cut(stretches)), from_rate, TO)))
    assert [b.start_sample for b in pieces] == [b.start_sample for b in whole]
    for one, other in zip(pieces, whole, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@modest
@given(length=st.integers(1, 20_000), from_rate=rates, to_rate=rates)
def test_a_stream_has_the_samples_of_the_recording_at_once(length: int, from_rate: int, to_rate: int) -> None:
    recording = noise(length)
    at_once = resample(recording, from_rate, to_rate)
    streamed = joined(list(resampled([Block(0, recording)], from_rate, to_rate)))
    samples = streamed[0].samples if streamed else np.zeros(0, np.float32)
    np.testing.assert_array_equal(samples, at_once)


@modest
@given(stretches=audio(), from_rate=rates)
def test_stretches_never_overlap_and_no_gap_is_hidden(stretches: Audio, from_rate: int) -> None:
    long_enough = [s for s in stretches if len(s.samples) * TO >= from_rate]
    found = joined(list(resampled(long_enough, from_rate, TO)))
    assert len(found) == len(long_enough)
    for before, after in pairwise(found):
        assert before.end_sample < after.start_sample


@modest
@given(stretches=audio(shortest_gap=64), from_rate=rates)
def test_each_stretch_stays_where_it_was_in_time(stretches: Audio, from_rate: int) -> None:
    ratio = Fraction(TO, from_rate)
    long_enough = [s for s in stretches if len(s.samples) * TO >= from_rate]
    found = joined(list(resampled(long_enough, from_rate, TO)))
    for before, after in zip(long_enough, found, strict=True):
        assert abs(after.start_sample - before.start_sample * ratio) <= Fraction(1, 2)
        assert abs(after.end_sample - before.end_sample * ratio) <= 1


@modest
@given(stretches=audio(), from_rate=rates)
def test_a_gap_empties_the_filter(stretches: Audio, from_rate: int) -> None:
    alone = [joined(list(resampled([stretch], from_rate, TO))) for stretch in stretches]
    found = joined(list(resampled(stretches, from_rate, TO)))
    for one, other in zip(found, [b for blocks in alone for b in blocks], strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@modest
@given(stretches=audio(), rate=rates)
def test_blocks_at_the_right_rate_pass_untouched(stretches: Audio, rate: int) -> None:
    found = list(resampled(stretches, rate, rate))
    assert all(one is other for one, other in zip(found, stretches, strict=True))


@pytest.mark.parametrize("from_rate", RATES)
@pytest.mark.parametrize("pitch_hz", [100.0, 1_000.0, 3_400.0])
def test_a_tone_keeps_its_pitch_phase_and_level(from_rate: int, pitch_hz: float) -> None:
    tone = np.sin(2 * np.pi * pitch_hz * np.arange(from_rate) / from_rate).astype(np.float32)
    expected = np.sin(2 * np.pi * pitch_hz * np.arange(TO) / TO)
    edge = TO // 20
    np.testing.assert_allclose(resample(tone, from_rate, TO)[edge:-edge], expected[edge:-edge], atol=1e-4)


@pytest.mark.parametrize("from_rate", [48_000, 96_000, 192_000, 250_000])
def test_what_is_above_half_the_lower_rate_is_gone_and_not_folded_back(from_rate: int) -> None:
    call = np.sin(2 * np.pi * 20_000 * np.arange(from_rate) / from_rate).astype(np.float32)
    assert np.abs(resample(call, from_rate, TO)[1000:-1000]).max() < 1e-4


def test_samples_are_32_bit_floats() -> None:
    assert resample(noise(1000), 48_000, TO).dtype == np.float32
    assert {b.samples.dtype for b in resampled([Block(0, noise(1000))], 48_000, TO)} == {np.dtype(np.float32)}


def test_no_audio_stays_no_audio() -> None:
    assert list(resampled([], 48_000, TO)) == []
    assert list(resampled([Block(7, noise(0))], 48_000, TO)) == []

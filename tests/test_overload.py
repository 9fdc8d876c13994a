"""What is given up when analysis cannot keep up, in which order, and how it comes back."""

import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline import CONTRACT, MODEL_RATE, STEP, WINDOW, _Notebook, _PitchClassifier, analysed, tone

from monitor import pipeline
from monitor.features import Floats
from monitor.overload import Relief
from monitor.records import Block, Cause, Gap, Window
from monitor.sources.feed import Frames
from monitor.sources.hearing import Hearing, heard
from monitor.sources.ring import Ring
from monitor.tracker import Rules, Tracker
from monitor.windows import windows

if TYPE_CHECKING:
    from monitor.classifier import Classifier

modest = settings(derandomize=True, deadline=None, max_examples=100)


@dataclass(slots=True)
class _Fullness:
    """How much waits, as a test wants it; notes what was given up for it."""

    values: list[float]
    lost: list[Gap] = field(default_factory=list)

    def __call__(self) -> float:
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


def thinned(audio: Iterable[Block | Gap], fullness: _Fullness, size: int = 60, step: int = 10) -> list[Window]:
    """The windows that are left."""
    return list(Relief(fullness, step, size, "model").thinned(windows(audio, size, step), fullness.lost.append))


def starts(found: Iterable[Window]) -> list[int]:
    """Where windows begin."""
    return [window.start_sample for window in found]


def silence(start: int, end: int) -> Block:
    """Any audio."""
    return Block(start, np.zeros(end - start, np.float32))


@pytest.mark.parametrize(
    ("fullness", "stride"),
    [(0.0, 10), (0.09, 10), (0.11, 20), (0.3, 40), (0.5, 120), (0.7, 240), (0.9, 480), (1.0, 480)],
)
def test_first_the_step_is_widened_then_windows_are_skipped(fullness: float, stride: int) -> None:
    relieved = _Fullness([fullness])
    found = thinned([silence(0, 3000)], relieved)
    assert starts(found)[1] == stride
    regular = starts(found) if stride > 10 else starts(found)[:-1]
    assert set(np.diff(regular)) == {stride}
    assert bool(sum(gap.end_sample - gap.start_sample for gap in relieved.lost)) == (stride > 60 or fullness == 0.3)


@modest
@given(
    stretches=st.lists(st.tuples(st.integers(60, 500), st.integers(1, 200)), min_size=1, max_size=4),
    values=st.lists(st.floats(0, 1), min_size=1, max_size=60),
)
def test_audio_that_no_window_hears_is_told_of_once_in_order_and_nothing_else_is(
    stretches: list[tuple[int, int]], values: list[float]
) -> None:
    audio: list[Block | Gap] = []
    position = 0
    for length, gap in stretches:
        audio += [silence(position, position + length), Gap(position + length, position + length + gap, Cause.DEVICE)]
        position += length + gap
    relieved = _Fullness(values)
    found = thinned(audio, relieved)
    covered = {sample for window in found for sample in range(window.start_sample, window.end_sample)}
    told = [sample for gap in relieved.lost for sample in range(gap.start_sample, gap.end_sample)]
    there = {s for piece in audio if isinstance(piece, Block) for s in range(piece.start_sample, piece.end_sample)}
    assert told == sorted(set(told))
    assert not covered & set(told)
    assert covered | set(told) == there
    assert {gap.cause for gap in relieved.lost} <= {Cause.OVERLOAD}


def test_a_measure_is_taken_at_once_and_given_up_only_at_half_its_fullness(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    levels = [0.05, 0.12, 0.09, 0.12, 0.06, 0.04, 0.09, 0.5, 0.3, 0.2, 0.04]
    relief = Relief(_Fullness([*levels, 0.0]), 10, 60, "model")
    taken = [relief.measure for _ in relief.thinned(windows([silence(0, 160)], 60, 10), lambda _gap: None)]
    assert taken[0] == 0
    assert relief.changes == 5
    assert [record.getMessage() for record in caplog.records] == [
        "model cannot keep up: only every 2. window is analysed",
        "model keeps up again; 2 windows were left out so far",
        "model cannot keep up: only one second in 2 is heard",
        "model keeps up again; 4 windows were left out so far",
    ]


def chain(classifier: object, notebook: _Notebook) -> pipeline.Chain:
    """A model's way through the pipeline."""
    tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=10 * WINDOW), uuid.UUID(int=7))
    return pipeline.Chain(cast("Classifier", classifier), tracker, STEP, [notebook])


def test_without_overload_nothing_is_different() -> None:
    audio = [tone(MODEL_RATE, 0, 3000, 60.0), Gap(3000, 4000, Cause.DEVICE), tone(MODEL_RATE, 4000, 7000, 300.0)]
    notebook = _Notebook()
    pipeline.run(audio, MODEL_RATE, [chain(_PitchClassifier(), notebook).relieved(lambda: 0.05)])
    assert notebook == analysed(audio, MODEL_RATE)


def test_what_is_given_up_is_told_to_the_sinks_before_the_gap_behind_it() -> None:
    audio = [tone(MODEL_RATE, 0, 3000, 60.0), Gap(3000, 4000, Cause.DEVICE)]
    notebook = _Notebook()
    pipeline.run(audio, MODEL_RATE, [chain(_PitchClassifier(), notebook).relieved(lambda: 0.99)])
    gaps = [gap for gap, _ in notebook.gaps]
    assert gaps[-1] == Gap(3000, 4000, Cause.DEVICE)
    assert {gap.cause for gap in gaps[:-1]} == {Cause.OVERLOAD}
    assert [gap.start_sample for gap in gaps] == sorted(gap.start_sample for gap in gaps)


class _Slow(_PitchClassifier):
    """Takes longer for a window than its step lasts, until it has recovered."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def score(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        for window, scores in super().score(windows):
            time.sleep(self.seconds)
            yield window, scores


def test_a_slow_model_hears_less_and_less_and_all_again_when_it_recovers_and_every_sample_is_accounted_for() -> None:
    """Audio comes at 20 x, so that a window comes every 5 ms. The ring holds two seconds of it, a tenth of a second."""
    ring, classifier, notebook = Ring(MODEL_RATE, 2.0), _Slow(0.05), _Notebook()
    stop = threading.Event()

    def play() -> None:
        for index in range(600):
            if index == 300:
                classifier.seconds = 0.0
            ring.put(Frames(index * 80, tone(MODEL_RATE, index * 80, index * 80 + 80, 60.0).samples[:, None], 0.0))
            time.sleep(0.005)
        ring.close()

    playing = threading.Thread(target=play)
    playing.start()
    relieved = chain(classifier, notebook).relieved(ring.fullness)
    pipeline.run(heard(ring.pieces(stop), MODEL_RATE, Hearing(0), "mic"), MODEL_RATE, [relieved])
    playing.join()
    assert relieved.relief is not None
    assert relieved.relief.measure == 0
    assert relieved.relief.windows_left_out > 0
    covered = {sample for start, end, _ in notebook.windows for sample in range(start, end)}
    gaps = [gap for gap, _ in notebook.gaps]
    assert {gap.cause for gap in gaps} == {Cause.OVERLOAD}
    lost = {sample for gap in gaps for sample in range(gap.start_sample, gap.end_sample)}
    assert covered | lost >= set(range(600 * 80 - WINDOW))
    assert not covered & lost
    begins = [start for start, _, _ in notebook.windows]
    assert set(np.diff(begins[-20:-1])) == {STEP}, "all is heard again"

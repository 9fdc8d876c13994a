"""The stages wired together, with a classifier that needs no model file."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import pipeline
from monitor.contract import Calibration, Contract, Label, LogMel, Output, Parity, Provenance
from monitor.errors import ConfigError
from monitor.features import Floats, mel_power
from monitor.records import Block, Cause, Detection, Gap, Samples, Window
from monitor.tracker import Rules, Tracker

if TYPE_CHECKING:
    from monitor.classifier import Classifier

modest = settings(derandomize=True, deadline=None, max_examples=60)

MODEL_RATE, WINDOW, STEP = 800, 240, 80
RECORDING = uuid.UUID(int=7)
SOURCE_RATES = (800, 1_000, 1_600, 4_410)

LOW = Label("low", "Botaurus stellaris", "Eurasian Bittern", "species", 0.5, Calibration())
HIGH = Label("high", "Regulus regulus", "Goldcrest", "species", 0.5, Calibration())
CONTRACT = Contract(
    version=1,
    name="fake",
    input=LogMel(64, 32, 8, 0.0, 400.0, 1e-6),
    sample_rate=MODEL_RATE,
    window_samples=WINDOW,
    output=Output(),
    labels=[LOW, HIGH],
    provenance=Provenance("", "", {}, {}, "", []),
    parity=Parity("", [0, 0], 0),
)


class _PitchClassifier:
    """Scores the share of power in the lower and in the upper half of the mel scale."""

    contract = CONTRACT

    def score(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        for window in windows:
            yield window, self._scores(window.samples)

    def _scores(self, samples: Samples) -> Floats:
        assert samples.shape == (WINDOW,)
        power = mel_power(samples, CONTRACT.mel_spec).sum(axis=1)
        halves: Floats = np.array([power[:4].sum(), power[4:].sum()], np.float32)
        shares: Floats = halves / np.maximum(power.sum(), np.float32(1e-3))
        return shares


@dataclass(slots=True)
class _Notebook:
    """A sink that writes down everything, in the order in which it came."""

    windows: list[tuple[int, int, bytes]] = field(default_factory=list)
    scores: list[bytes] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)
    seen_windows: list[int] = field(default_factory=list)
    """how many windows had been heard when each detection came"""
    ends: list[int] = field(default_factory=list)
    gaps: list[tuple[Gap, int]] = field(default_factory=list)
    """with how many windows had been heard when each came"""

    def heard(self, window: Window, scores: Floats) -> None:
        self.windows.append((window.start_sample, window.end_sample, window.samples.tobytes()))
        self.scores.append(scores.tobytes())

    def handle(self, detection: Detection) -> None:
        self.detections.append(detection)
        self.seen_windows.append(len(self.windows))

    def lost(self, gap: Gap) -> None:
        self.gaps.append((gap, len(self.windows)))

    def ended(self, end_sample: int) -> None:
        self.ends.append(end_sample)


def analysed(audio: Sequence[Block | Gap], sample_rate: int, *others: _Notebook) -> _Notebook:
    """One recording through the pipeline."""
    notebook = _Notebook()
    tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=10 * WINDOW), RECORDING)
    classifier = cast("Classifier", _PitchClassifier())
    pipeline.run(audio, sample_rate, [pipeline.Chain(classifier, tracker, STEP, [notebook, *others])])
    return notebook


def tone(sample_rate: int, start: int, end: int, pitch_hz: float) -> Block:
    """Make samples of one tone that lasts for ever."""
    time_s = np.arange(start, end) / sample_rate
    return Block(start, (0.5 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32))


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Block], int]:
    """Stretches of tones with gaps between, at some rate."""
    sample_rate = draw(st.sampled_from(SOURCE_RATES))
    position, stretches = draw(st.integers(0, 500)), []
    for length, gap in draw(st.lists(st.tuples(st.integers(1, 1500), st.integers(1, 900)), min_size=1, max_size=3)):
        pitches_hz = st.sampled_from([0.0, 60.0, 300.0])
        thirds = [position, position + length // 3, position + 2 * length // 3, position + length]
        tones = [tone(sample_rate, a, b, draw(pitches_hz)).samples for a, b in pairwise(thirds)]
        stretches.append(Block(position, np.concatenate(tones)))
        position += length + gap
    return stretches, sample_rate


@st.composite
def cut(draw: st.DrawFn, stretches: list[Block]) -> list[Block]:
    """Return the same audio in more blocks, of which some are empty."""
    blocks = []
    for whole in stretches:
        length = len(whole.samples)
        cuts = sorted(draw(st.lists(st.integers(0, length), max_size=10)))
        blocks += [Block(whole.start_sample + a, whole.samples[a:b]) for a, b in pairwise([0, *cuts, length])]
    return blocks


@modest
@given(recording=recordings(), draw=st.data())
def test_any_cutting_into_blocks_gives_the_same_windows_scores_detections_and_end(
    recording: tuple[list[Block], int], draw: st.DataObject
) -> None:
    stretches, sample_rate = recording
    assert analysed(draw.draw(cut(stretches)), sample_rate) == analysed(stretches, sample_rate)


@modest
@given(recording=recordings())
def test_the_end_is_that_of_the_audio_and_comes_once(recording: tuple[list[Block], int]) -> None:
    stretches, sample_rate = recording
    notebook = analysed(stretches, sample_rate)
    (end,) = notebook.ends
    assert end >= max([0, *(window[1] for window in notebook.windows)])
    if sample_rate == MODEL_RATE:
        assert end == stretches[-1].end_sample


@pytest.mark.parametrize("sample_rate", SOURCE_RATES)
def test_two_songs_are_two_detections_in_their_place(sample_rate: int) -> None:
    low = tone(sample_rate, 0, 2 * sample_rate, 60.0)
    silence = Block(low.end_sample, np.zeros(2 * sample_rate, np.float32))
    high = tone(sample_rate, silence.end_sample, silence.end_sample + 2 * sample_rate, 300.0)
    found = analysed([low, silence, high], sample_rate).detections
    assert [d.label for d in found] == ["low", "high"]
    for detection, begin_s in zip(found, (0, 4), strict=True):
        assert detection.onset_sample / MODEL_RATE == pytest.approx(begin_s, abs=WINDOW / MODEL_RATE)
        assert detection.offset_sample / MODEL_RATE == pytest.approx(begin_s + 2, abs=WINDOW / MODEL_RATE)


def test_a_detection_is_handled_before_the_next_window_is_heard() -> None:
    low, silence = tone(MODEL_RATE, 0, 800, 60.0), Block(800, np.zeros(4000, np.float32))
    notebook = analysed([low, silence], MODEL_RATE)
    (detection,) = notebook.detections
    (seen,) = notebook.seen_windows
    starts = [window[0] for window in notebook.windows]
    assert starts[seen - 2] <= detection.offset_sample < starts[seen - 1]


def test_who_asks_is_told_after_each_window_what_is_open_and_of_all_of_it_before_its_end() -> None:
    told: list[list[Detection]] = []
    notebook = _Notebook()
    tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=10 * WINDOW), RECORDING)
    chain = pipeline.Chain(cast("Classifier", _PitchClassifier()), tracker, STEP, [notebook])
    chain = replace(chain, lasting=[lambda detections: told.append(list(detections))])
    silence = Block(800, np.zeros(800, np.float32))
    pipeline.run([tone(MODEL_RATE, 0, 800, 60.0), silence, tone(MODEL_RATE, 1600, 1840, 300.0)], MODEL_RATE, [chain])
    assert len(told) == len(notebook.windows)
    first, second = notebook.detections
    lasted = [index for index, detections in enumerate(told) if first.id in {one.id for one in detections}]
    assert lasted == list(range(notebook.seen_windows[0] - 1)), "from its first window until it is complete"
    assert [one.offset_sample for one in told[0]] == [notebook.windows[0][1]]
    assert told[-1] == [second], "as it is complete when the audio ends"


def test_every_sink_is_told_the_same() -> None:
    second = _Notebook()
    first = analysed([tone(MODEL_RATE, 0, 1000, 60.0)], MODEL_RATE, second)
    assert first == second
    assert first.detections


def test_a_gap_splits_a_song() -> None:
    blocks = [tone(MODEL_RATE, 0, 800, 60.0), tone(MODEL_RATE, 900, 1700, 60.0)]
    found = analysed(blocks, MODEL_RATE).detections
    assert [(d.onset_sample, d.offset_sample) for d in found] == [(0, 800), (900, 1700)]


def test_audio_too_short_to_judge_still_ends_where_it_ends() -> None:
    notebook = analysed([tone(MODEL_RATE, 0, WINDOW // 3 - 1, 60.0)], MODEL_RATE)
    assert notebook == _Notebook(ends=[WINDOW // 3 - 1])


def test_a_recording_without_audio_ends_at_its_start() -> None:
    assert analysed([], MODEL_RATE) == _Notebook(ends=[0])


def test_a_step_longer_than_the_window_stops_the_analysis() -> None:
    tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=10), RECORDING)
    classifier = cast("Classifier", _PitchClassifier())
    chain = pipeline.Chain(classifier, tracker, WINDOW + 1, [])
    with pytest.raises(ConfigError, match="at most the window's 240"):
        pipeline.run([tone(MODEL_RATE, 0, 800, 60.0)], MODEL_RATE, [chain])


@pytest.mark.parametrize("sample_rate", SOURCE_RATES)
def test_a_gap_that_the_source_tells_of_ends_what_was_heard_at_once_and_is_passed_on(sample_rate: int) -> None:
    second = Gap(sample_rate, 2 * sample_rate, Cause.DEVICE)
    before, after = tone(sample_rate, 0, sample_rate, 60.0), tone(sample_rate, 2 * sample_rate, 3 * sample_rate, 60.0)
    told = analysed([before, second, after], sample_rate)
    untold = analysed([before, after], sample_rate)
    assert (told.windows, told.detections, told.ends) == (untold.windows, untold.detections, untold.ends)
    ahead = [window for window in told.windows if window[0] < MODEL_RATE]
    assert told.gaps == [(Gap(MODEL_RATE, 2 * MODEL_RATE, Cause.DEVICE), len(ahead))]


def test_a_gap_at_the_end_counts_as_time_that_passed() -> None:
    told = analysed([tone(MODEL_RATE, 0, 800, 60.0), Gap(800, 2000, Cause.SCHEDULE)], MODEL_RATE)
    assert told.ends == [2000]


class _Counted:
    """Audio that says how far it has been taken."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks, self.taken = blocks, 0

    def __iter__(self) -> Iterator[Block]:
        for block in self._blocks:
            self.taken = block.end_sample
            yield block


@dataclass(slots=True)
class _Behind(_Notebook):
    """Notes how far the audio had been taken when each window was heard."""

    audio: _Counted = field(default_factory=lambda: _Counted([]))
    behind: list[int] = field(default_factory=list)

    def heard(self, window: Window, scores: Floats) -> None:
        _Notebook.heard(self, window, scores)
        self.behind.append(self.audio.taken - window.end_sample)


def test_two_models_hear_the_same_audio_each_as_if_it_were_alone_and_neither_runs_ahead() -> None:
    blocks = [tone(MODEL_RATE, start, start + 80, 60.0 if start < 8000 else 300.0) for start in range(0, 16_000, 80)]
    audio = _Counted(blocks)
    notebooks = [_Behind(audio=audio) for _ in range(2)]
    chains = []
    for notebook, step in zip(notebooks, (STEP, WINDOW), strict=True):
        tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=10 * WINDOW), RECORDING)
        chains.append(pipeline.Chain(cast("Classifier", _PitchClassifier()), tracker, step, [notebook]))
    pipeline.run(audio, MODEL_RATE, chains)
    alone = analysed(blocks, MODEL_RATE)
    assert notebooks[0].windows == alone.windows
    assert notebooks[0].detections == alone.detections
    assert [window[0] for window in notebooks[1].windows] == [*range(0, 16_000 - WINDOW, WINDOW), 16_000 - WINDOW]
    assert all(max(notebook.behind) <= 80 + WINDOW for notebook in notebooks)

"""Speech is found wherever it lies, soft or loud, and birds are not taken for it."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from voice import voice

from monitor.config.privacy import Privacy
from monitor.privacy import Silero, Speech, VoiceGate, voices
from monitor.records import Block, Cause, Gap, Samples
from monitor.soundscape import soundscape, wind

RATE = 24_000
MARGIN_S = 0.5


@pytest.fixture(scope="module")
def gate() -> VoiceGate:
    """With the default threshold."""
    return VoiceGate(Silero(), Privacy().threshold, MARGIN_S)


def windy(seconds: float, rms: float = 0.01) -> Samples:
    """Wind, float32."""
    return (rms * wind(RATE, seconds, np.random.default_rng(6))).astype(np.float32)


def with_speech(seconds: float, start_s: float, spoken_s: float, gain: float = 1.0) -> Samples:
    """Wind in which somebody speaks for a while."""
    samples = windy(seconds, 0.01 * gain)
    start, spoken = round(start_s * RATE), gain * voice(RATE, spoken_s)
    samples[start : start + len(spoken)] += spoken
    return samples.astype(np.float32)


def cut(samples: Samples, places: list[int]) -> list[Block]:
    """Blocks that end at these places."""
    edges = [0, *sorted(places), len(samples)]
    return [Block(a, samples[a:b]) for a, b in pairwise(edges) if b > a]


def test_a_stretch_of_speech_is_found_with_a_margin_around_it(gate: VoiceGate) -> None:
    (found,) = gate.speech([Block(0, with_speech(9, 3, 2))], RATE)
    assert 2.2 < found.start_sample / RATE <= 3 - MARGIN_S / 2
    assert 5 + MARGIN_S / 2 <= found.end_sample / RATE < 6.2


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01])
def test_a_soft_voice_is_heard_as_well_as_a_loud_one(gate: VoiceGate, gain: float) -> None:
    assert gate.holds_speech(with_speech(6, 2, 2, gain), RATE)


def test_neither_wind_nor_silence_nor_a_singing_bird_is_speech(gate: VoiceGate) -> None:
    for samples in (windy(6), np.zeros(4 * RATE, np.float32), soundscape(RATE), np.zeros(0, np.float32)):
        assert not gate.holds_speech(samples, RATE)


@settings(max_examples=5, deadline=None)
@given(places=st.lists(st.integers(0, 3 * RATE), max_size=20))
def test_any_cutting_into_blocks_gives_the_same_speech(gate: VoiceGate, places: list[int]) -> None:
    samples = with_speech(3, 1, 1)
    assert list(gate.speech(cut(samples, places), RATE)) == list(gate.speech([Block(0, samples)], RATE))


def test_two_stretches_become_one_where_their_margins_touch() -> None:
    class Loud:
        """Takes everything loud for speech."""

        sample_rate, frame_samples = 16_000, 512

        def probability(self, frame: Samples) -> float:
            return float(np.abs(frame).max() > 0.2)

        def reset(self) -> None:
            """It remembers nothing."""

    samples = np.zeros(16_000 * 12, np.float32)
    for second in (2, 4, 9):
        samples[16_000 * second : 16_000 * (second + 1)] = 0.5
    stretches = list(VoiceGate(Loud(), 0.5, 1.0).speech([Block(0, samples)], 16_000))
    assert len(stretches) == 2
    assert stretches[0].start_sample <= 16_000
    assert stretches[0].end_sample >= 6 * 16_000
    assert all(isinstance(stretch, Speech) for stretch in stretches)
    assert len(list(VoiceGate(Loud(), 0.5, 0.0).speech([Block(0, samples)], 16_000))) == 3


def test_what_was_before_a_gap_says_nothing_about_what_comes_after_it() -> None:
    spoken, quiet = voice(RATE, 2), windy(2)
    gap = Gap(len(spoken), len(spoken) + RATE, Cause.OVERRUN)
    after = Block(gap.end_sample, quiet)
    joined = list(voices([Block(0, spoken), gap, after], RATE, Silero()))
    alone = list(voices([Block(0, quiet)], RATE, Silero()))
    assert [voice.probability for voice in joined[-len(alone) :]] == [voice.probability for voice in alone]


def test_two_detectors_at_once_do_not_disturb_each_other() -> None:
    spoken, quiet = [Block(0, voice(RATE, 2))], [Block(0, windy(2))]
    together = list(zip(voices(spoken, RATE, Silero()), voices(quiet, RATE, Silero()), strict=False))
    assert [first for first, _ in together] == list(voices(spoken, RATE, Silero()))[: len(together)]


def read(path: Path) -> tuple[Samples, int]:
    """Mono samples and their rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def test_all_real_speech_is_found_and_few_real_birds_are_taken_for_it(gate: VoiceGate, real_recordings: Path) -> None:
    with (real_recordings / "negatives" / "recordings.csv").open(encoding="utf-8") as table:
        spoken = [row["file"] for row in csv.DictReader(table) if row["class"] == "speech"]
    for name in spoken:
        assert gate.holds_speech(*read(real_recordings / "negatives" / name)), name
    with (real_recordings / "birds" / "recordings.csv").open(encoding="utf-8") as table:
        birds = [row["file"] for row in csv.DictReader(table)][::20]
    mistaken = 0
    for name in birds:
        samples, rate = read(real_recordings / "birds" / name)
        mistaken += gate.holds_speech(samples[: 5 * rate], rate)
    assert mistaken <= 1
    assert len(birds) > 14

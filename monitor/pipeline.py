"""READ FIRST. Wires the stages, and nothing else; live and offline analysis both run this."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from monitor.classifier import Classifier
from monitor.features import Floats
from monitor.records import Block, Detection, Window
from monitor.resample import resampled
from monitor.tracker import Tracker
from monitor.windows import windows


class Sink(Protocol):
    """Where results go."""

    def heard(self, window: Window, scores: Floats) -> None:
        """A window was analysed; scores have shape (n_labels,)."""

    def handle(self, detection: Detection) -> None:
        """A detection is complete."""

    def ended(self, end_sample: int) -> None:
        """The recording ended before this sample."""


def run(
    blocks: Iterable[Block],
    sample_rate: int,
    classifier: Classifier,
    tracker: Tracker,
    sinks: Sequence[Sink],
    step: int,
) -> None:
    """Analyse one recording, from its first block to its last detection.

    `blocks` count samples at `sample_rate` Hz. Sinks, `step` and the detections count at the model's rate.
    """
    end = _End()
    audio = end.watch(resampled(blocks, sample_rate, classifier.contract.sample_rate))
    for window, scores in classifier.score(windows(audio, classifier.contract.window_samples, step)):
        for sink in sinks:
            sink.heard(window, scores)
        for detection in tracker.update(window, scores):
            for sink in sinks:
                sink.handle(detection)
    for detection in tracker.finish():
        for sink in sinks:
            sink.handle(detection)
    for sink in sinks:
        sink.ended(end.sample)


class _End:
    """Remembers where the audio ended, also the part that was too short for a window."""

    sample = 0

    def watch(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.sample = block.end_sample
            yield block

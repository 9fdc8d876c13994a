"""The voice gate on real speech and real birds: recall of windows, false alarms, and what it costs; WebRTC's beside it.

The threshold is chosen on two folds of the recordings and judged on the two others. Needs DAWNCHORUS_DATA and the
package webrtcvad-wheels. Only the first seconds of each bird are heard, to be done within minutes.
"""

import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import webrtcvad

from monitor.config.privacy import Privacy
from monitor.privacy import Silero, VoiceDetector, voices
from monitor.records import Block, Samples
from monitor.soundscape import wind

DATA = Path(os.environ.get("DAWNCHORUS_DATA", "../shared/data"))
WINDOW_S, STEP_S, BIRD_S = 3.0, 1.0, 12.0
CHOSEN_ON = {"0", "1"}
ALLOWED = 0.01
"""false alarms that the chosen threshold may give on the first half; the bar on the second is 0.02"""
GAINS_DB, SNRS_DB = (0, -20, -40, -60), (20, 10, 5, 0, -5)


class WebRtc:
    """The voice detector of WebRTC, at its strictest; says yes or no."""

    sample_rate, frame_samples = 16_000, 480

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(3)

    def probability(self, frame: Samples) -> float:
        """1 or 0."""
        levels = np.clip(np.round(frame * 32_768), -32_768, 32_767).astype("<i2")
        return float(self._detector.is_speech(levels.tobytes(), self.sample_rate))

    def reset(self) -> None:
        """Forget."""
        self._detector = webrtcvad.Vad(3)


@dataclass
class Cost:
    """What was heard, and the processor's time for it."""

    audio_s: float = 0.0
    cpu_s: float = 0.0


def judged(samples: Samples, rate: int, detector: VoiceDetector, cost: Cost) -> list[float]:
    """The highest averaged probability of each window."""
    begin = time.thread_time()
    found = list(voices([Block(0, samples)], rate, detector))
    cost.cpu_s += time.thread_time() - begin
    cost.audio_s += len(samples) / rate
    frame_s = detector.frame_samples / detector.sample_rate
    size, step = round(WINDOW_S / frame_s), round(STEP_S / frame_s)
    probabilities = [voice.probability for voice in found]
    starts = range(0, max(1, len(probabilities) - size + 1), step)
    return [max(probabilities[start : start + size], default=0.0) for start in starts]


def recordings(folder: str, kind: str = "") -> Iterator[tuple[str, Samples, int]]:
    """Fold, mono samples and rate of each."""
    with (DATA / folder / "recordings.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if not kind or row["class"] == kind:
                samples, rate = soundfile.read(DATA / folder / row["file"], dtype="float32", always_2d=True)
                yield row["fold"], samples.mean(axis=1), rate


def share(values: list[float], threshold: float) -> str:
    """How many reach it."""
    return f"{np.mean(np.array(values) >= threshold):.3f} of {len(values)}"


def measure(name: str, detector: VoiceDetector) -> float:
    """Print what a detector does; return the threshold that was chosen."""
    cost = Cost()
    halves: dict[tuple[str, bool], list[float]] = {}
    for kind, source in (("speech", recordings("negatives", "speech")), ("birds", recordings("birds"))):
        for fold, samples, rate in source:
            values = judged(samples[: round(BIRD_S * rate)], rate, detector, cost)
            halves.setdefault((kind, fold in CHOSEN_ON), []).extend(values)
    threshold = float(np.nextafter(np.quantile(halves["birds", True], 1 - ALLOWED), 1))
    print(f"{name}: {100 * cost.cpu_s / cost.audio_s:.2f} % of a core while it listens")
    for label, value in (("chosen", threshold), ("default", Privacy().threshold)):
        print(f"  {label} threshold {value:.3f}, on the other half:")
        print(f"    recall of speech windows {share(halves['speech', False], value)}")
        print(f"    false alarms on bird windows {share(halves['birds', False], value)}")
        print(f"    (on the half it was chosen on: {share(halves['birds', True], value)})")
    return threshold


def hard(detector: VoiceDetector, threshold: float) -> None:
    """Print the recall of speech that is soft, or in wind."""
    spoken = [(samples, rate) for _, samples, rate in recordings("negatives", "speech")]
    rng = np.random.default_rng(1)
    for gain_db in GAINS_DB:
        values = [v for s, rate in spoken for v in judged(s * np.float32(10 ** (gain_db / 20)), rate, detector, Cost())]
        print(f"    speech at {gain_db:4d} dB: {share(values, threshold)}")
    for snr_db in SNRS_DB:
        values = [v for s, rate in spoken for v in judged(mixed(s, rate, snr_db, rng), rate, detector, Cost())]
        print(f"    speech {snr_db:3d} dB over wind: {share(values, threshold)}")


def mixed(samples: Samples, rate: int, snr_db: float, rng: np.random.Generator) -> Samples:
    """Speech with wind."""
    noise: npt.NDArray[np.float32] = wind(rate, len(samples) / rate, rng)[: len(samples)]
    rms = np.sqrt(np.mean(np.square(samples))) * 10 ** (-snr_db / 20)
    return (0.1 * (samples + rms * noise)).astype(np.float32)


def main() -> None:
    """Measure both."""
    for name, detector in (("WebRTC", WebRtc()), ("Silero", Silero())):
        measure(name, detector)
    hard(Silero(), Privacy().threshold)


if __name__ == "__main__":
    main()

"""`dawnchorus analyze`: what a file, a second process and a step of one second cost, as ratios.

Each figure is the median of rounds in which both sides run in turn, or side by side where that is the question: the
machine may be busy with something else.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1")  # before NumPy, as the command does it

import numpy as np
import scipy.fft
import soundfile

from monitor.batch.alone import Alone
from monitor.batch.analyze import Season
from monitor.batch.found import Search
from monitor.batch.journal import Journal
from monitor.batch.sheets import Results
from monitor.batch.terms import Terms
from monitor.config.detection import Detecting
from monitor.runtime import Network
from monitor.soundscape import soundscape

RATE = 48_000
FILES = 10_000
ROUNDS = 3
MANY_S = 480
"""of one recording"""
CARD, CARD_S = 16, 900
"""recordings of each half of a card, and how long each is: eight hours in all, so that a start counts for little"""
PARTS: tuple[tuple[str, Any, str], ...] = (("ONNX Runtime", Network, "run"), ("the FFT", scipy.fft, "rfft"))
"""what an analysis should spend its time in, and where that is called"""


def write(path: Path, seconds: float) -> Path:
    """A 48 kHz 16-bit WAV: the soundscape again and again.

    Never as a whole: what this process once held would count as the peak of those that it starts.
    """
    once = np.round(soundscape(RATE) * 32767).astype(np.int16)
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while left > 0:
            file.write(once[:left])
            left -= len(once)
    return path


def analyzed_s(source: Path, output: Path, step_s: float) -> float:
    """Processor seconds of an analysis in this process, without opening the model."""
    terms = Terms(detecting=Detecting(step_s))
    analysis = terms.open()
    begin = time.process_time()
    with closing(Journal(output, terms.signature(), fresh=True)) as journal:
        Season(journal, Alone(analysis), Results(output), analysis.band_hz).analyze(Search([source]).find()[0])
    return time.process_time() - begin


def files_cost(folder: Path) -> None:
    """Many short files against one that is as long as all of them."""
    window_s = Terms().open().recognisers[0].classifier.contract.window_s
    short = folder / "short"
    short.mkdir()
    sound = write(folder / "one.wav", window_s).read_bytes()
    for number in range(FILES):
        (short / f"{number:05d}.wav").write_bytes(sound)
    whole = write(folder / "whole.wav", window_s * FILES / 10)
    apart_s = analyzed_s(short, folder / "out", window_s)
    together_s = statistics.median(analyzed_s(whole, folder / "out", window_s) for _ in range(ROUNDS)) * 10
    cost_ms = 1000 * (apart_s - together_s) / FILES
    print(
        f"{FILES} files of {window_s:g} s: {cost_ms:.2f} ms of processor each beyond the same audio in one", flush=True
    )


@contextmanager
def timed(owner: Any, name: str) -> Iterator[list[float]]:  # noqa: ANN401
    """Processor seconds of each call of a function, which a profiler of every call would distort."""
    spent: list[float] = []
    original = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        begin = time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            spent.append(time.process_time() - begin)

    setattr(owner, name, call)
    try:
        yield spent
    finally:
        setattr(owner, name, original)


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds of one analysis."""

    all_s: float
    parts_s: dict[str, float]

    @property
    def beyond_s(self) -> float:
        """Beside inference."""
        return self.all_s - self.parts_s["ONNX Runtime"]


def spent(recording: Path, output: Path, step_s: float) -> Spent:
    """What an analysis in this process costs, and its parts."""
    with ExitStack() as stack:
        parts = {what: stack.enter_context(timed(owner, name)) for what, owner, name in PARTS}
        all_s = analyzed_s(recording, output, step_s)
    return Spent(all_s, {what: sum(calls) for what, calls in parts.items()})


def profile(folder: Path) -> None:
    """Where the time goes, and what a step of one second costs beside inference."""
    recording = write(folder / "profile.wav", MANY_S)
    window_s = Terms().open().recognisers[0].classifier.contract.window_s
    steps = (window_s, 1.0)
    analyzed_s(recording, folder / "out", window_s)  # what is imported at the first need
    rounds = [{step_s: spent(recording, folder / "out", step_s) for step_s in steps} for _ in range(ROUNDS)]
    for step_s in steps:
        runs = [one[step_s] for one in rounds]
        shares = {what: statistics.median(run.parts_s[what] / run.all_s for run in runs) for what, _, _ in PARTS}
        cost_ms = 1000 * statistics.median(run.all_s for run in runs) / MANY_S
        told = " and ".join(f"{share:.0%} in {what}" for what, share in shares.items())
        print(f"step {step_s:g} s: of {cost_ms:.2f} ms a second of audio {told}")
    ratio = statistics.median(one[1.0].beyond_s / one[window_s].beyond_s for one in rounds)
    print(f"beyond inference a step of 1 s costs {ratio:.2f} times that of {window_s:g} s", flush=True)


def command(*words: object) -> "subprocess.Popen[bytes]":
    """`analyze`, begun."""
    return subprocess.Popen([sys.executable, "-m", "monitor", "analyze", *map(str, words)], stdout=subprocess.DEVNULL)


def second_process(folder: Path) -> None:
    """Two processes of one call against two calls of half the work side by side, and against one process."""
    card = folder / "card"
    for half in range(2):
        (card / str(half)).mkdir(parents=True)
        for number in range(CARD):
            write(card / str(half) / f"{half}{number}.wav", CARD_S)
    ratios, gains = [], []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        halves = [command(card / str(half), "-o", folder / f"half{half}", "--fresh") for half in range(2)]
        for process in halves:
            process.wait()
        apart_s = time.perf_counter() - begin
        begin = time.perf_counter()
        command(card, "-o", folder / "two", "--fresh", "--jobs", 2).wait()
        two_s = time.perf_counter() - begin
        begin = time.perf_counter()
        command(card, "-o", folder / "single", "--fresh").wait()
        ratios.append(two_s / apart_s)
        gains.append((time.perf_counter() - begin) / two_s)
    print(
        f"two processes: {statistics.median(gains):.2f} times as fast as one, {statistics.median(ratios):.2f} of the "
        f"time of two calls side by side that share nothing; peak memory of a process "
        f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000:.0f} MB"
    )


def main() -> None:
    """Print a line for each question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile(folder)
        second_process(folder)
        files_cost(folder)


if __name__ == "__main__":
    main()

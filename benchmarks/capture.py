"""What capture costs: share of a core and resident memory at 48 kHz, and what many deaths of a sound card leave behind.

A sound server of its own (PulseAudio, as in the tests) plays the microphone. The first argument is the number of
deaths; 1,000 take about half an hour.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Self

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from rigs import RATE, SoundServer, short_folder

from monitor.config.source import MicrophoneSource
from monitor.records import Gap
from monitor.sources import capture, continuity
from monitor.sources.live import open_streams

SETTLE_S, MEASURE_S = 5.0, 30.0
DEATHS, SETTLED_DEATHS = 30, 5


class Listener:
    """Takes a stream in a thread, as the pipeline does, and throws it away."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        (self.stream,) = open_streams([MicrophoneSource(device="mic", sample_rate=RATE)], self.stop, lambda _: None)
        self.blocks = self.gaps = 0
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        for piece in self.stream.blocks:
            self.gaps += isinstance(piece, Gap)
            self.blocks += not isinstance(piece, Gap)

    def wait(self) -> None:
        """Until more audio comes."""
        before = self.blocks
        while self.blocks == before:
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.stop.set()
        self._thread.join()


def holder() -> psutil.Process:
    """The process that holds the card."""
    (found,) = [child for child in psutil.Process().children() if "sound_card" in " ".join(child.cmdline())]
    return found


def seconds_of(process: psutil.Process) -> float:
    """Processor time so far."""
    times = process.cpu_times()
    return times.user + times.system


def cost() -> None:
    """The reader in this process, and the process that holds the card."""
    with Listener():
        time.sleep(SETTLE_S)
        both = psutil.Process(), holder()
        before, memory = [seconds_of(process) for process in both], both[1].memory_full_info()
        time.sleep(MEASURE_S)
        shares = [(seconds_of(process) - b) / MEASURE_S for process, b in zip(both, before, strict=True)]
    print(f"capture at {RATE} Hz: {100 * sum(shares):.2f} % of a core", end=" ")
    print(f"({100 * shares[1]:.2f} % the process that holds the card, {100 * shares[0]:.2f} % its reader);", end=" ")
    print(f"that process: resident {memory.rss / 1e6:.1f} MB, of which its own {memory.uss / 1e6:.1f} MB")


def deaths(count: int) -> None:
    """Kill the process that holds the card again and again."""
    capture.LONGEST_RETRY_S, continuity.PROBATION_S = 0.05, 0.05
    with Listener() as listener:
        for number in range(count):
            listener.wait()
            if number == min(SETTLED_DEATHS, count - 1):
                before = state()
            gaps = listener.gaps
            holder().kill()
            while listener.gaps == gaps:
                time.sleep(0.01)
        listener.wait()
        after = state()
    names = ("files", "threads", "processes", "MB")
    changes = ", ".join(f"{name} {b:.1f} -> {a:.1f}" for name, b, a in zip(names, before, after, strict=True))
    print(f"{count} deaths of the process that holds the card: {changes}")


def state() -> tuple[float, ...]:
    """What may leak from this process."""
    process = psutil.Process()
    memory_mb = process.memory_info().rss / 1e6
    return process.num_fds(), process.num_threads(), len(process.children()), memory_mb


def main() -> None:
    """Print both lines."""
    with short_folder() as folder:
        server = SoundServer(folder)
        try:
            server.start()
            server.control(
                "load-module", "module-sine", "sink=wall", "frequency=443"
            )  # neither silent nor the same over and over
            os.environ |= server.environment
            cost()
            deaths(int(sys.argv[1]) if len(sys.argv) > 1 else DEATHS)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

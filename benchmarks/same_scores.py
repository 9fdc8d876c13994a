"""Whether another processor computes the same, stage by stage: the resampled sound, the front end, the INT8 network.

    python benchmarks/same_scores.py score song.wav here.npz        # on each of two machines, with the same recording
    python benchmarks/same_scores.py compare here.npz there.npz     # exits with 1 beyond the contract's tolerance

Scored are the contract's parity sound, every second of the recording, and noise made of integers, which is the same
everywhere. `compare` also says what the network alone makes of what the first machine's front end gave it.
"""

import argparse
import hashlib
import os
import platform
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import soundfile

from monitor.classifier import Classifier
from monitor.features import Floats, log_mel
from monitor.resample import resample

NOISES = 300
NOTED = 0.001
STAGES = ("sound", "features", "scores", "network")


def noises(samples: int, count: int) -> Floats:
    """White and brown noise from loud to hardly there, (count, samples) float32 in [-1, 1]."""
    rng = np.random.Generator(np.random.PCG64(7))
    made = []
    for number in range(count):
        steps = rng.integers(-(1 << 15) >> (number % 12), (1 << 15) >> (number % 12), samples, dtype=np.int64)
        walked = np.cumsum(steps) % (1 << 16) - (1 << 15) if number % 2 else steps
        made.append(walked.astype(np.float32) / np.float32(1 << 15))
    return np.stack(made)


def sounds(classifier: Classifier, recording: Path) -> Floats:
    """All windows that are scored, (n, window_samples)."""
    contract = classifier.contract
    size, rate = contract.window_samples, contract.sample_rate
    samples, from_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    heard = resample(samples[:, 0], from_rate, rate)
    parity = [] if contract.parity is None else [contract.parity.window(size)]
    seconds = [heard[start : start + size] for start in range(0, len(heard) - size + 1, rate)]
    return np.stack([*parity, *seconds, *noises(size, NOISES)])


def scored(recording: Path, seen_elsewhere: Floats | None) -> dict[str, npt.NDArray[np.generic]]:
    """What each stage gives, and which machine computed it. `network` scores what was seen elsewhere, if anything."""
    classifier = Classifier()
    sound = sounds(classifier, recording)
    seen = np.stack([log_mel(window, classifier.contract.mel_spec) for window in sound])
    network = classifier._scored  # noqa: SLF001 - the network without the front end
    given = seen if seen_elsewhere is None else seen_elsewhere
    machine = (
        f"{platform.machine()}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, NumPy "
    )
    return {
        "machine": np.array(machine + np.__version__),
        "tolerance": np.array(0.0 if classifier.contract.parity is None else classifier.contract.parity.tolerance),
        "sound": sound,
        "features": seen,
        "scores": np.stack([network(one) for one in seen]),
        "network": np.stack([network(one) for one in given]),
    }


def compare(here: Path, there: Path) -> int:
    """Print what differs by how much; return 1 where a score does by more than the contract allows."""
    with np.load(here) as first, np.load(there) as second:
        print(f"{first['machine']}\n{second['machine']}\n{len(first['scores'])} windows")
        for stage in STAGES:
            one, other = first[stage], second[stage]
            if one.tobytes() == other.tobytes():
                print(f"{stage:9} the same, bit by bit: {hashlib.sha256(one.tobytes()).hexdigest()[:16]}")
            else:
                apart = np.abs(one.astype(np.float64) - other)
                touched = np.count_nonzero(apart.reshape(len(apart), -1).max(axis=1))
                said = f"by {apart.max():.2g} at most, {apart.mean():.2g} on average"
                print(f"{stage:9} differs in {touched} windows, {said}")
        apart = np.abs(first["scores"] - second["scores"]).max(axis=1)
        print(f"scores    {np.count_nonzero(apart > NOTED)} windows by more than {NOTED}; allowed {first['tolerance']}")
        return int(apart.max() > first["tolerance"])


def main() -> int:
    """Score here, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    score = commands.add_parser("score", help="compute all stages here and write them down")
    score.add_argument("recording", type=Path)
    score.add_argument("out", type=Path)
    score.add_argument("--seen", type=Path, help="what another machine wrote: the network gets its features")
    held = commands.add_parser("compare", help="two of them")
    held.add_argument("here", type=Path)
    held.add_argument("there", type=Path)
    given = parser.parse_args()
    if given.command == "compare":
        return compare(given.here, given.there)
    seen = None if given.seen is None else np.load(given.seen)["features"]
    np.savez(given.out, **scored(given.recording, seen))
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())

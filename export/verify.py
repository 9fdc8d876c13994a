"""What the gate looks at: torch against ONNX, INT8 against float, the file by itself and on the device's own path."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from export.agreement import agreement
from export.latency import latencies_ms
from export.runtime import logits_of
from export.windows import Judged
from monitor.classifier import Classifier
from monitor.contract import Contract
from monitor.errors import ModelError
from monitor.features import Floats, log_mel
from training.checkpoint import Checkpoint, differences
from training.evaluation.calibration import confidences
from training.train import sigmoid

BATCH = 8
BATCHED = 64
"""windows that are scored again, and in batches"""


def measure(float_path: Path, int8_path: Path, judged: Judged) -> dict[str, float]:
    """The figures that `bars` asks for. ModelError where the device itself refuses the INT8 file.

    `judged`: windows that did not calibrate, with the logits of the checkpoint that `float_path` was made of.
    """
    device = Classifier(int8_path)
    floats, ints = (logits_of(path, judged.pictures) for path in (float_path, int8_path))
    few = judged.pictures[:BATCHED]
    found = {
        "float_difference": _difference(judged.logits, floats),
        **asdict(agreement(judged, ints, device.contract.labels)),
        "repeat_difference": _difference(ints[:BATCHED], logits_of(int8_path, few)),
        "batch_difference": _difference(ints[:BATCHED], logits_of(int8_path, few, BATCH)),
        "device_difference": _device_difference(device, judged),
        "size_mb": int8_path.stat().st_size / 1e6,
    }
    return found | _speed(float_path, int8_path, judged.pictures[0])


def check_same_network(checkpoint: Checkpoint, contract: Contract, path: Path) -> None:
    """ModelError where a contract tells of another network than the checkpoint's: there is nothing to compare."""
    ours = {**asdict(checkpoint.spec), "window_samples": checkpoint.window_samples, "labels": list(checkpoint.labels)}
    theirs = {
        **asdict(contract.mel_spec),
        "window_samples": contract.window_samples,
        "labels": [label.label for label in contract.labels],
    }
    if found := differences(theirs, ours):
        msg = f"{path} is of another network than the checkpoint: {found}"
        raise ModelError(msg)


def _difference(one: Floats, other: Floats) -> float:
    return float(np.abs(sigmoid(one) - sigmoid(other)).max())


def _device_difference(device: Classifier, judged: Judged) -> float:
    """Samples through the device's classifier, against the same file fed with what the front end makes of them."""
    contract = device.contract
    logits = logits_of(device.path, [log_mel(sound, contract.mel_spec) for sound in judged.sounds])
    expected = confidences(logits, [label.calibration for label in contract.labels])
    return float(np.abs(np.stack([device.scores(sound) for sound in judged.sounds]) - expected).max())


def _speed(float_path: Path, int8_path: Path, window: Floats) -> dict[str, float]:
    paths = (float_path, int8_path)
    (float_ms, int8_ms), (float_ms_2, int8_ms_2) = (latencies_ms(paths, window, threads) for threads in (1, 2))
    return {
        "float_ms_1_thread": float_ms,
        "int8_ms_1_thread": int8_ms,
        "speed_1_thread": float_ms / int8_ms,
        "speed_2_threads": float_ms_2 / int8_ms_2,
    }

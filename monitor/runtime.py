"""ONNX Runtime: a file -> a network that runs on one thread of this processor, or one sentence why not."""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from monitor.errors import ModelError
from monitor.features import Floats

FAILURES = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NoSuchFile,
    failures.NotImplemented,
    failures.RuntimeException,
)
"""What ONNX Runtime raises for a file it cannot run; they share no base of their own."""

_LACKS = (
    (
        r"Opset (\d+) is under development.* is till opset (\d+)",
        "it needs opset {0}, known up to {1}",
    ),
    (r"Unsupported model IR version: (\d+), max supported IR version: (\d+)", "its format is {0}, known up to {1}"),
    (r"No Op registered for (\S+) with domain_version of (\d+)", "it lacks the operator {0} of opset {1}"),
    (r"(\S+?)\(-?\d+\) is not a registered function/op", "it lacks the operator {0}"),
    (r"Could not find an implementation for (\w+)\((\d+)\)", "it lacks the operator {0} of opset {1} for such numbers"),
)
"""What ONNX Runtime says of a file that is newer or stranger than itself, and how a user is told."""


class Network:
    """A graph with one float input, called with one window at a time.

    Raises ModelError, naming the file, where it is missing, damaged or uses what this runtime lacks, and, without
    naming it, where it takes anything else than one float input in batches of one or any size.
    """

    def __init__(self, path: Path) -> None:
        self._session = _session(path)

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says about itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def input_shape(self) -> list[int | None]:
        """Shape of the input without the batch; None where any size will do."""
        inputs = self._session.get_inputs()
        batch = inputs[0].shape[0] if inputs and inputs[0].shape else None
        if len(inputs) != 1 or (isinstance(batch, int) and batch != 1):
            msg = f"takes {len(inputs)} inputs in batches of {batch}, but is given one window at a time"
            raise ModelError(msg)
        if inputs[0].type != "tensor(float)" or not inputs[0].shape:
            msg = f"takes {inputs[0].type} {inputs[0].shape}: tensor(float) [batch, ...] expected"
            raise ModelError(msg)
        return [size if isinstance(size, int) else None for size in inputs[0].shape[1:]]

    @property
    def outputs(self) -> list[str]:
        """Names of what it returns."""
        return [output.name for output in self._session.get_outputs()]

    def run(self, window: Floats, outputs: list[str]) -> list[Floats]:
        """What it returns for one window, given without the batch: an array with a batch of one for each output."""
        found = self._session.run(outputs, {self._session.get_inputs()[0].name: window[None]})
        return [np.asarray(array) for array in found]


def _session(path: Path) -> onnxruntime.InferenceSession:
    if not path.is_file():
        msg = f"model {path}: no such file"
        raise ModelError(msg)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except FAILURES as error:
        msg = f"model {path}: not an ONNX file that this runtime can run: {_lacking(str(error)) or first_line(error)}"
        raise ModelError(msg) from error


def activated(raw: Floats, activation: Literal["sigmoid", "softmax", "none"]) -> Floats:
    """What a network returns, (n,), as scores in [0, 1]."""
    match activation:
        case "sigmoid":
            with np.errstate(over="ignore"):  # a hopeless logit: the exponential is infinite and the score is 0
                return np.reciprocal(1 + np.exp(-raw))
        case "softmax":
            powers: Floats = np.exp(raw - raw.max())
            return powers / powers.sum()
        case "none":
            return raw


def first_line(error: Exception) -> str:
    """What an error says, without the lines that only a programmer needs."""
    return str(error).splitlines()[0]


def _lacking(message: str) -> str | None:
    for pattern, told in _LACKS:
        if match := re.search(pattern, message):
            return f"{told.format(*match.groups())} (ONNX Runtime {onnxruntime.__version__})"
    return None

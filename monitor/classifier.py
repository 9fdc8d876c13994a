"""A model file on the device: window in, scores out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from monitor import contract as contracts
from monitor.contract import Contract
from monitor.errors import ModelError
from monitor.features import Floats, log_mel, log_mels
from monitor.records import Samples, Window

STARTER = Path(__file__).parent / "models" / "starter.onnx"
"""The bundled model."""

_FAILURES = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NoSuchFile,
    failures.NotImplemented,
    failures.RuntimeException,
)
"""What ONNX Runtime raises for a file it cannot run; they share no base of their own."""


class Classifier:
    """An ONNX session with its contract, checked against each other when it is made.

    Raises ModelError, naming the file, where it is missing, damaged, carries no contract, does not match
    its contract, or scores the contract's parity sound differently from the exporter.
    """

    def __init__(self, path: Path = STARTER) -> None:
        self.path = path
        self._session = _session(path)
        try:
            self.contract = _contract(self._session)
            self._check_shapes()
            self._spec = self.contract.mel_spec
            self._slopes = np.array([x.calibration.slope for x in self.contract.labels], np.float32)
            self._intercepts = np.array([x.calibration.intercept for x in self.contract.labels], np.float32)
            self._check_parity()
        except (ModelError, *_FAILURES) as error:
            msg = f"model {path}: {str(error).splitlines()[0]}"
            raise ModelError(msg) from error

    def score(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        """Each window with its scores, as `scores` gives them, in a fraction of the time."""
        for window, picture in log_mels(windows, self._spec):
            yield window, self._calibrated(self._logits(picture[None])[0])

    def scores(self, samples: Samples) -> Floats:
        """Calibrated scores (n_labels,) in [0, 1] of one window, (window_samples,) float32 in [-1, 1]."""
        picture = log_mel(samples, self._spec)[None]
        return self._calibrated(self._logits(picture)[0])

    def _logits(self, pictures: Floats) -> Floats:
        logits: Floats = self._session.run(None, {self._session.get_inputs()[0].name: pictures})[0]
        return logits

    def _calibrated(self, logits: Floats) -> Floats:
        with np.errstate(over="ignore"):  # a hopeless logit: the exponential is infinite and the score is 0
            return 1 / (1 + np.exp(-(self._slopes * logits + self._intercepts)))

    def _check_shapes(self) -> None:
        contract = self.contract
        takes, gives = self._session.get_inputs()[0], self._session.get_outputs()[0]
        wanted = [
            len(contract.input.channels),
            contract.input.n_mels,
            contract.mel_spec.n_frames(contract.window_samples),
        ]
        if takes.type != "tensor(float)" or takes.shape[1:] != wanted:
            msg = f"takes {takes.type} {takes.shape}, but its contract says float [batch, {str(wanted)[1:]}"
            raise ModelError(msg)
        count, batch = len(self._session.get_inputs()), takes.shape[0]
        if count > 1 or (isinstance(batch, int) and batch != 1):
            msg = f"takes {count} inputs in batches of {batch}, but is given one window at a time"
            raise ModelError(msg)
        if gives.shape[1:] != [len(contract.labels)]:
            msg = f"returns {gives.shape}, but its contract names {len(contract.labels)} labels"
            raise ModelError(msg)

    def _check_parity(self) -> None:
        parity = self.contract.parity
        scores = self.scores(parity.window(self.contract.window_samples))
        difference = float(np.abs(scores - np.array(parity.scores, np.float32)).max())
        if not difference <= parity.tolerance:
            msg = (
                f"parity check failed: scores differ by {difference:.4f} from the exporter's, at most "
                f"{parity.tolerance:g} expected; the file is damaged or this processor computes it wrongly"
            )
            raise ModelError(msg)


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
    except _FAILURES as error:
        msg = f"model {path}: not an ONNX file that this runtime can run: {str(error).splitlines()[0]}"
        raise ModelError(msg) from error


def _contract(session: onnxruntime.InferenceSession) -> Contract:
    text = session.get_modelmeta().custom_metadata_map.get(contracts.KEY)
    if text is None:
        msg = f"carries no contract: its metadata has no key {contracts.KEY}"
        raise ModelError(msg)
    return contracts.parse(text)

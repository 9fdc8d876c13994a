"""A model file in ONNX Runtime, as the device opens it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from export.graph import INPUT, LOGITS
from monitor.features import Floats


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on so many threads, which do not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def logits_of(path: Path, windows: Sequence[Floats], batch: int = 1) -> Floats:
    """Logits (n, n_labels) of windows (n_channels, n_mels, n_frames); by default one at a time as on the device."""
    session = open_session(path)
    parts = [np.stack(windows[start : start + batch]) for start in range(0, len(windows), batch)]
    return np.concatenate([session.run([LOGITS], {INPUT: part})[0] for part in parts])

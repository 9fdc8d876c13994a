"""Float ONNX -> static INT8: QDQ, weights per channel, ranges from real windows."""

import contextlib
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    create_calibrator,
    quantize_static,
)
from onnxruntime.quantization.calibrate import save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.graph import INPUT
from monitor.features import Floats

BATCH = 16
"""windows whose every layer is held in memory at once"""
QUANTIZED = ("Conv", "Clip", "Add", "Gemm")
"""the pooling stays float: it costs next to nothing, and the embedding keeps its precision"""
STEM, HEAD, LAST = PARTS = ("stem", "head", "last layer")
FLOAT = (STEM, LAST)
"""what is float in every INT8 file.

The stem has few channels and most of the pixels: its INT8 kernels are two to three times slower than the float ones,
and the rounding of the very input goes through everything. The last layer is a matrix of some ten thousand numbers;
quantized, its logits come in steps of a tenth, and a processor that rounds an earlier sum otherwise may be a whole
step apart (docs/family.md).
"""
_STEM_CONVOLUTIONS = 3
"""the first one, and the block behind it, which does not expand"""


@dataclass(frozen=True, slots=True)
class Method:
    """How a tensor's range follows from its values."""

    name: str
    kind: CalibrationMethod
    percentile: float | None = None
    """share of the values in percent that the range must hold"""


METHODS = (
    Method("min-max", CalibrationMethod.MinMax),
    Method("entropy", CalibrationMethod.Entropy),
    Method("percentile", CalibrationMethod.Percentile, 99.99),
)


class _Windows(CalibrationDataReader):  # type: ignore[misc]
    """Feeds windows as one batch."""

    def __init__(self, windows: Sequence[Floats]) -> None:
        self._left = iter([np.stack(windows)])

    def get_next(self) -> dict[str, Floats] | None:
        """The next input, or None at the end."""
        batch = next(self._left, None)
        return None if batch is None else {INPUT: batch}


def prepare(float_path: Path, path: Path) -> None:
    """Write the graph with its shapes, as quantization wants it."""
    quant_pre_process(float_path, path, skip_symbolic_shape=True)


def write_ranges(prepared: Path, path: Path, windows: Sequence[Floats], method: Method) -> None:
    """Measure the range of every tensor over windows (n_channels, n_mels, n_frames); `path` gets them as JSON."""
    extra = {} if method.percentile is None else {"percentile": method.percentile, "symmetric": False}
    with contextlib.redirect_stdout(io.StringIO()):  # the calibrators print
        calibrator = create_calibrator(
            prepared,
            list(QUANTIZED),
            augmented_model_path=str(path.with_suffix(".augmented.onnx")),
            calibrate_method=method.kind,
            extra_options=extra,
        )
        for start in range(0, len(windows), BATCH):
            calibrator.collect_data(_Windows(windows[start : start + BATCH]))
        save_tensors_data(calibrator.compute_data(), path)


def write_int8(prepared: Path, path: Path, ranges: Path, method: Method, kept: Collection[str] = FLOAT) -> None:
    """Quantize by ranges of the same method; the PARTS that are `kept` stay float."""
    quantize_static(
        prepared,
        path,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=method.kind,
        calibration_cache_path=ranges,
        op_types_to_quantize=list(QUANTIZED),
        nodes_to_exclude=[name for part in kept for name in nodes_of(prepared, part)],
    )


def nodes_of(path: Path, part: str) -> list[str]:
    """The nodes of one of the PARTS, convolutions with what follows each."""
    nodes = onnx.load(path).graph.node
    starts = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    first = starts[: _STEM_CONVOLUTIONS + 1]
    spans = {STEM: slice(first[0], first[-1]), HEAD: slice(starts[-1], None), LAST: slice(len(nodes) - 1, None)}
    return [node.name for node in nodes[spans[part]] if part == LAST or node.op_type in ("Conv", "Clip")]

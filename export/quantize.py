"""Float ONNX -> static INT8: QDQ, weights per channel, ranges from real windows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.graph import INPUT
from monitor.features import Floats, MelSpec, picture
from training.corpus.manifest import Recording

CALIBRATION_WINDOWS = 1000


class _Windows(CalibrationDataReader):  # type: ignore[misc]
    """Feeds windows one at a time."""

    def __init__(self, windows: Sequence[Floats]) -> None:
        self._left = iter(windows)

    def get_next(self) -> dict[str, Floats] | None:
        """The next input, or None at the end."""
        window = next(self._left, None)
        return None if window is None else {INPUT: window[None]}


def write_int8(float_path: Path, int8_path: Path, windows: Sequence[Floats]) -> None:
    """Quantize with windows (n_channels, n_mels, n_frames) as the network would see them."""
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(float_path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            int8_path,
            _Windows(windows),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def draw_windows(
    recordings: Sequence[Recording],
    spectra: Mapping[Path, Floats],
    spec: MelSpec,
    n_frames: int,
    rng: np.random.Generator,
    count: int = CALIBRATION_WINDOWS,
) -> list[Floats]:
    """Real windows from recordings in turn, so that every species and every kind of noise is there."""
    windows = []
    for index in rng.permutation(np.resize(np.arange(len(recordings)), count)):
        power = spectra[recordings[index].path]
        start = rng.integers(power.shape[1] - n_frames + 1)
        windows.append(picture(power[:, start : start + n_frames], spec))
    return windows

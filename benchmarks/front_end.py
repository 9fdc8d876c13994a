"""Log-mel of one window: ours, librosa's, and as an ONNX graph, in turn in one process, on one thread."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import torch

from monitor.classifier import Classifier
from monitor.features import LEVEL, Floats, MelSpec, log_mel, mel_filters

ROUNDS, CALLS = 15, 10


class Graph(torch.nn.Module):
    """The front end as a network may carry it: (batch, n) samples -> (batch, n_channels, n_mels, n_frames)."""

    def __init__(self, spec: MelSpec, *, convolving: bool) -> None:
        """`convolving`: the transform as a convolution with sines, otherwise as ONNX's own DFT."""
        super().__init__()
        self.spec, self.convolving = spec, convolving
        self.taper = torch.from_numpy(np.hanning(spec.n_fft + 1)[:-1].astype(np.float32))
        self.filters = torch.from_numpy(mel_filters(spec))
        waves = torch.fft.rfft(torch.eye(spec.n_fft)).T * self.taper
        self.waves = torch.cat([waves.real, waves.imag])[:, None]

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """As `log_mel`, but for what it does with silence and with samples beyond full scale."""
        if self.convolving:
            real, imag = torch.nn.functional.conv1d(samples[:, None], self.waves, stride=self.spec.hop).chunk(2, 1)
        else:
            spectrum = torch.view_as_real(
                torch.fft.rfft(samples.unfold(1, self.spec.n_fft, self.spec.hop) * self.taper)
            )
            real, imag = spectrum.movedim(1, 2).unbind(-1)
        logs = torch.log10(self.filters @ (real.square() + imag.square()) + self.spec.floor)
        centred = logs - logs.mean((1, 2), keepdim=True)
        level = centred / centred.square().mean((1, 2), keepdim=True).sqrt()
        middle = (level.shape[-1] - 1) // 2
        contrast = level - level.sort(-1).values[..., middle : middle + 1]
        return torch.stack([level if channel == LEVEL else contrast for channel in self.spec.channels], 1)


def in_graph(spec: MelSpec, samples: Floats, *, convolving: bool) -> tuple[Callable[[], Floats], int]:
    """What computes it in ONNX Runtime, and how many bytes the file has."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / "front_end.onnx"
        graph, example = Graph(spec, convolving=convolving), torch.from_numpy(samples[None])
        torch.onnx.export(graph, (example,), path, dynamo=True, verbose=False, external_data=False)
        file = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: np.asarray(session.run(None, {name: samples[None]})[0])[0], len(file)


def milliseconds(call: Callable[[], object]) -> float:
    """Of processor time a call, over CALLS calls."""
    begin = time.thread_time()
    for _ in range(CALLS):
        call()
    return 1000 * (time.thread_time() - begin) / CALLS


def main() -> None:
    """Print each with the median of its ratios to ours."""
    contract = Classifier().contract
    spec = contract.mel_spec
    samples = np.random.default_rng(0).normal(0, 0.1, contract.window_samples).astype(np.float32)

    def ours() -> Floats:
        return log_mel(samples, spec)

    def theirs() -> Floats:
        mel = librosa.feature.melspectrogram(
            y=samples,
            sr=spec.sample_rate,
            n_fft=spec.n_fft,
            hop_length=spec.hop,
            n_mels=spec.n_mels,
            fmin=spec.fmin_hz,
            fmax=spec.fmax_hz,
            center=False,
        )
        logs = np.log10(mel + spec.floor)
        return np.asarray((logs - logs.mean()) / logs.std())[None]

    calls: dict[str, Callable[[], Floats]] = {"ours": ours, "librosa": theirs}
    for name, convolving in (("a graph with a convolution", True), ("a graph with a DFT", False)):
        calls[name], size = in_graph(spec, samples, convolving=convolving)
        print(f"{name}: {size / 1e6:.2f} MB")
    rounds = [{name: milliseconds(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    for name, call in calls.items():
        apart = float(np.abs(call() - ours()[: len(call())]).max())
        ratio = statistics.median(one[name] / one["ours"] for one in rounds)
        ms = statistics.median(one[name] for one in rounds)
        told = f"{ms:.2f} ms, {ratio:.2f} of ours, {apart:.1g} apart"
        print(f"log-mel of a {contract.window_s:g} s window, {name}: {told}")


if __name__ == "__main__":
    main()

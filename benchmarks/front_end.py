"""Log-mel of one window against librosa's, in turn in one process, on one thread."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np

from monitor.classifier import Classifier
from monitor.features import log_mel

ROUNDS, CALLS = 15, 40


def seconds(call: Callable[[], object]) -> float:
    """Seconds a call, over CALLS calls."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS


def main() -> None:
    """Print both and the median of the ratios."""
    contract = Classifier().contract
    spec = contract.mel_spec
    samples = np.random.default_rng(0).normal(0, 0.1, contract.window_samples).astype(np.float32)

    def ours() -> object:
        return log_mel(samples, spec)

    def theirs() -> object:
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
        return (logs - logs.mean()) / logs.std()

    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in pairs)
    mine, other = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"log-mel of a {contract.window_s:g} s window: {mine:.2f} ms, librosa {other:.2f} ms, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()

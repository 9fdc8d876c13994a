"""Recordings -> mel power, each decoded once. Mixing sounds is then adding powers, which costs nothing."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from monitor.errors import RecordingError
from monitor.features import CHANNELS, Floats, MelSpec, mel_power
from monitor.resample import resample
from training.corpus.manifest import Recording

SPEC = MelSpec(
    sample_rate=24_000, n_fft=800, hop=400, n_mels=96, fmin_hz=150.0, fmax_hz=11_000.0, floor=1e-9, channels=CHANNELS
)
"""24 kHz holds every call of the ten species and is half of what recorders write; frames of 33 ms every
17 ms, so that a step of one second is 60 whole frames; the floor is the noise of 16-bit rounding."""

WINDOW_SAMPLES = 2 * SPEC.sample_rate
"""what a network sees at once, unless it is asked for another length: see docs/ablations.md"""


def read_samples(path: Path, sample_rate: int) -> Floats:
    """The first channel of a recording at `sample_rate` Hz, shape (n,). RecordingError if it cannot be decoded."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        msg = f"{path} cannot be decoded: {error.error_string}"
        raise RecordingError(msg) from error
    return resample(np.ascontiguousarray(samples[:, 0]), rate, sample_rate)


def at_least(samples: Floats, length: int) -> Floats:
    """Repeat a recording that is shorter than `length` samples until it is that long."""
    return samples if len(samples) >= length else np.resize(samples, length)


def read_spectra(recordings: Iterable[Recording], spec: MelSpec, window_samples: int) -> dict[Path, Floats]:
    """Path -> mel power (n_mels, n_frames), at least one window long."""

    def one(recording: Recording) -> tuple[Path, Floats]:
        samples = read_samples(recording.path, spec.sample_rate)
        return recording.path, mel_power(at_least(samples, window_samples), spec)

    with ThreadPoolExecutor() as pool:
        return dict(pool.map(one, recordings))

"""What the audio itself says. Each recording is decoded once."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import soundfile

from monitor.errors import RecordingError
from monitor.features import Floats, MelSpec, mel_power
from monitor.resample import resample
from training.drawing.examples import activity
from training.drawing.spectra import at_least
from training.survey import fingerprint
from training.survey.fingerprint import Prints
from training.survey.listing import Entry

LONGEST_S = 600
"""of a longer recording its first ten minutes are looked at, which bounds memory"""
EXCERPT_S = 6
FULL_SCALE = 0.999
"""at or beyond this a sample is clipped; lossy coding moves it a little to either side"""
SILENCE_DBFS = -120.0
"""what digital silence is given as"""


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """The most active seconds of a recording."""

    start_s: float
    power: Floats
    """mel power (n_mels, n_frames)"""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One recording and what its audio says."""

    entry: Entry
    length_s: float
    sample_rate: int
    """Hz of the file"""
    clipped: float
    """share of the samples at full scale"""
    loudest_dbfs: float
    """root mean square of the loudest second, in dB below a full-scale square wave"""
    prints: Prints
    excerpt: Excerpt | None

    @property
    def source_rate(self) -> int:
        """Hz that it was recorded at, as far as anybody knows."""
        return self.entry.sample_rate or self.sample_rate


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A recording that cannot be decoded, and why."""

    entry: Entry
    reason: str


def measure_all(entries: Sequence[Entry], shown: Collection[Entry], spec: MelSpec) -> Iterator[Measured | Unreadable]:
    """Measure recordings on all cores, in their order, with an excerpt of those that are `shown`."""

    def one(entry: Entry) -> Measured | Unreadable:
        try:
            return measure(entry, spec, with_excerpt=entry in shown)
        except RecordingError as error:
            return Unreadable(entry, str(error))

    with ThreadPoolExecutor() as pool:
        yield from pool.map(one, entries)


def measure(entry: Entry, spec: MelSpec, *, with_excerpt: bool) -> Measured:
    """Decode and measure one recording, its first channel. RecordingError: it cannot be decoded or is empty."""
    samples, sample_rate, length_s = _decoded(entry)
    at_spec = resample(samples, sample_rate, spec.sample_rate)
    same_rate = spec.sample_rate == fingerprint.SPEC.sample_rate
    return Measured(
        entry=entry,
        length_s=length_s,
        sample_rate=sample_rate,
        clipped=float((np.abs(samples) >= FULL_SCALE).mean()),
        loudest_dbfs=loudest_dbfs(samples, sample_rate),
        prints=fingerprint.fingerprint(
            at_spec if same_rate else resample(samples, sample_rate, fingerprint.SPEC.sample_rate)
        ),
        excerpt=most_active(at_spec, spec) if with_excerpt else None,
    )


def loudest_dbfs(samples: Floats, sample_rate: int) -> float:
    """Level of the loudest whole second of samples (n,), or of all where there is less."""
    length = min(sample_rate, len(samples))
    seconds = samples[: len(samples) // length * length].reshape(-1, length)
    power = float(np.square(seconds, dtype=np.float64).mean(axis=1).max())
    return max(10 * float(np.log10(power)), SILENCE_DBFS) if power > 0 else SILENCE_DBFS


def most_active(samples: Floats, spec: MelSpec) -> Excerpt:
    """The six seconds of samples (n,) at the front end's rate that stand out most, or all where there are fewer."""
    power = mel_power(at_least(samples, spec.n_fft), spec)
    length = min(spec.n_frames(EXCERPT_S * spec.sample_rate), power.shape[1])
    start = int(np.argmax(activity(power, length)))
    return Excerpt(start * spec.hop / spec.sample_rate, power[:, start : start + length].copy())


def _decoded(entry: Entry) -> tuple[Floats, int, float]:
    """Samples (n,) of the first ten minutes, Hz, and the length of everything in seconds."""
    try:
        with soundfile.SoundFile(entry.path) as sound:
            rate, most = sound.samplerate, LONGEST_S * sound.samplerate
            samples = sound.read(most, dtype="float32", always_2d=True)[:, 0]
            length = sound.frames if len(samples) == most else len(samples)
    except soundfile.LibsndfileError as error:
        msg = f"{entry.file} cannot be decoded: {error.error_string}"
        raise RecordingError(msg) from error
    if not len(samples):
        msg = f"{entry.file} holds no sound: it has no sample"
        raise RecordingError(msg)
    finite = np.nan_to_num(np.ascontiguousarray(samples), nan=0.0, posinf=1.0, neginf=-1.0)
    return finite, rate, length / rate

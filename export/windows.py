"""Real windows: those that set the ranges of the INT8 numbers, and others that the result is judged by.

What the ranges must hold is variety of shape, not of level: a window is standardised, so that the same sound twice as
loud is the same picture. The widest values come from one loud call in quiet, from recordings without high frequencies
and from sounds so soft that the floor of the front end cuts them; the narrowest from steady noise. So calls are drawn
where something stands out, species in turn; noise is drawn as it comes; calls are put under noise; and some are made so
soft that the floor shows.

A fold's recordings never share a session with those of another, so the two kinds of windows come from other folds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.errors import RecordingError
from monitor.features import Floats, MelSpec, picture
from monitor.records import Samples, Taxon
from training.corpus.manifest import Manifest, Recording
from training.drawing.examples import LEAST_CALL_S, activity
from training.drawing.spectra import at_least, read_samples, read_spectra
from training.evaluation.bins import covered_s
from training.evaluation.claims import UNKNOWN, Truths, truth_of
from training.evaluation.scored import Logits, starts_of

CALIBRATION_WINDOWS = 1000
MOST_RECORDINGS = 1000
"""of either kind, held in memory at once: about a megabyte each"""
JUDGED_WINDOWS = 2000
WINDOWS_A_RECORDING = 30
SOUNDS = 10
"""windows that the device's classifier hears as samples"""
KINDS = ("call", "noise", "call", "mixed", "call", "noise", "soft", "mixed")
"""of the windows that calibrate, in turn"""
MIX_LEVEL = (-1.0, 1.0)
"""log10 of the power of the noise to that of the call"""
SOFT_LEVEL = (-6.0, -2.0)
"""log10 of the factor that makes a call soft"""

Spectra = Mapping[Path, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Windows that did not calibrate, with what is in them and what the float network says."""

    pictures: list[Floats]
    """each (n_channels, n_mels, n_frames)"""
    truth: Truths
    """(n, n_labels): 1 where the label is in the window, 0, or UNKNOWN"""
    logits: Floats
    """(n, n_labels) of the float network"""
    sounds: list[Samples]
    """windows as samples, for the device's own path"""


def apart(manifest: Manifest, fold: int | None) -> tuple[list[Recording], list[Recording]]:
    """Recordings to calibrate with, and recordings of one fold to judge by, both with their species in turn.

    The fold is the one that the network left out, or the first one if it has heard all. RecordingError where there is
    no other fold.
    """
    chosen = manifest.folds[0] if fold is None else fold
    manifest.check_fold(chosen)
    others = manifest.without(chosen)
    if not others:
        msg = f"all recordings lie in fold {chosen}: an export needs two folds, to calibrate with one and judge by one"
        raise RecordingError(msg)
    return in_turn(others)[:MOST_RECORDINGS], in_turn(manifest.fold(chosen))[:MOST_RECORDINGS]


def in_turn(recordings: Sequence[Recording]) -> list[Recording]:
    """One recording of each label, negatives being one, then the next of each, until all are there."""
    labels = sorted({r.label or "" for r in recordings})
    rounds = zip_longest(*([r for r in recordings if (r.label or "") == label] for label in labels))
    return [r for r in chain.from_iterable(rounds) if r is not None]


def calibration(
    recordings: Sequence[Recording],
    spectra: Spectra,
    spec: MelSpec,
    n_frames: int,
    rng: np.random.Generator,
    count: int = CALIBRATION_WINDOWS,
) -> list[Floats]:
    """Windows as the network would see them, (n_channels, n_mels, n_frames) each.

    `recordings`: in turn; `spectra`: their mel power, (n_mels, n_frames or more). Where there are no negatives, or no
    calls, the others stand in.
    """
    calls = [r for r in recordings if r.label is not None] or list(recordings)
    noises = [r for r in recordings if r.label is None] or calls
    standing_out, anywhere = _pieces(calls, spectra, n_frames, rng), _pieces(noises, spectra, n_frames, rng, even=True)

    def soft() -> Floats:
        return next(standing_out) * np.float32(10 ** rng.uniform(*SOFT_LEVEL))

    def mixed() -> Floats:
        call, noise = next(standing_out), next(anywhere)
        ratio = call.mean() / max(float(noise.mean()), np.finfo(np.float32).tiny)
        return call + noise * np.float32(ratio * 10 ** rng.uniform(*MIX_LEVEL))

    draw: dict[str, Callable[[], Floats]] = {
        "call": lambda: next(standing_out),
        "noise": lambda: next(anywhere),
        "soft": soft,
        "mixed": mixed,
    }
    return [picture(draw[kind](), spec) for kind in islice(cycle(KINDS), count)]


def _pieces(
    recordings: Sequence[Recording], spectra: Spectra, n_frames: int, rng: np.random.Generator, *, even: bool = False
) -> Iterator[Floats]:
    """Mel power (n_mels, n_frames) without end, a recording after the other; where something stands out, or `even`."""
    for recording in cycle(recordings):
        power = spectra[recording.path]
        weights = np.ones(power.shape[1] - n_frames + 1) if even else activity(power, n_frames)
        start = rng.choice(len(weights), p=weights / weights.sum())
        yield power[:, start : start + n_frames]


def judged(
    recordings: Sequence[Recording], taxa: Mapping[str, Taxon], spec: MelSpec, window_samples: int, logits: Logits
) -> Judged:
    """Windows of recordings, up to JUDGED_WINDOWS, and what is known of them.

    `taxa`: of the network's labels, in the order of its outputs. Boxes say what an annotated window holds; a negative
    holds nothing; of any other recording only the window is known to hold the label in which the float network hears
    it best. RecordingError where one cannot be decoded.
    """
    pictures: list[Floats] = []
    truths: list[Truths] = []
    scores: list[Floats] = []
    sounds: list[Samples] = []
    for recording in recordings:
        if len(pictures) >= JUDGED_WINDOWS:
            break
        power = read_spectra([recording], spec, window_samples)[recording.path]
        starts = _spread(starts_of(power, spec, window_samples))
        n_frames = spec.n_frames(window_samples)
        own = [picture(power[:, start : start + n_frames], spec) for start in starts]
        found = logits(own)
        begins_s = np.array(starts) * (spec.hop / spec.sample_rate)
        pictures += own
        scores.append(found)
        truths.append(_truth(recording, taxa, begins_s, window_samples / spec.sample_rate, found))
        if len(sounds) < SOUNDS:
            sounds.append(at_least(read_samples(recording.path, spec.sample_rate), window_samples)[:window_samples])
    return Judged(pictures, np.concatenate(truths), np.concatenate(scores), sounds)


def _spread(starts: Sequence[int]) -> list[int]:
    """At most WINDOWS_A_RECORDING of them, from the first to the last."""
    if len(starts) <= WINDOWS_A_RECORDING:
        return list(starts)
    return [starts[index] for index in np.linspace(0, len(starts) - 1, WINDOWS_A_RECORDING).astype(int)]


def _truth(
    recording: Recording,
    taxa: Mapping[str, Taxon],
    begins_s: npt.NDArray[np.float64],
    window_s: float,
    logits: Floats,
) -> Truths:
    if recording.boxes is not None:
        return (covered_s(recording.boxes, taxa, begins_s, begins_s + window_s) >= LEAST_CALL_S).astype(np.int8)
    claimed = np.array(truth_of(recording, taxa), np.int8)
    if recording.label is None:
        return np.tile(claimed, (len(logits), 1))
    truth = np.full(logits.shape, UNKNOWN, np.int8)
    truth[logits[:, list(taxa).index(recording.label)].argmax()] = claimed
    return truth

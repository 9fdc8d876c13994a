"""From focal recordings to soundscapes: held-out calls under the noise of a place, as a curve over the level.

Sounds are mixed as mel powers, before the logarithm, as in `training.drawing.examples`. The signal-to-noise ratio is
that of the mean power over the whole band and the whole window: of the call's window, with whatever noise it came
with, to the place's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.features import Floats, MelSpec, picture
from monitor.records import Taxon
from training.corpus.recordings import Recording
from training.drawing.examples import activity
from training.evaluation.scored import Listener

SNR_DB = (20, 15, 10, 5, 0, -5, -10)


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """Logits of one window of each recording, alone and under a place's noise."""

    rows: tuple[int, ...]
    """which of the evaluation's recordings the calls are from"""
    logits: Floats
    """(1 + len(SNR_DB), n_rows, n_labels): alone, then from the highest ratio to the lowest"""


def call_start(recording: Recording, power: Floats, taxon: Taxon, spec: MelSpec, n_frames: int) -> int:
    """First frame of the window of a recording's call: around its longest box, or else where most stands out."""
    last = power.shape[1] - n_frames
    own = [box for box in recording.boxes or () if box.scientific_name == taxon.scientific_name]
    if not own:
        return int(activity(power, n_frames).argmax())
    box = max(own, key=lambda one: one.end_s - one.begin_s)
    centre = (box.begin_s + box.end_s) / 2 * spec.sample_rate / spec.hop
    return int(np.clip(centre - n_frames / 2, 0, last))


def mixed(call: Floats, noise: Floats, snr_db: float) -> Floats:
    """Mel powers (n_mels, n_frames), the noise brought to a level `snr_db` below the call's."""
    loudness = call.mean() / max(float(noise.mean()), 1e-20)
    return call + noise * np.float32(loudness * 10 ** (-snr_db / 10))


def hear_mixed(
    networks: Mapping[int, Listener],
    recordings: Sequence[Recording],
    spectra: Mapping[Path, Floats],
    places: Sequence[Floats],
    taxa: Mapping[str, Taxon],
    rng: np.random.Generator,
) -> Mixed:
    """Score a call of each recording that has a label, with the network of its fold, under noise of `places`.

    `places`: mel power of each, at least a window long and at least one. The piece is drawn once for a call and the
    same at all levels, so that the curve is of the level alone.
    """
    rows = tuple(index for index, recording in enumerate(recordings) if recording.label is not None)
    logits = []
    for row in rows:
        recording = recordings[row]
        listener = networks[recording.fold]
        n_frames = listener.spec.n_frames(listener.window_samples)
        power = spectra[recording.path]
        start = call_start(recording, power, taxa[str(recording.label)], listener.spec, n_frames)
        noise = _piece(places[int(rng.integers(len(places)))], n_frames, rng)
        logits.append(listener.logits(_levels(power[:, start : start + n_frames], noise, listener.spec)))
    return Mixed(rows, np.stack(logits, axis=1) if logits else np.zeros((1 + len(SNR_DB), 0, len(taxa)), np.float32))


def _piece(power: Floats, n_frames: int, rng: np.random.Generator) -> Floats:
    start = int(rng.integers(power.shape[1] - n_frames + 1))
    return power[:, start : start + n_frames]


def _levels(call: Floats, noise: Floats, spec: MelSpec) -> list[Floats]:
    return [picture(power, spec) for power in (call, *(mixed(call, noise, snr_db) for snr_db in SNR_DB))]

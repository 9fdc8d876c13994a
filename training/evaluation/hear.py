"""Networks and recordings -> all that is heard."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from monitor.features import Floats
from training.corpus.recordings import Recording
from training.drawing.spectra import read_spectra
from training.evaluation.heard import PARTS, PLACES, Heard, Playlist
from training.evaluation.mixing import Mixed, hear_mixed
from training.evaluation.scored import Listener, Scored

Progress = Callable[[], None]
"""called after each recording"""


def hear(
    playlist: Playlist,
    networks: Mapping[int, Listener],
    method: str,
    rng: np.random.Generator,
    progress: Progress = lambda: None,
) -> Heard:
    """Score every recording with the network of its fold, and its call, where there are any, under the noise of places.

    `networks`: fold -> network, all with the same front end. `method`: how they were made, for
    people. Raises RecordingError where a recording cannot be read.
    """
    first = next(iter(networks.values()))
    everything = [recording for recordings in playlist.parts.values() for recording in recordings]
    spectra = read_spectra(everything, first.spec, first.window_samples)
    heard = {name: _scored(networks, getattr(playlist, name), spectra, progress) for name in PARTS}
    return Heard(
        taxa=playlist.taxa,
        sample_rate=first.spec.sample_rate,
        window_samples=first.window_samples,
        method=method,
        mixed=_mixed(playlist, networks, spectra, rng),
        **heard,
    )


def _scored(
    networks: Mapping[int, Listener],
    recordings: Sequence[Recording],
    spectra: Mapping[Path, Floats],
    progress: Progress,
) -> tuple[Scored, ...]:
    scored = []
    for recording in recordings:
        scored.append(networks[recording.fold].hear(recording, spectra[recording.path]))
        progress()
    return tuple(scored)


def _mixed(
    playlist: Playlist, networks: Mapping[int, Listener], spectra: Mapping[Path, Floats], rng: np.random.Generator
) -> dict[str, Mixed]:
    if not any(recording.label is not None for recording in playlist.recordings):
        return {}
    places = {name: [spectra[recording.path] for recording in getattr(playlist, name)] for name in PLACES}
    return {
        name: hear_mixed(networks, playlist.recordings, spectra, powers, playlist.taxa, rng)
        for name, powers in places.items()
        if powers
    }

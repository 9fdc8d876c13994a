"""All that windows are drawn from, decoded once: recordings, backgrounds, songs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.features import Floats
from training.corpus.manifest import Manifest
from training.drawing.examples import Examples
from training.drawing.songs import bank
from training.drawing.spectra import SPEC, WINDOW_SAMPLES, read_spectra

SONGS = 600
"""in the bank of a long run; each is drawn many times, moved and stretched"""


@dataclass(frozen=True, slots=True)
class Material:
    """Sounds as mel power (n_mels, n_frames)."""

    manifest: Manifest
    spectra: Mapping[Path, Floats]
    backgrounds: tuple[Floats, ...]
    songs: tuple[Floats, ...]
    window_samples: int

    def examples(self, left_out: int | None, known: tuple[str, ...] = ()) -> Examples:
        """What a network that leaves out this fold learns from.

        `known`: labels of an earlier network that are to stay, whether or not there are recordings of them.
        """
        labels = (*known, *(label for label in self.manifest.labels if label not in known))
        taxa = self.manifest.taxa
        return Examples(
            self.manifest.without(left_out),
            self.spectra,
            {label: taxa[label].scientific_name if label in taxa else label for label in labels},
            SPEC,
            SPEC.n_frames(self.window_samples),
            backgrounds=self.backgrounds,
            songs=self.songs,
        )


def read_material(
    manifest: Manifest, n_songs: int = SONGS, seed: int = 1, window_samples: int = WINDOW_SAMPLES
) -> Material:
    """Decode a manifest's recordings and make up the songs. RecordingError where one cannot be decoded."""
    return Material(
        manifest,
        read_spectra(manifest.recordings, SPEC, window_samples),
        tuple(read_spectra(manifest.backgrounds, SPEC, window_samples).values()),
        bank(n_songs, SPEC, SPEC.n_frames(window_samples), np.random.default_rng(seed)),
        window_samples,
    )

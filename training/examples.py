"""Mel power -> training windows: where the calls are, mixed with noise and with each other, masked.

Everything random comes from the generator that is passed in. Sounds are mixed as powers, before the
logarithm, as they mix in the air.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, MelSpec, compress
from training.manifest import Recording

MASKED = -1.0
"""A target that the loss leaves out: nobody knows."""
LEAST_CALL_S = 0.1
"""of a window, by boxes: less is not worth naming"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How windows are drawn. Shares are probabilities; levels are log10 of a power ratio."""

    negative_share: float = 0.15
    synthetic_share: float = 0.2
    """of the negatives: coloured noise and silence, which no recorder lacks"""
    silent_share: float = 0.1
    """of the synthetic ones"""
    mix_share: float = 0.6
    species_mix_share: float = 0.3
    """of the mixed windows: with another species instead of a negative"""
    mix_level: tuple[float, float] = (-2.0, 0.3)
    tilt: float = 0.6
    """standard deviation of each knot of the random equaliser"""
    equalised_share: float = 0.7
    lowpass_share: float = 0.15
    frequency_mask: int = 12
    """mel bands at most"""
    time_mask: int = 30
    """frames at most"""


DEFAULT = Recipe()


class Examples:
    """Draws batches from recordings whose mel power is given."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        spectra: Mapping[Path, Floats],
        names: Mapping[str, str],
        spec: MelSpec,
        n_frames: int,
        recipe: Recipe = DEFAULT,
    ) -> None:
        """`names`: label -> scientific name, as annotators write it, in the order of the network's outputs."""
        self.spectra, self.names, self.spec, self.n_frames, self.recipe = spectra, names, spec, n_frames, recipe
        self.labels = tuple(names)
        self._by_label = {label: [r for r in recordings if r.label == label] for label in (*names, None)}
        unboxed = [r for r in recordings if r.label is not None]
        self._starts = {r.path: np.cumsum(activity(spectra[r.path], n_frames)) for r in unboxed}

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Inputs (size, 1, n_mels, n_frames) and targets (size, n_labels): 1, 0 or MASKED."""
        powers, targets = zip(*(self._window(rng) for _ in range(size)), strict=True)
        inputs = compress(np.stack(powers), self.spec)
        for one in inputs:
            self._mask(one, rng)
        return inputs[:, None], np.stack(targets)

    def _window(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        if rng.random() < self.recipe.negative_share:
            power, target = self._negative(rng), np.zeros(len(self.labels), np.float32)
        else:
            power, target = self._positive(rng)
        if rng.random() < self.recipe.mix_share:
            power, target = self._mixed(power, target, rng)
        return self._recoloured(power, rng), target

    def _mixed(self, power: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        if rng.random() < self.recipe.species_mix_share:
            other, other_target = self._positive(rng)
            level = rng.uniform(-0.7, 0.7)
            most, least = np.maximum(target, other_target), np.minimum(target, other_target)
            target = np.where(most == 1, most, least)
        else:
            other, level = self._negative(rng), rng.uniform(*self.recipe.mix_level)
        loudness = power.mean() / max(float(other.mean()), 1e-20)
        return power + other * np.float32(loudness * 10**level), target

    def _positive(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        label = self.labels[rng.integers(len(self.labels))]
        choices = self._by_label[label]
        recording = choices[rng.integers(len(choices))]
        power = self.spectra[recording.path]
        start = self._start(recording, power, rng)
        return power[:, start : start + self.n_frames], self._target(recording, start)

    def _start(self, recording: Recording, power: Floats, rng: np.random.Generator) -> int:
        """First frame of a window, drawn where the species is boxed or else where something stands out."""
        last = power.shape[1] - self.n_frames
        name = self.names[str(recording.label)]
        own = [box for box in recording.boxes or () if box.scientific_name == name]
        if own:
            box = own[rng.integers(len(own))]
            centre = rng.uniform(box.begin_s, box.end_s) * self.spec.sample_rate / self.spec.hop
            return int(np.clip(centre - rng.uniform(0.05, 0.95) * self.n_frames, 0, last))
        weights = self._starts[recording.path]
        return int(np.searchsorted(weights, rng.uniform(0, weights[-1])))

    def _target(self, recording: Recording, start: int) -> Floats:
        """Boxes say which species a window holds; without them the recording's label has to do."""
        target = np.zeros(len(self.labels), np.float32)
        if recording.boxes is None:
            target[self.labels.index(str(recording.label))] = 1
            return target
        begin_s = start * self.spec.hop / self.spec.sample_rate
        end_s = begin_s + self.n_frames * self.spec.hop / self.spec.sample_rate
        for index, label in enumerate(self.labels):
            boxes = [box for box in recording.boxes if box.scientific_name == self.names[label]]
            covered = [min(end_s, box.end_s) - max(begin_s, box.begin_s) for box in boxes]
            if any(seconds >= LEAST_CALL_S for seconds in covered):
                target[index] = 1
            elif label == recording.label:
                target[index] = MASKED
        return target

    def _negative(self, rng: np.random.Generator) -> Floats:
        if rng.random() < self.recipe.synthetic_share:
            return self._noise(rng)
        choices = self._by_label[None]
        power = self.spectra[choices[rng.integers(len(choices))].path]
        start = rng.integers(power.shape[1] - self.n_frames + 1)
        return power[:, start : start + self.n_frames]

    def _noise(self, rng: np.random.Generator) -> Floats:
        """Stationary coloured noise, or now and then silence."""
        shape = (self.spec.n_mels, self.n_frames)
        if rng.random() < self.recipe.silent_share:
            return np.zeros(shape, np.float32)
        slope = np.linspace(0, rng.uniform(-4, 1), self.spec.n_mels)[:, None]
        level = rng.uniform(-5, 0)
        grain = rng.gamma(rng.uniform(1.0, 4.0), size=shape)
        return (grain * 10 ** (slope + level)).astype(np.float32)

    def _recoloured(self, power: Floats, rng: np.random.Generator) -> Floats:
        """Another microphone: a smooth random equaliser, now and then a low-pass."""
        gain = np.zeros(self.spec.n_mels)
        if rng.random() < self.recipe.equalised_share:
            knots = rng.normal(0, self.recipe.tilt, 5)
            gain += np.interp(np.linspace(0, 4, self.spec.n_mels), np.arange(5), knots)
        if rng.random() < self.recipe.lowpass_share:
            cut = rng.integers(int(0.7 * self.spec.n_mels), self.spec.n_mels)
            gain[cut:] -= rng.uniform(0.1, 0.4) * np.arange(1, self.spec.n_mels - cut + 1)
        return power * (10**gain).astype(np.float32)[:, None]

    def _mask(self, window: Floats, rng: np.random.Generator) -> None:
        """SpecAugment (Park et al. 2019): one frequency and one time mask, filled with the mean, 0."""
        height = rng.integers(self.recipe.frequency_mask + 1)
        low = rng.integers(self.spec.n_mels - height + 1)
        window[low : low + height] = 0
        width = rng.integers(self.recipe.time_mask + 1)
        first = rng.integers(self.n_frames - width + 1)
        window[:, first : first + width] = 0


def activity(power: Floats, n_frames: int) -> npt.NDArray[np.float64]:
    """How much stands out of each window's background: shape (frames - n_frames + 1,), above 0.

    A cell is active where it exceeds three times the median of its own band over the recording; a
    window's activity is the sum of log10 of those ratios.
    """
    median = np.median(power, axis=1, keepdims=True) + 1e-12
    ratio = power / (3 * median)
    loud = np.log10(np.maximum(ratio, 1.0)).sum(axis=0, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(loud)])
    sums = total[n_frames:] - total[:-n_frames]
    return np.square(np.maximum(sums, 0)) + 1e-6

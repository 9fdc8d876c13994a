"""Mel power -> training windows: where the calls are, warped, mixed with noise and with each other, masked.

Everything random comes from the generator that is passed in. Sounds are mixed as powers, before the
logarithm, as they mix in the air.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
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
LEAST_BELIEF = 0.05
"""keeps a window that the network does not believe in from never being drawn again"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How windows are drawn. Shares are probabilities; levels are log10 of a power ratio."""

    balance: float = 0.5
    """species are drawn by their number of recordings to this power: 0 evenly, 1 as they come"""
    negative_share: float = 0.15
    synthetic_share: float = 0.2
    """of the negatives: coloured noise and silence, which no recorder lacks"""
    silent_share: float = 0.1
    """of the synthetic ones"""
    stranger_share: float = 0.08
    """calls that no species of ours makes: backwards, far up or down, faster or slower"""
    stranger_shift: tuple[int, int] = (10, 30)
    """mel bands, up or down"""
    stranger_stretch: float = 0.8
    """octaves of speed at most"""
    shift: int = 2
    """mel bands at most that a call is moved up or down and keeps its name"""
    stretch: float = 0.1
    """share of a window at most that a call is drawn out or hurried and keeps its name"""
    mix_share: float = 0.6
    species_mix_share: float = 0.3
    """of the mixed windows: with another species instead of noise"""
    mix_level: tuple[float, float] = (-2.0, 0.3)
    background_share: float = 0.25
    """of the windows mixed with noise: with a field recording in which anything may sing"""
    background_level: tuple[float, float] = (-2.0, 0.0)
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
        backgrounds: Sequence[Floats] = (),
    ) -> None:
        """`names`: label -> scientific name, as annotators write it, in the order of the network's outputs.

        `backgrounds`: mel power of unlabelled field recordings, for mixing only.
        """
        self.spectra, self.names, self.spec, self.n_frames, self.recipe = spectra, names, spec, n_frames, recipe
        self.labels = tuple(names)
        self._by_label = {label: [r for r in recordings if r.label == label] for label in (*names, None)}
        self.backgrounds = backgrounds
        counts = np.array([len(self._by_label[label]) for label in self.labels]) ** recipe.balance
        self._shares = counts / counts.sum()
        birds = [r for r in recordings if r.label is not None]
        self.starts_by_path = {r.path: np.cumsum(activity(spectra[r.path], n_frames)) for r in birds}

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Inputs (size, 1, n_mels, n_frames) and targets (size, n_labels): 1, 0 or MASKED."""
        powers, targets = zip(*(self._window(rng) for _ in range(size)), strict=True)
        inputs = compress(np.stack(powers), self.spec)
        for one in inputs:
            self._mask(one, rng)
        return inputs[:, None], np.stack(targets)

    def believing(self, scores: Callable[[Sequence[Floats]], Floats]) -> "Examples":
        """The same examples, drawn where `scores` (windows -> (n, n_labels) in [0, 1]) hears a recording's label.

        Activity alone takes a passing car for the bird; the network's own belief, once it has one, does not.
        Recordings with boxes stay as they are.
        """
        believing = copy(self)
        believing.starts_by_path = dict(self.starts_by_path)
        stride = max(1, self.n_frames // 3)
        for index, label in enumerate(self.labels):
            for recording in (r for r in self._by_label[label] if r.boxes is None):
                power = self.spectra[recording.path]
                last = power.shape[1] - self.n_frames
                starts = np.unique([*range(0, last, stride), last])
                windows = [compress(power[:, start : start + self.n_frames], self.spec) for start in starts]
                belief = np.interp(np.arange(last + 1), starts, scores(windows)[:, index])
                weights = activity(power, self.n_frames) * np.square(LEAST_BELIEF + belief)
                believing.starts_by_path[recording.path] = np.cumsum(weights)
        return believing

    def _window(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        kind = rng.random() - self.recipe.negative_share
        if kind < 0:
            power, target = self._negative(rng), np.zeros(len(self.labels), np.float32)
        elif kind < self.recipe.stranger_share:
            power, target = self._stranger(rng), np.zeros(len(self.labels), np.float32)
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
        elif self.backgrounds and rng.random() < self.recipe.background_share:
            other = self._anywhere(self.backgrounds[int(rng.integers(len(self.backgrounds)))], rng)
            level = rng.uniform(*self.recipe.background_level)
        else:
            other, level = self._negative(rng), rng.uniform(*self.recipe.mix_level)
        loudness = power.mean() / max(float(other.mean()), 1e-20)
        return power + other * np.float32(loudness * 10**level), target

    def _positive(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        recipe = self.recipe
        recording, start, power = self._call(1 + rng.uniform(-recipe.stretch, recipe.stretch), rng)
        shift = int(rng.integers(-recipe.shift, recipe.shift + 1))
        return warped(power, self.n_frames, shift), self._target(recording, start, power.shape[1])

    def _stranger(self, rng: np.random.Generator) -> Floats:
        recipe = self.recipe
        _, _, power = self._call(2 ** rng.uniform(-recipe.stranger_stretch, recipe.stranger_stretch), rng)
        shift = int(rng.integers(*recipe.stranger_shift) * rng.choice([-1, 1]))
        return warped(power[:, ::-1], self.n_frames, shift)

    def _call(self, stretch: float, rng: np.random.Generator) -> tuple[Recording, int, Floats]:
        """A recording, and the first frame and mel power of a piece of it `stretch` windows long, if it has that."""
        choices = self._by_label[self.labels[rng.choice(len(self.labels), p=self._shares)]]
        recording = choices[rng.integers(len(choices))]
        power = self.spectra[recording.path]
        length = min(power.shape[1], round(self.n_frames * stretch))
        start = min(self._start(recording, power, rng), power.shape[1] - length)
        return recording, start, power[:, start : start + length]

    def _start(self, recording: Recording, power: Floats, rng: np.random.Generator) -> int:
        """First frame of a window, drawn where the species is boxed or else where something stands out."""
        last = power.shape[1] - self.n_frames
        name = self.names[str(recording.label)]
        own = [box for box in recording.boxes or () if box.scientific_name == name]
        if own:
            box = own[rng.integers(len(own))]
            centre = rng.uniform(box.begin_s, box.end_s) * self.spec.sample_rate / self.spec.hop
            return int(np.clip(centre - rng.uniform(0.05, 0.95) * self.n_frames, 0, last))
        weights = self.starts_by_path[recording.path]
        return int(np.searchsorted(weights, rng.uniform(0, weights[-1])))

    def _target(self, recording: Recording, start: int, length: int) -> Floats:
        """Boxes say which species a window holds; without them the recording's label has to do."""
        target = np.zeros(len(self.labels), np.float32)
        if recording.boxes is None:
            target[self.labels.index(str(recording.label))] = 1
            return target
        begin_s = start * self.spec.hop / self.spec.sample_rate
        end_s = begin_s + length * self.spec.hop / self.spec.sample_rate
        for index, label in enumerate(self.labels):
            boxes = [box for box in recording.boxes if box.scientific_name == self.names[label]]
            covered = [min(end_s, box.end_s) - max(begin_s, box.begin_s) for box in boxes]
            if any(seconds >= LEAST_CALL_S for seconds in covered):
                target[index] = 1
            elif label == recording.label:
                target[index] = MASKED
        return target

    def _negative(self, rng: np.random.Generator) -> Floats:
        choices = self._by_label[None]
        if not choices or rng.random() < self.recipe.synthetic_share:
            return self._noise(rng)
        return self._anywhere(self.spectra[choices[rng.integers(len(choices))].path], rng)

    def _anywhere(self, power: Floats, rng: np.random.Generator) -> Floats:
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


def warped(power: Floats, n_frames: int, shift: int) -> Floats:
    """Mel power (n_mels, any) as `n_frames` frames, moved up by `shift` mel bands; the edge band fills what opens."""
    frames = np.arange(n_frames) * power.shape[1] // n_frames
    bands = np.clip(np.arange(len(power)) - shift, 0, len(power) - 1)
    return power[bands[:, None], frames]


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

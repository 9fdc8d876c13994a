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

from monitor.features import Floats, MelSpec, picture
from training.corpus.manifest import Recording
from training.drawing import augment

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
    negative_warp: float = 0.3
    """share of the negatives that are moved, hurried and turned into sounds that nobody recorded"""
    synthetic_share: float = 0.35
    """of the negatives: noise that no recorder lacks, and silence"""
    silent_share: float = 0.1
    """of the synthetic ones"""
    profile_share: float = 0.5
    """of the synthetic ones: with the spectrum of a recording's quiet, so that its noise names no species"""
    song_share: float = 0.15
    """songs that no animal sings"""
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
    echo_share: float = 0.25
    """of the calls: with the echo of a wood, a rock face or a street"""
    echo_level: float = 1.0
    """power at most, of the echo's to the call's"""
    echo_decay_s: tuple[float, float] = (0.2, 1.5)
    """until the echo is 60 dB softer"""
    gated_share: float = 0.2
    """of the calls: with the noise of their recording taken away, so that it is no mark of a real one"""
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

SONG_SHIFT = 12
"""mel bands at most that a song of the bank is moved up or down"""
NEGATIVE_SHIFT = (-20, 31)
"""mel bands that a negative is moved: mostly up, where there is room"""
QUIET = 0.3
"""quantile over a recording's frames that passes for its quiet"""


class Examples:
    """Draws batches from recordings whose mel power is given."""

    def __init__(  # noqa: PLR0913 all that sounds
        self,
        recordings: Sequence[Recording],
        spectra: Mapping[Path, Floats],
        names: Mapping[str, str],
        spec: MelSpec,
        n_frames: int,
        recipe: Recipe = DEFAULT,
        *,
        backgrounds: Sequence[Floats] = (),
        songs: Sequence[Floats] = (),
    ) -> None:
        """`names`: label -> scientific name, as annotators write it, in the order of the network's outputs.

        `backgrounds`: mel power of unlabelled field recordings, for mixing only. `songs`: of songs that no animal
        sings; without any, strangers take their share.
        """
        self.spectra, self.names, self.spec, self.n_frames, self.recipe = spectra, names, spec, n_frames, recipe
        self.labels = tuple(names)
        self._by_label = {label: [r for r in recordings if r.label == label] for label in (*names, None)}
        self.unheard = tuple(label for label in names if not self._by_label[label])
        """labels without recordings: a network that knows them keeps them as they are"""
        self._unheard = [self.labels.index(label) for label in self.unheard]
        self.backgrounds, self.songs = backgrounds, songs
        counts = np.array([len(self._by_label[label]) for label in self.labels]) ** recipe.balance
        counts[self._unheard] = 0
        self._shares = counts / counts.sum()
        birds = [r for r in recordings if r.label is not None]
        self.starts_by_path = {r.path: np.cumsum(activity(spectra[r.path], n_frames)) for r in birds}
        self._quiet = {r.path: np.quantile(spectra[r.path], QUIET, axis=1).astype(np.float32)[:, None] for r in birds}
        self._profiles = list(self._quiet.values())
        self._white = augment.white(spec, np.random.default_rng(0))

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Inputs (size, n_channels, n_mels, n_frames) and targets (size, n_labels): 1, 0 or MASKED."""
        powers, targets = zip(*(self._window(rng) for _ in range(size)), strict=True)
        inputs = picture(np.stack(powers), self.spec)
        for one in inputs:
            augment.masked(one, self.recipe.frequency_mask, self.recipe.time_mask, rng)
        return inputs, np.stack(targets)

    def believing(self, scores: Callable[[Sequence[Floats]], Floats]) -> "Examples":
        """The same examples, drawn where `scores` (windows -> (n, n_labels) in [0, 1]) hears a recording's label.

        Activity alone takes a passing car for the bird; the network's own belief, once it has one, does not.
        Recordings with boxes stay as they are.
        """
        starts_by_path = dict(self.starts_by_path)
        stride = max(1, self.n_frames // 3)
        for index, label in enumerate(self.labels):
            for recording in (r for r in self._by_label[label] if r.boxes is None):
                power = self.spectra[recording.path]
                last = power.shape[1] - self.n_frames
                starts = np.unique([*range(0, last, stride), last])
                windows = [picture(power[:, start : start + self.n_frames], self.spec) for start in starts]
                belief = np.interp(np.arange(last + 1), starts, scores(windows)[:, index])
                weights = activity(power, self.n_frames) * np.square(LEAST_BELIEF + belief)
                starts_by_path[recording.path] = np.cumsum(weights)
        return self.drawn_at(starts_by_path)

    def drawn_at(self, starts_by_path: Mapping[Path, npt.NDArray[np.float64]]) -> "Examples":
        """The same examples, with other weights (cumulative, one a first frame) of where windows are drawn."""
        again = copy(self)
        again.starts_by_path = dict(starts_by_path)
        return again

    def _window(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        recipe, nothing = self.recipe, self._nothing()
        songs = recipe.negative_share + recipe.song_share
        kind = rng.random()
        if kind < recipe.negative_share:
            power, target = self._negative(rng), nothing
        elif kind < songs and self.songs:
            power, target = self._song(rng), nothing
        elif kind < songs + recipe.stranger_share:
            power, target = self._stranger(rng), nothing
        else:
            power, target = self._positive(rng)
        if rng.random() < recipe.mix_share:
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
        if rng.random() < recipe.gated_share:
            power = augment.gated(power, self._quiet[recording.path])
        shift = int(rng.integers(-recipe.shift, recipe.shift + 1))
        return augment.warped(power, self.n_frames, shift), self._target(recording, start, power.shape[1])

    def _stranger(self, rng: np.random.Generator) -> Floats:
        recipe = self.recipe
        _, _, power = self._call(2 ** rng.uniform(-recipe.stranger_stretch, recipe.stranger_stretch), rng)
        shift = int(rng.integers(*recipe.stranger_shift) * rng.choice([-1, 1]))
        return augment.warped(power[:, ::-1], self.n_frames, shift)

    def _echoing(self, power: Floats, rng: np.random.Generator) -> Floats:
        """Farther away, or among walls: what was a call is a call and its echo."""
        if rng.random() >= self.recipe.echo_share:
            return power
        level = np.float32(rng.uniform(0, self.recipe.echo_level))
        return power + level * augment.echo(power, rng.uniform(*self.recipe.echo_decay_s), self.spec)

    def _song(self, rng: np.random.Generator) -> Floats:
        power = self.songs[int(rng.integers(len(self.songs)))]
        length = min(power.shape[1], round(self.n_frames * 2 ** rng.uniform(-0.5, 0.35)))
        start = rng.integers(power.shape[1] - length + 1)
        shift = int(rng.integers(-SONG_SHIFT, SONG_SHIFT + 1))
        return augment.warped(power[:, start : start + length], self.n_frames, shift)

    def _call(self, stretch: float, rng: np.random.Generator) -> tuple[Recording, int, Floats]:
        """A recording, and the first frame and mel power of a piece of it `stretch` windows long, if it has that."""
        choices = self._by_label[self.labels[rng.choice(len(self.labels), p=self._shares)]]
        recording = choices[rng.integers(len(choices))]
        power = self.spectra[recording.path]
        length = min(power.shape[1], round(self.n_frames * stretch))
        start = min(self._start(recording, power, rng), power.shape[1] - length)
        return recording, start, self._echoing(power[:, start : start + length], rng)

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
        """Boxes say which species a window holds; without them the recording's label has to do.

        Nobody knows of those said to sound in the background.
        """
        target = self._nothing()
        target[[self.labels.index(label) for label in recording.also if label in self.names]] = MASKED
        own = self.labels.index(str(recording.label))
        if recording.boxes is None:
            target[own] = 1
            return target
        begin_s = start * self.spec.hop / self.spec.sample_rate
        end_s = begin_s + length * self.spec.hop / self.spec.sample_rate
        target[own] = MASKED
        for index, name in enumerate(self.names.values()):
            boxes = [box for box in recording.boxes if box.scientific_name == name]
            covered = [min(end_s, box.end_s) - max(begin_s, box.begin_s) for box in boxes]
            if any(seconds >= LEAST_CALL_S for seconds in covered):
                target[index] = 1
        return target

    def _nothing(self) -> Floats:
        """The target of a window without any label, (n_labels,): a label without recordings is left as it was."""
        target = np.zeros(len(self.labels), np.float32)
        target[self._unheard] = MASKED
        return target

    def _negative(self, rng: np.random.Generator) -> Floats:
        choices = self._by_label[None]
        if not choices or rng.random() < self.recipe.synthetic_share:
            return self._noise(rng)
        power = self._anywhere(self.spectra[choices[rng.integers(len(choices))].path], rng)
        if rng.random() < self.recipe.negative_warp:
            length = round(self.n_frames * 2 ** rng.uniform(-0.8, 0))
            power = power[:, :length] if rng.random() < 1 / 2 else power[:, length - 1 :: -1]
            power = augment.warped(power, self.n_frames, int(rng.integers(*NEGATIVE_SHIFT)))
        return power

    def _anywhere(self, power: Floats, rng: np.random.Generator) -> Floats:
        start = rng.integers(power.shape[1] - self.n_frames + 1)
        return power[:, start : start + self.n_frames]

    def _noise(self, rng: np.random.Generator) -> Floats:
        """Noise of some colour or of the quiet in a recording, or now and then silence."""
        if rng.random() < self.recipe.silent_share:
            return np.zeros((self.spec.n_mels, self.n_frames), np.float32)
        if rng.random() < self.recipe.profile_share:
            quiet = self._profiles[rng.integers(len(self._profiles))]
            return self._anywhere(self._white, rng) * quiet * augment.gusty(self.n_frames, rng)
        slope = np.linspace(0, rng.uniform(-4, 1), self.spec.n_mels)[:, None]
        grain = rng.gamma(rng.uniform(1.0, 4.0), size=(self.spec.n_mels, self.n_frames))
        return (grain * 10 ** (slope + rng.uniform(-5, 0))).astype(np.float32)

    def _recoloured(self, power: Floats, rng: np.random.Generator) -> Floats:
        """Another microphone."""
        if rng.random() < self.recipe.equalised_share:
            power = power * augment.tinted(self.spec.n_mels, self.recipe.tilt, rng)
        if rng.random() < self.recipe.lowpass_share:
            power = power * augment.muffled(self.spec.n_mels, rng)
        return power


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

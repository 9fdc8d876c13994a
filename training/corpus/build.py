"""Sources in any layout -> a manifest: READ FIRST `build`, which takes the steps in their order.

Where the calls are is not looked for here: `training.drawing.examples.activity` does it when the network learns.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.errors import ConfigError, RecordingError
from training.corpus.labelling import boxed, masked
from training.corpus.layouts.files import audio_files
from training.corpus.layouts.folders import read_negatives
from training.corpus.layouts.found import Found, Skipped
from training.corpus.layouts.sources import Layout, read_source, united
from training.corpus.manifest import Manifest, Recording
from training.corpus.selection import Heard, backgrounds_of, heard_of, labels_of, once
from training.corpus.soundcheck import check_all
from training.corpus.split import sessions, split


@dataclass(frozen=True, slots=True)
class Order:
    """What to build from."""

    sources: tuple[str, ...]
    spool: Path
    """folder for audio that does not lie in files yet"""
    layout: Layout = Layout.AUTO
    negatives: Path | None = None
    background: Path | None = None
    boxes: Path | None = None
    folds: int = 4
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Built:
    """A manifest, what was left out of it, and sentences that should be read."""

    manifest: Manifest
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def build(order: Order, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Built:
    """Read the sources, decode every recording once, group recordings into sessions and sessions into folds.

    `progress` gets how many files are checked, and of how many. RecordingError or ConfigError where nothing is left,
    a classifier could not be trained on it, or a source, a table or an order makes no sense.
    """
    found = _gathered(order)
    paths = [candidate.path for candidate in found.candidates]
    checked = check_all((*paths, *found.backgrounds), progress)
    heard, skipped = heard_of(found.candidates, checked)
    heard, copies = once(heard)
    skipped = [*found.skipped, *skipped, *copies]
    labels = labels_of(heard, skipped)
    taxa = {label: found.taxa[label] for label in labels}
    heard, notes = boxed(masked(heard, taxa), taxa, order.boxes)
    numbers = sessions([_keys(one) for one in heard])
    folds, count = _folds(heard, numbers, order)
    recordings = _recordings(heard, _session_names(heard, numbers), folds)
    backgrounds, left_out = backgrounds_of(found.backgrounds, checked, {one.sha256 for one in heard})
    manifest = Manifest(recordings, backgrounds, taxa)
    return Built(manifest, (*skipped, *left_out), (*found.notes, *notes, *_thin(manifest, count)))


def _gathered(order: Order) -> Found:
    founds = [read_source(source, order.layout, order.spool) for source in order.sources]
    if order.negatives is not None:
        founds.append(read_negatives(order.negatives))
    if order.background is not None:
        paths, skipped = audio_files(order.background)
        if not paths:
            msg = f"{order.background} holds no audio"
            raise RecordingError(msg)
        founds.append(Found((), backgrounds=tuple(paths), skipped=tuple(skipped)))
    return united(founds)


def _keys(one: Heard) -> tuple[str, ...]:
    return (*one.candidate.keys, f"content {one.sha256}", f"file {one.candidate.path.resolve()}")


def _folds(heard: Sequence[Heard], numbers: Sequence[int], order: Order) -> tuple[list[int], int]:
    """The fold of each recording, and how many there are. Folds that a source states are kept."""
    sizes: list[Counter[str | None]] = [Counter() for _ in range(max(numbers) + 1)]
    kept: dict[int, int] = {}
    for one, number in zip(heard, numbers, strict=True):
        sizes[number][one.candidate.label] += 1
        fold = one.candidate.fold
        if fold is not None and kept.setdefault(number, fold) != fold:
            msg = f"{one.candidate.path} is kept in fold {fold}, but others of its session lie in fold {kept[number]}"
            raise RecordingError(msg)
    count = max(kept.values()) + 1 if kept else order.folds
    if len(sizes) < count and not kept:
        msg = f"{len(heard)} recordings of {len(sizes)} sessions cannot fill {count} folds: fewer --folds are expected"
        raise ConfigError(msg)
    folds = split(sizes, count, np.random.default_rng(order.seed), kept)
    return [folds[number] for number in numbers], count


def _session_names(heard: Sequence[Heard], numbers: Sequence[int]) -> list[str]:
    """A session is called by the first key or else the source of its first recording; no two have one name."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for one, number in zip(heard, numbers, strict=True):
        if number not in names:
            name = next(iter(one.candidate.keys), one.candidate.source)
            numbered = (f"{name} ({count})" for count in itertools.count(2))
            names[number] = next(free for free in itertools.chain([name], numbered) if free not in taken)
            taken.add(names[number])
    return [names[number] for number in numbers]


def _recordings(heard: Sequence[Heard], names: Sequence[str], folds: Sequence[int]) -> tuple[Recording, ...]:
    return tuple(
        Recording(c.path, c.label, name, fold, c.source, c.boxes, c.also, c.recordist, c.licence, one.sha256)
        for one, name, fold in zip(heard, names, folds, strict=True)
        for c in (one.candidate,)
    )


def _thin(manifest: Manifest, count: int) -> list[str]:
    """Labels that some network would never hear, or could not be tested on."""
    notes = []
    for label in manifest.labels:
        own = [r for r in manifest.recordings if r.label == label]
        visits, folds = {r.session for r in own}, {r.fold for r in own}
        if len(visits) < count:
            notes.append(f"{label} has {len(visits)} sessions for {count} folds: some fold has none of it to test with")
        elif len(folds) < count:
            notes.append(f"{label} is missing from {count - len(folds)} of {count} folds: it shares its sessions")
    return notes

"""How well `dawnchorus find` retrieves a species that the model does not know, from ten examples; and how fast.

    python benchmarks/find.py             # precision, on the recordings that DAWNCHORUS_DATA names
    python benchmarks/find.py --speed     # milliseconds and megabytes of a million windows

Searched: the other birds and the negatives. For each species with four recordings or more, half of them, drawn twenty
times, give ten windows as `find` takes them from clips; no recording is both example and target. A window counts as
right where its recording is of the species: these labels are weak, and a window of silence in it counts as right too,
in what is found as in chance.
"""

import argparse
import csv
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.classifier import Classifier
from monitor.features import Floats
from monitor.sources.recordings import Reading
from monitor.unknown import likeness as finding
from monitor.unknown.collection import Collection, Integers, Origin, Windows
from monitor.unknown.gathering import from_recordings, network_of
from monitor.unknown.likeness import Space

DATA = Path(os.environ.get("DAWNCHORUS_DATA") or Path(__file__).parents[2] / "shared" / "data")
LEAST_RECORDINGS, DRAWS, EXAMPLES, LOOKED_AT = 4, 20, 10, 10
Figures = npt.NDArray[np.float64]
Search = Callable[[Collection, Floats], Floats]


@dataclass(frozen=True, slots=True)
class Trial:
    """A species, its examples, and where they are looked for."""

    species: str
    examples: Floats
    searched: Collection
    targets: frozenset[int]
    """origins that hold it"""


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--windows", type=int, default=1_000_000)
    parsed = parser.parse_args()
    if parsed.speed:
        _speed(parsed.windows)
        return
    classifier = Classifier()
    folders = [DATA / "other_birds", DATA / "negatives"]
    collection = from_recordings(folders, classifier, Reading(), remember=False).collection
    trials = list(_trials(collection))
    print(f"{len(collection)} windows of {len(collection.origins)} recordings, {len(trials)} trials")
    print("| way | precision at 10, windows | precision at 10, recordings | at as many as there are | first right |")
    print("|---|---|---|---|---|")
    by_species: dict[str, Figures] = {}
    for name, search in _ways().items():
        figures = np.array([_figures(trial, search) for trial in trials])
        by_species = {t.species: figures[[o.species == t.species for o in trials]].mean(0) for t in trials}
        row = np.mean(list(by_species.values()), 0)[:4]
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in row)} |", flush=True)
    print("| chance; the most there can be | " + _bounds(trials))
    print("\n| species | recordings | precision at 10, windows | at 10, recordings | at as many | first | chance |")
    print("|---|---|---|---|---|---|---|")
    for one, values in by_species.items():
        count = len(_recordings(collection)[one])
        print(f"| {one} | {count} | {' | '.join(f'{value:.3f}' for value in values)} |")


def _ways() -> dict[str, Search]:
    """What was tried; the last is what `find` does, which makes the same space anew for each question."""
    made: dict[int, Space] = {}

    def cosine(space: Callable[[Collection], Space], *, nearest: bool = False, smooth: bool = False) -> Search:
        def search(searched: Collection, examples: Floats) -> Floats:
            there = space(searched)
            alike = there.placed(searched.windows.vectors) @ there.placed(examples).T
            found = alike.max(1) if nearest else alike.mean(1)
            return finding.smoothed(found, searched) if smooth else found

        return search

    def plain(searched: Collection) -> Space:
        return Space(np.zeros(searched.windows.vectors.shape[1], np.float32), None)

    def centred(searched: Collection) -> Space:
        return Space(searched.windows.vectors.astype(np.float32).mean(0), None)

    def white(searched: Collection) -> Space:
        if id(searched) not in made:  # it lives as long as its trial
            made[id(searched)] = Space.of(searched.windows.vectors, np.random.default_rng(0))
        return made[id(searched)]

    return {
        "vectors as they are, nearest example": cosine(plain, nearest=True),
        "vectors as they are, mean of examples": cosine(plain),
        "centred, nearest": cosine(centred, nearest=True),
        "centred, mean": cosine(centred),
        "whitened, 128 directions, nearest": cosine(white, nearest=True),
        "whitened, 128 directions, mean": cosine(white),
        "whitened, 128 directions, nearest, smoothed": cosine(white, nearest=True, smooth=True),
        "**whitened, 128 directions, mean, smoothed**": cosine(white, smooth=True),
    }


def _recordings(collection: Collection) -> dict[str, list[int]]:
    """Origins by species; negatives have none."""
    with (DATA / "other_birds" / "recordings.csv").open(encoding="utf-8") as file:
        known = {Path(row["file"]).name: row["class"] for row in csv.DictReader(file)}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, origin in enumerate(collection.origins):
        if "other_birds" in Path(origin.name).parts:
            found[known[Path(origin.name).name]].append(number)
    return dict(found)


def _trials(collection: Collection) -> Iterator[Trial]:
    rng = np.random.default_rng(0)
    for species, recordings in sorted(_recordings(collection).items()):
        if len(recordings) < LEAST_RECORDINGS:
            continue
        for _ in range(DRAWS):
            given = rng.permutation(recordings)[: (len(recordings) + 1) // 2]
            clips = collection.at(np.flatnonzero(np.isin(collection.origin, given)))
            rows: Integers = finding.examples(clips, EXAMPLES)
            searched = collection.at(np.flatnonzero(~np.isin(collection.origin, given)))
            examples = clips.windows.vectors[rows].astype(np.float32)
            yield Trial(species, examples, searched, frozenset(set(recordings) - set(given.tolist())))


def _figures(trial: Trial, search: Search) -> tuple[float, float, float, float, float]:
    """Precision at 10 of windows, of recordings, at as many as there are, whether the first is right; and chance."""
    found = search(trial.searched, trial.examples)
    origin = trial.searched.origin
    windows = [int(origin[one.row]) in trial.targets for one in finding.ranked(trial.searched, found, LOOKED_AT)]
    best = np.full(len(trial.searched.origins), -np.inf, np.float32)
    np.maximum.at(best, origin, found)
    recordings = [int(one) in trial.targets for one in np.argsort(-best, kind="stable")[:LOOKED_AT]]
    chance = float(np.isin(origin, list(trial.targets)).mean())
    at_all = recordings[: len(trial.targets)]
    return float(np.mean(windows)), float(np.mean(recordings)), float(np.mean(at_all)), float(recordings[0]), chance


def _bounds(trials: list[Trial]) -> str:
    chance = np.mean([_figures(trial, lambda searched, _: np.zeros(len(searched), np.float32))[4] for trial in trials])
    heard = [len(np.unique(trial.searched.origin)) for trial in trials]
    drawn = np.mean([len(trial.targets) / count for trial, count in zip(trials, heard, strict=True)])
    most = np.mean([len(trial.targets) / LOOKED_AT for trial in trials])
    return f"{chance:.3f}; 1 | {drawn:.3f}; {most:.3f} | {drawn:.3f}; 1 | {drawn:.3f}; 1 |"


def _speed(count: int) -> None:
    """A question to made-up windows of the bundled model's size."""
    classifier = Classifier()
    network, rng = network_of(classifier), np.random.default_rng(0)
    values = len(classifier.describe(np.zeros(classifier.contract.window_samples, np.float32)))
    vectors = np.empty((count, values), np.float16)
    for at in range(0, count, 10_000):
        vectors[at : at + 10_000] = rng.normal(size=(min(10_000, count - at), values))
    nothing = np.zeros(count, np.float32)
    windows = Windows(np.arange(count, dtype=float), nothing, nothing, nothing, np.zeros(count, np.int64), vectors)
    places = np.zeros(count, np.int64)
    collection = Collection(
        network, 2.0, ["one"], [Origin("one", None)], places, windows, places + 1, lambda _: iter(())
    )
    before = _peak_mb()
    begun = time.perf_counter()
    found = finding.likeness_of(collection, vectors[:10].astype(np.float32))
    found_s = time.perf_counter() - begun
    finding.ranked(replace(collection), found, 10)
    ranked_s = time.perf_counter() - begun - found_s
    print(
        f"{count:,} windows of {values} values, {vectors.nbytes / 1e6:,.0f} MB: {found_s:.2f} s to compare, "
        f"{ranked_s:.2f} s to rank, {_peak_mb() - before:,.0f} MB more at the most"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())

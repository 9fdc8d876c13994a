"""A species that a network has never heard becomes a label: from 5, 10 and 20 recordings.

Trains a network of the other species without fold 0, then adds the species from so many of its recordings, once with
all layers but the last frozen and once thawed after a quarter of the steps, and listens to fold 0. Takes the recordings
that DAWNCHORUS_DATA names, and about a quarter of an hour on one core.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.checkpoint import Checkpoint, Schedule
from training.corpus.manifest import Manifest, read_manifest
from training.corpus.recordings import Recording
from training.drawing.material import Material, read_material
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.evaluation.metrics import average_precision
from training.evaluation.scored import windows_of
from training.pretrained import imagenet
from training.train import predict, train

SPECIES = "lophophanes_cristatus"
COUNTS = (5, 10, 20)
BASE = Schedule(steps=1000)
ADDED = {"frozen": Schedule(steps=200, frozen=1.0), "thawed": Schedule(steps=200, frozen=0.25, peak_rate=1e-3)}
SIZE = "nano"
FOLD = 0


def learned(material: Material, schedule: Schedule, origin: Checkpoint) -> Checkpoint:
    """The network that these recordings make, of fold 0 nothing."""
    examples = material.examples(FOLD, origin.labels)
    weights = train(examples, SIZE, schedule, origin=origin)
    return Checkpoint(weights, examples.labels, SIZE, SPEC, WINDOW_SAMPLES, "", schedule, FOLD)


def judged(checkpoint: Checkpoint, material: Material) -> str:
    """How it names the birds of fold 0."""
    network = checkpoint.network()
    birds = [r for r in material.manifest.fold(FOLD) if r.label is not None]
    logits = np.stack([predict(network, windows_of(material.spectra[r.path])).max(axis=0) for r in birds])
    own = np.array([r.label == SPECIES for r in birds])
    taken = logits.argmax(axis=1) == checkpoint.labels.index(SPECIES)
    named = np.array([checkpoint.labels[best] == r.label for best, r in zip(logits.argmax(axis=1), birds, strict=True)])
    precision = average_precision(own, logits[:, checkpoint.labels.index(SPECIES)])
    return (
        f"{int((taken & own).sum())} of {own.sum()} named right, {int((taken & ~own).sum())} of {(~own).sum()} others "
        f"taken for it, average precision {precision:.3f}; of the others {int(named[~own].sum())} named right"
    )


def main() -> None:
    """Print a line for each number of recordings, and one for all of them."""
    torch.set_num_threads(1)
    manifest = read_manifest(Path(os.environ["DAWNCHORUS_DATA"]))
    material = read_material(manifest)

    def with_some(some: tuple[Recording, ...]) -> Material:
        kept = tuple(r for r in manifest.recordings if r.label != SPECIES or r in some)
        return replace(material, manifest=Manifest(kept, manifest.backgrounds, manifest.taxa))

    own = [r for r in manifest.without(FOLD) if r.label == SPECIES]
    order = np.random.default_rng(0).permutation(len(own))
    begin = time.perf_counter()
    known = learned(with_some(()), BASE, imagenet(SIZE, SPEC, 1))
    print(f"{len(known.labels)} other species learned in {time.perf_counter() - begin:.0f} s")
    for count in COUNTS:
        some = with_some(tuple(own[index] for index in order[:count]))
        for name, schedule in ADDED.items():
            begin = time.perf_counter()
            added = learned(some, schedule, known)
            spent = time.perf_counter() - begin
            print(f"{SPECIES} from {count:2} recordings, {name}, in {spent:.0f} s: {judged(added, material)}")


if __name__ == "__main__":
    main()

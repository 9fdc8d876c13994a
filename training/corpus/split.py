"""Which fold each session goes to. Pure: nothing here knows a file."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

Label = str | None
"""None: a sound that holds none of the species"""


def sessions(keys: Sequence[Collection[str]]) -> list[int]:
    """Number each item so that items which share a key, directly or through others, have the same number.

    Numbers count from 0 in the order of each session's first item.
    """
    leader = list(range(len(keys)))
    first: dict[str, int] = {}
    for item, own in enumerate(keys):
        for key in own:
            one, other = _led(leader, first.setdefault(key, item)), _led(leader, item)
            leader[max(one, other)] = min(one, other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_led(leader, item), len(numbers)) for item in range(len(keys))]


def split(
    sizes: Sequence[Mapping[Label, int]],
    folds: int,
    rng: np.random.Generator,
    kept: Mapping[int, int] | None = None,
) -> list[int]:
    """Give each session a fold in range(folds), balanced for each label.

    `sizes`: recordings of each label in each session; `kept`: session -> the fold that it lies in already. Sessions of
    the rarest label go first and big ones before small ones, each to the fold that has the fewest recordings of that
    label: iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) with whole sessions instead of items.

    Where every session holds one label and none is kept, each label with at least `folds` sessions is in every fold,
    and its folds differ by no more recordings than its biggest session has. With `folds` sessions or more no fold is
    empty. `rng` decides between equals.
    """
    labels = sorted({label for size in sizes for label in size}, key=lambda label: (label is not None, label or ""))
    counts = np.array([[size.get(label, 0) for label in labels] for size in sizes], np.int64).reshape(
        len(sizes), len(labels)
    )
    held = np.zeros((folds, len(labels)), np.int64)
    fold_of = dict(kept or {})
    for session, fold in fold_of.items():
        held[fold] += counts[session]
    by_size = sorted(rng.permutation(len(sizes)).tolist(), key=lambda session: -int(counts[session].sum()))
    chance = rng.permutation(folds)
    for label in np.argsort((counts > 0).sum(axis=0), kind="stable"):
        for session in sorted(by_size, key=lambda session: -int(counts[session, label])):
            if session not in fold_of and counts[session, label]:
                others = held[:, counts[session] > 0].sum(axis=1)
                fold = int(np.lexsort((chance, held.sum(axis=1), others, held[:, label]))[0])
                fold_of[session] = fold
                held[fold] += counts[session]
    return [fold_of[session] for session in range(len(sizes))]


def _led(leader: list[int], item: int) -> int:
    while leader[item] != item:
        leader[item] = leader[leader[item]]
        item = leader[item]
    return item

"""What one result holds and the other does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.comparison.matching import Rule
from monitor.comparison.occurrences import Occurrence, grouped


@dataclass(frozen=True, slots=True)
class Difference:
    """Two results of a species."""

    in_both: int = 0
    """detections of the first that one of the second matches"""
    only_first: list[Occurrence] = field(default_factory=list)
    only_second: list[Occurrence] = field(default_factory=list)
    confidence: float | None = None
    """mean of the second less the first, over those in both; None where there are none"""


def differences(rule: Rule, first: Sequence[Occurrence], second: Sequence[Occurrence]) -> Mapping[str, Difference]:
    """By species, in alphabetical order. Matching is many-to-many: one long detection may match several short ones."""
    one, other = grouped(first), grouped(second)
    found: dict[str, tuple[list[Occurrence], list[Occurrence], list[float]]] = {}
    for key in sorted({*one, *other}, key=lambda key: (key[1], key[0])):
        ours, theirs = one.get(key, []), other.get(key, [])
        matching = rule.matches(ours, theirs)
        only_first, only_second, gains = found.setdefault(key[1], ([], [], []))
        only_first += [ours[index] for index in np.flatnonzero(~matching.any(axis=1))]
        only_second += [theirs[index] for index in np.flatnonzero(~matching.any(axis=0))]
        for index in np.flatnonzero(matching.any(axis=1)):
            best = max(theirs[match].confidence for match in np.flatnonzero(matching[index]))
            gains.append(best - ours[index].confidence)
    return {
        name: Difference(len(gains), only_first, only_second, float(np.mean(gains)) if gains else None)
        for name, (only_first, only_second, gains) in found.items()
    }

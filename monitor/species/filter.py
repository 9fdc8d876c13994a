"""Lists of names and the occurrence -> a mask over a model's labels.

What may be reported is what is included by name, and what occurs here and now; without either, everything; and never
what is excluded by name. A label that the occurrence does not know does not occur.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitor.clock import Instant, Quality
from monitor.contract import Label
from monitor.contract.names import Names, folded
from monitor.species.occurrence import Occurrence, week_of

Mask = npt.NDArray[np.bool_]


class SpeciesFilter:
    """Which labels of one model may be reported at a time. Names that the model does not know mean nothing to it."""

    def __init__(
        self,
        labels: Sequence[Label],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        occurrence: Occurrence | None = None,
        week: int | None = None,
    ) -> None:
        """`week`: always that one of 48; None: the one that it is."""
        self._labels, self._occurrence, self._week = labels, occurrence, week
        self._all = not include and occurrence is None
        self._included, self._excluded = _mask(labels, include), _mask(labels, exclude)
        self._by_week: dict[int | None, Mask] = {}

    def at(self, when: Instant) -> Mask:
        """What may be reported at a time, (n_labels,); where nobody knows the week, what occurs in any."""
        known = when.utc is not None and when.quality is not Quality.UNSYNCED
        return self.in_week(week_of(when.utc) if known and when.utc is not None else None)

    def in_week(self, week: int | None) -> Mask:
        """What may be reported in a week, 1 to 48, or in any, (n_labels,)."""
        week = None if self._occurrence is None else self._week or week
        if week not in self._by_week:
            self._by_week[week] = (self._included | self._occurring(week) | self._all) & ~self._excluded
        return self._by_week[week]

    def said(self, week: int | None) -> str:
        """What it comes to, for the log."""
        mask, week = self.in_week(week), self._week or week
        when = "in any week" if week is None else f"in week {week} of 48"
        told = [f"{int(self._included.sum())} included by name", f"{int(self._excluded.sum())} excluded by name"]
        if self._occurrence is not None:
            told.append(f"{int(self._occurring(week).sum())} occur here")
        return f"{int(mask.sum())} of {len(mask)} labels may be reported {when}: {', '.join(told)}"

    def _occurring(self, week: int | None) -> Mask:
        if self._occurrence is None:
            return np.zeros(len(self._labels), np.bool_)
        occur = self._occurrence.names(week)
        return np.array(
            [folded(label.scientific_name) in occur or folded(label.common_name) in occur for label in self._labels]
        )


def _mask(labels: Sequence[Label], listed: Sequence[str]) -> Mask:
    names, mask = Names(labels), np.zeros(len(labels), np.bool_)
    for name in listed:
        mask[names.indices(name)] = True
    return mask

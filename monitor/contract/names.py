"""Labels by any of their names: the label itself, the scientific or the common name, in any case of letters."""

import difflib
from collections.abc import Iterable, Sequence

from monitor.contract.terms import Label
from monitor.errors import ConfigError

FEW = 20
"""so many species can be listed in a sentence"""


def folded(name: str) -> str:
    """A name as it is compared."""
    return " ".join(name.split()).casefold()


class Names:
    """Finds labels by name; several labels may share one."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self._labels = labels
        self._indices: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            for name in {folded(n) for n in (label.label, label.scientific_name, label.common_name) if n}:
                self._indices.setdefault(name, []).append(index)

    def __contains__(self, name: str) -> bool:
        return folded(name) in self._indices

    def indices(self, name: str) -> list[int]:
        """The places of the labels of that name in the model's order; empty where the model knows none."""
        return self._indices.get(folded(name), [])

    def check(self, names: Iterable[str], where: str) -> None:
        """Raise ConfigError where one of the names is none of a label, and say which is the nearest."""
        strangers = sorted(name for name in names if name not in self)
        if strangers:
            species = [label.scientific_name for label in self._labels]
            nearest = ", ".join(repr(self._nearest(name)) for name in strangers)
            told = f"; it knows {', '.join(species)}" if len(species) <= FEW else ""
            msg = (
                f"{where} names {', '.join(map(repr, strangers))}, which the model does not know: "
                f"did you mean {nearest}?{told}"
            )
            raise ConfigError(msg)

    def _nearest(self, name: str) -> str:
        near = difflib.get_close_matches(folded(name), self._indices, n=1, cutoff=0.0)[0]
        label = self._labels[self._indices[near][0]]
        return next(n for n in (label.scientific_name, label.common_name, label.label) if folded(n) == near)

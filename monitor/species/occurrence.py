"""What occurs at a place in a week of the year: from a list, or from a geo model.

A year has 48 weeks, as in BirdNET's models of occurrence: week = ceil(day of the year / days in the year * 48).
"""

import calendar
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np

from monitor.contract.foreign import GeoTerms, beside, read_terms
from monitor.contract.labels import read_labels
from monitor.contract.names import folded
from monitor.errors import ConfigError, ModelError
from monitor.runtime import FAILURES, Network, activated, first_line

WEEKS = 48


def week_of(day: date) -> int:
    """The week of a day, 1 to 48."""
    days = 366 if calendar.isleap(day.year) else 365
    return math.ceil(day.timetuple().tm_yday / days * WEEKS)


class Occurrence(Protocol):
    """Knows which species occur here."""

    def names(self, week: int | None) -> Collection[str]:
        """Names, folded, of what occurs in a week; None: at any time of the year."""


@dataclass(frozen=True, slots=True)
class SpeciesList:
    """What somebody wrote down, for the whole year."""

    listed: frozenset[str]

    @staticmethod
    def read(path: Path) -> "SpeciesList":
        """Read names, one a line: scientific, common, or both as `Scientific name_Common name`; # begins a remark.

        ConfigError where the file cannot be read or names nothing.
        """
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"species list {path} cannot be read: {getattr(error, 'strerror', None) or error}"
            raise ConfigError(msg) from error
        names = [line.partition("#")[0].partition("_")[0].strip() for line in lines]
        if not any(names):
            msg = f"species list {path} names nothing: one name a line expected"
            raise ConfigError(msg)
        return SpeciesList(frozenset(folded(name) for name in names if name))

    def names(self, week: int | None) -> Collection[str]:
        """The same in every week."""
        del week
        return self.listed


class GeoModel:
    """A network that takes [latitude, longitude, week] and scores each label that the YAML file beside it names.

    Raises ModelError, naming the file, where it is missing, damaged, or returns something else than its labels.
    """

    def __init__(self, path: Path, latitude: float, longitude: float, threshold: float) -> None:
        """Degrees, and the score from which a species counts as occurring."""
        self._place, self._threshold = (latitude, longitude), threshold
        self._network = Network(path)
        terms = read_terms(beside(path), GeoTerms)
        self._activation = terms.output.activation
        self._names = np.array([folded(label.scientific_name) for label in read_labels(terms.labels, path.parent, 0)])
        try:
            self._output = self._find_output(terms.output.name)
        except (ModelError, *FAILURES) as error:
            msg = f"geo model {path}: {first_line(error)}"
            raise ModelError(msg) from error

    def names(self, week: int | None) -> Collection[str]:
        """Scientific names, folded, of what occurs in a week, or in any week of the year."""
        weeks = range(1, WEEKS + 1) if week is None else [week]
        occurs = np.any([self._scores(one) >= self._threshold for one in weeks], axis=0)
        return frozenset(self._names[occurs].tolist())

    def _scores(self, week: int) -> np.ndarray:
        raw = self._network.run(np.array([*self._place, week], np.float32), [self._output])[0][0]
        return activated(raw, self._activation)

    def _find_output(self, name: str | None) -> str:
        if (shape := self._network.input_shape()) not in ([3], [None]):
            msg = f"takes float {['batch', *shape]}: [batch, 3] of latitude, longitude and week expected"
            raise ModelError(msg)
        outputs = self._network.outputs
        found = self._network.run(np.array([*self._place, 1], np.float32), outputs)
        fitting = [o for o, array in zip(outputs, found, strict=True) if array.shape == (1, len(self._names))]
        if len(fitting) != 1 and name not in fitting:
            shapes = ", ".join(f"{o} {list(array.shape)}" for o, array in zip(outputs, found, strict=True))
            msg = f"returns {shapes}, but has {len(self._names)} labels"
            raise ModelError(msg)
        return name if name in fitting and name is not None else fitting[0]

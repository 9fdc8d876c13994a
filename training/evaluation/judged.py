"""Decisions on what was heard: calibration and thresholds, for each fold from the other ones, and those that ship."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt

from monitor.contract import Label
from monitor.features import Floats
from monitor.records import Detection
from training.evaluation import calibration, thresholds
from training.evaluation.claims import Claims, claims_of
from training.evaluation.events import detections
from training.evaluation.heard import Heard
from training.evaluation.scored import Scored
from training.evaluation.thresholds import Wanted, fit_labels


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was heard and how it is decided on."""

    heard: Heard
    wanted: Wanted
    shipped: Sequence[Label]
    """fitted on everything: they go into the model's contract"""
    by_fold: Mapping[int, Sequence[Label]]
    """fitted on the other folds: what figures are measured with"""
    claims: Claims
    """of the recordings"""
    strangers: Claims
    whole: Heard | None = None
    """what the network that ships, which learned from every fold, makes of what holds no label"""

    @classmethod
    def of(
        cls,
        heard: Heard,
        wanted: Wanted,
        least: Mapping[str, float] = MappingProxyType({}),
        whole: Heard | None = None,
    ) -> Self:
        """Fit on everything, and on everything but each fold. `least`: thresholds below which no label ships."""
        return cls(
            heard=heard,
            wanted=wanted,
            shipped=thresholds.at_least(fit_labels(heard, wanted, whole), least),
            by_fold={fold: fit_labels(heard.without(fold), wanted) for fold in heard.folds},
            claims=claims_of(heard.recordings, heard.taxa),
            strangers=claims_of(heard.strangers, heard.taxa),
            whole=whole,
        )

    def as_shipped(self) -> Self:
        """The same, decided on by what ships: how good it looks on what it was fitted on."""
        return replace(self, by_fold=dict.fromkeys(self.by_fold, self.shipped))

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the network's outputs."""
        return tuple(self.heard.taxa)

    @property
    def everything(self) -> Claims:
        """Of the recordings and then of the strangers."""
        return self.claims.and_those(self.strangers)

    @property
    def birds(self) -> npt.NDArray[np.bool_]:
        """Which of the claims are of recordings aimed at a label, (n,)."""
        return self.claims.label >= 0

    def labels_of(self, one: Scored) -> Sequence[Label]:
        """The labels that decide on a recording."""
        return self.by_fold[one.recording.fold]

    def detections(self, one: Scored) -> list[Detection]:
        """What the device would report of a recording."""
        return detections(one, self.labels_of(one), self.heard)

    def confidences(self, claims: Claims) -> Floats:
        """Confidences of claims, (n, n_labels), calibrated on other folds than each one's own."""
        found = np.zeros(claims.logits.shape, np.float32)
        for fold, labels in self.by_fold.items():
            own = claims.fold == fold
            found[own] = calibration.confidences(claims.logits[own], [label.calibration for label in labels])
        return found

    def reported(self, claims: Claims) -> npt.NDArray[np.bool_]:
        """Whether each label is reported in each recording, (n, n_labels), by thresholds of other folds than its."""
        found = np.zeros(claims.logits.shape, bool)
        for fold, labels in self.by_fold.items():
            own = claims.fold == fold
            found[own] = thresholds.reported(claims.where(own), labels)
        return found

"""Recordings by labels: the highest logit claims that a label is in there, and the truth says whether it is.

Boxes say what an annotated recording holds. Elsewhere the recording's own label is there and no other one is, but
for those that the recordist heard in the background, of which nobody knows how loud they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.features import Floats
from monitor.records import Taxon
from training.corpus.recordings import Recording
from training.evaluation.intervals import numbered
from training.evaluation.scored import Scored

UNKNOWN = -1
"""a truth that no figure counts"""
Truths = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """One row a recording, one column a label."""

    logits: Floats
    """(n, n_labels), the highest of each recording's windows"""
    truth: Truths
    """(n, n_labels): 1 where the label is in the recording, 0, or UNKNOWN"""
    label: npt.NDArray[np.int64]
    """(n,) index of the label that the recording was aimed at, -1 where at none"""
    fold: npt.NDArray[np.int64]
    """(n,)"""
    session: npt.NDArray[np.int64]
    """(n,) equal numbers for recordings of one session"""

    def where(self, rows: npt.NDArray[np.bool_]) -> "Claims":
        """The claims of some recordings, (n,) bool."""
        return Claims(self.logits[rows], self.truth[rows], self.label[rows], self.fold[rows], self.session[rows])

    def and_those(self, others: "Claims") -> "Claims":
        """These claims and then others, of other sessions."""
        return Claims(
            logits=np.concatenate([self.logits, others.logits]),
            truth=np.concatenate([self.truth, others.truth]),
            label=np.concatenate([self.label, others.label]),
            fold=np.concatenate([self.fold, others.fold]),
            session=np.concatenate([self.session, others.session + self.session.max(initial=-1) + 1]),
        )


def claims_of(scored: Sequence[Scored], taxa: Mapping[str, Taxon]) -> Claims:
    """`taxa`: label -> taxon, in the order of the network's outputs."""
    labels = list(taxa)
    recordings = [one.recording for one in scored]
    return Claims(
        logits=np.array([one.highest for one in scored], np.float32).reshape(-1, len(labels)),
        truth=np.array([truth_of(r, taxa) for r in recordings], np.int8).reshape(-1, len(labels)),
        label=np.array([-1 if r.label is None else labels.index(r.label) for r in recordings], np.int64),
        fold=np.array([r.fold for r in recordings], np.int64),
        session=numbered([r.session for r in recordings]),
    )


def truth_of(recording: Recording, taxa: Mapping[str, Taxon]) -> list[int]:
    """For each label 1, 0 or UNKNOWN."""
    boxed = {box.scientific_name for box in recording.boxes or ()}
    return [_truth(recording, label, taxon.scientific_name in boxed) for label, taxon in taxa.items()]


def _truth(recording: Recording, label: str, boxed: bool) -> int:  # noqa: FBT001
    if label == recording.label or boxed:
        return 1
    return UNKNOWN if recording.boxes is None and label in recording.also else 0

"""The evaluation as one page with pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from monitor.features import Floats, MelSpec
from training.corpus.recordings import Recording
from training.drawing.spectra import read_spectra
from training.evaluation import plots
from training.evaluation.heard import Heard
from training.evaluation.judged import Judged
from training.evaluation.scored import Scored
from training.pages.page import figure_uri, write_page
from training.pages.plots import spectrogram

N_WORST = 12
N_FALSE = 100
"""false detections on the page, the most confident ones"""
PIECE_S = 6.0
"""of a spectrogram"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure and what it says to those who cannot see it."""

    uri: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class FalseDetection:
    """A detection where the label cannot be."""

    file: str
    kind: str
    name: str
    onset_s: float
    offset_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Worst:
    """A recording that is taken for something else, or nearly so."""

    recording: Recording
    own: int
    other: int
    """index of the label that is highest beside its own"""
    margin: float
    """logits, its own above the other"""
    start_s: float
    """of the window in which the other one is highest"""


def write_evaluation(path: Path, judged: Judged, figures: Mapping[str, Any], spec: MelSpec) -> None:
    """Write the page of an evaluation. ConfigError where the disk refuses."""
    worst = worst_recordings(judged)
    spectra = read_spectra([one.recording for one in worst], spec, judged.heard.window_samples)
    write_page(
        path,
        "evaluation.html",
        figures=figures,
        names=names_of(judged.heard),
        pictures=dict(_pictures(judged, figures)),
        alarms=false_detections(judged),
        n_alarms=N_FALSE,
        worst=[_shown(one, spectra[one.recording.path], judged, spec) for one in worst],
    )


def names_of(heard: Heard) -> dict[str, str]:
    """Label -> the name that people use."""
    return {label: taxon.common_name or taxon.scientific_name for label, taxon in heard.taxa.items()}


def false_detections(judged: Judged) -> list[FalseDetection]:
    """Detections in negatives, elsewhere and of other birds, the most confident first."""
    heard, names = judged.heard, names_of(judged.heard)
    kinds = {"negative": heard.negatives, "elsewhere": heard.elsewhere, "another bird": heard.strangers}
    found = [
        FalseDetection(
            file=one.recording.path.name,
            kind=kind,
            name=names[detection.label],
            onset_s=detection.onset_sample / heard.sample_rate,
            offset_s=detection.offset_sample / heard.sample_rate,
            confidence=detection.confidence,
        )
        for kind, scored in kinds.items()
        for one in scored
        for detection in judged.detections(one)
    ]
    return sorted(found, key=lambda one: -one.confidence)


def worst_recordings(judged: Judged) -> list[Worst]:
    """The recordings whose own label is least above, or most below, the highest other one."""
    if len(judged.labels) < 2:  # noqa: PLR2004
        return []
    ranked = [
        _against(one, judged.labels.index(one.recording.label))
        for one in judged.heard.recordings
        if one.recording.label
    ]
    return sorted(ranked, key=lambda one: one.margin)[:N_WORST]


def _against(one: Scored, own: int) -> Worst:
    others = one.logits.copy()
    others[:, own] = -np.inf
    window, other = np.unravel_index(others.argmax(), others.shape)
    margin = float(one.highest[own] - others[window, other])
    return Worst(one.recording, own, int(other), margin, float(one.starts_s[window]))


def _shown(one: Worst, power: Floats, judged: Judged, spec: MelSpec) -> Picture:
    per_s = spec.sample_rate / spec.hop
    middle_s = one.start_s + judged.heard.window_s / 2
    first = int(np.clip((middle_s - PIECE_S / 2) * per_s, 0, max(0, power.shape[1] - PIECE_S * per_s)))
    drawn = spectrogram(power[:, first : first + int(PIECE_S * per_s)], spec, first / per_s)
    names = list(names_of(judged.heard).values())
    verdict = "taken for" if one.margin < 0 else "nearly taken for"
    caption = f"{names[one.own]}, {verdict} {names[one.other]} at {one.start_s:.0f} s: {one.recording.source}"
    return Picture(figure_uri(drawn, "webp"), f"Spectrogram of {one.recording.source}", caption)


def _pictures(judged: Judged, figures: Mapping[str, Any]) -> Iterator[tuple[str, Picture]]:
    names = list(names_of(judged.heard).values())
    yield "recall", _recall(figures, names, judged.labels)
    curves = figures["calibration_error"]["highest_claims"]["curves"]
    yield "reliability", _picture(plots.reliability(curves), "Reliability before and after calibration")
    yield (
        "precision_recall",
        _picture(plots.precision_recall(judged, names), "Precision against recall of each species"),
    )
    yield "confusion", _confusion(figures["confusion"], names)
    groups = dict(_confidence_groups(judged))
    yield (
        "known_and_unknown",
        _picture(plots.known_and_unknown(groups), "Highest confidence of each recording, by kind"),
    )
    if places := figures["soundscapes"]:
        yield "soundscape_recall", _picture(plots.soundscapes(places, "recall", "recall"), "Recall against noise")
        yield "soundscape_cmap", _picture(plots.soundscapes(places, "cmap", "cmAP"), "cmAP against noise")


def _recall(figures: Mapping[str, Any], names: Sequence[str], labels: Sequence[str]) -> Picture:
    by_label = figures["out_of_fold"]["recordings"]["by_label"]
    return _picture(plots.recalls(names, [by_label[label] for label in labels]), "Recall and precision of each species")


def _confusion(found: Mapping[str, Any], names: Sequence[str]) -> Picture:
    rows = [*names, *found["reported_rows"][len(names) :]]
    columns = [*names, *found["reported_columns"][len(names) :]]
    return _picture(
        plots.confusion(rows, columns, found["reported"]), "What recordings are and what they are taken for"
    )


def _confidence_groups(judged: Judged) -> Iterator[tuple[str, Floats]]:
    claims = judged.claims
    kinds = {
        "the species": claims.where(judged.birds),
        "other birds": judged.strangers,
        "negatives": claims.where(~judged.birds),
    }
    for name, some in kinds.items():
        if len(some.label):
            yield name, judged.confidences(some).max(axis=1)


def _picture(figure: Figure, alt: str) -> Picture:
    return Picture(figure_uri(figure), alt)

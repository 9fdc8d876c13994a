"""The model card as a page with plots, from the contract alone. It opens offline."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from export.card import (
    CHOICES,
    COMPARED,
    LIMITS,
    MEASURED,
    NAMED_RIGHT,
    THRESHOLD,
    compared,
    figures,
    link,
    share,
    takes,
    versions,
)
from export.plots import calibration_errors
from monitor.contract import Contract, Label
from training.evaluation import plots
from training.pages.page import figure_uri, render_page

LEAD = (
    ("balanced top-1", ("ranking", "balanced_top1")),
    ("recall at the thresholds", ("out_of_fold", "recordings", "recall")),
    ("precision at the thresholds", ("out_of_fold", "recordings", "precision")),
    ("calibration error (ECE)", ("calibration_error", "highest_claims", "after")),
)
"""large, above everything else"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure and what it says to those who cannot see it."""

    uri: str
    alt: str


def page(contract: Contract) -> str:
    """An HTML page."""
    provenance = contract.provenance
    names = {label.label: label.common_name or label.scientific_name for label in contract.labels}
    return render_page(
        "card.html",
        contract=contract,
        versions=versions(contract),
        takes=takes(contract),
        facts=list(_facts(provenance.metrics)),
        species=[_species(label, provenance.metrics) for label in contract.labels],
        figures=figures(provenance.metrics),
        compared=compared(provenance.metrics),
        choices=provenance.metrics.get(CHOICES, []),
        pictures={name: _picture(*drawn) for name, drawn in _plots(provenance.metrics, names)},
        sources=[(source, link(source)) for source in provenance.attribution],
        texts={"threshold": THRESHOLD, "measured": MEASURED, "compared": COMPARED, "limits": LIMITS},
    )


def _facts(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, path in LEAD:
        found = _at(metrics, *path)
        if found and found["value"] is not None:
            yield f"{100 * found['value']:.1f} %", name


def _species(label: Label, metrics: Mapping[str, Any]) -> dict[str, str]:
    precision = _at(metrics, "ranking", "average_precision_by_label", label.label)
    return {
        "scientific_name": label.scientific_name,
        "common_name": label.common_name,
        "threshold": f"{label.threshold:.2f}",
        "precision": "" if label.precision is None else f"{label.precision:.2f}",
        "named_right": share(_at(metrics, NAMED_RIGHT, label.label)),
        "average_precision": f"{precision['value']:.2f}" if precision and precision["value"] is not None else "",
    }


def _plots(metrics: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, tuple[Figure, str]]]:
    """The plots that the metrics of an evaluation are enough for."""
    if by_label := _at(metrics, "out_of_fold", "recordings", "by_label"):
        drawn = plots.recalls(list(names.values()), [by_label[label] for label in names])
        yield "recall", (drawn, "Recall and precision of each species")
    if found := _at(metrics, "calibration_error", "highest_claims", "curves"):
        yield "reliability", (plots.reliability(found), "Confidence against the share that is right")
    if errors := _at(metrics, "calibration_error"):
        drawn = calibration_errors(names, errors)
        yield "calibration", (drawn, "Calibration error before and after calibration")
    if found := _at(metrics, "confusion"):
        rows, columns = ([*names.values(), *found[f"reported_{side}"][len(names) :]] for side in ("rows", "columns"))
        drawn = plots.confusion(rows, columns, found["reported"])
        yield "confusion", (drawn, "What recordings are and what they are taken for")
    if curves := _at(metrics, "soundscapes"):
        yield "noise_recall", (plots.soundscapes(curves, "recall", "recall"), "Recall against noise")
        yield "noise_cmap", (plots.soundscapes(curves, "cmap", "cmAP"), "cmAP against noise")


def _at(metrics: Mapping[str, Any], *path: str) -> Any:  # noqa: ANN401 whatever an evaluation holds there
    """What lies there, or None where nobody measured it."""
    found: Any = metrics
    for name in path:
        found = found.get(name) or {}
    return found or None


def _picture(figure: Figure, alt: str) -> Picture:
    return Picture(figure_uri(figure), alt)

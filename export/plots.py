"""Figures of the card that no other page has."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from training.pages.plots import BLUE, INK, ORANGE

WIDTH, ROW_INCHES, MARGIN_INCHES = 5.2, 0.3, 1.0


def calibration_errors(names: Mapping[str, str], errors: Mapping[str, Any]) -> Figure:
    """Expected calibration error of the highest claims and of each label's, before and after calibration.

    `names`: label -> what people call it; `errors`: what an evaluation says, a value each where it was measured.
    """
    kinds = {"highest claim": errors["highest_claims"], "all claims": errors["all_claims"]}
    kinds |= {name: errors["by_label"][label] for label, name in names.items()}
    figure = Figure(figsize=(WIDTH, MARGIN_INCHES + ROW_INCHES * len(kinds)), layout="constrained")
    axes = figure.add_subplot()
    for when, colour in (("before", ORANGE), ("after", BLUE)):
        values = [kind[when]["value"] for kind in kinds.values()]
        rows = [row for row, value in enumerate(values) if value is not None]
        axes.plot([values[row] for row in rows], rows, "o", color=colour, markersize=6, label=when)
    axes.set(xlabel="expected calibration error", xlim=(0, None), ylim=(len(kinds) - 0.5, -0.5))
    axes.set_yticks(range(len(kinds)), list(kinds), parse_math=False)
    axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure

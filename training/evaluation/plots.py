"""Figures of the evaluation's page, made without pyplot and its global state."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitor.features import Floats
from training.evaluation.claims import UNKNOWN
from training.evaluation.judged import Judged
from training.pages.plots import BLUE, GREEN, INK, ORANGE, VERMILION

WIDE = 10.4
"""inches, of a figure that has its row to itself"""
HALF_WIDE = 5.2
COLUMNS = 5
"""of small plots"""


def reliability(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Confidence against the share that is right, before and after calibration; a dot for each bin of equal mass."""
    figure = Figure(figsize=(HALF_WIDE, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="as it should be")
    for when, colour in (("before", ORANGE), ("after", BLUE)):
        one = curves[when]
        axes.plot(one["confidence"], one["share"], marker="o", markersize=4, linewidth=1.4, color=colour, label=when)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(frameon=False)
    return _plain(figure, axes)


def confusion(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> Figure:
    """What recordings are (rows) and what they are taken for (columns); the shade is the share of the row."""
    table = np.array(counts, float)
    figure = Figure(figsize=(2.6 + 0.62 * len(columns), 2.0 + 0.4 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.8, aspect="auto")
    for row, column in zip(*np.nonzero(table), strict=True):
        axes.text(column, row, f"{table[row, column]:.0f}", ha="center", va="center", color=INK, fontsize=9)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="taken for", ylabel="is")
    axes.tick_params(length=0)
    return _plain(figure, axes)


def precision_recall(judged: Judged, names: Sequence[str]) -> Figure:
    """One small plot a label: precision against recall over recordings, and where its threshold puts it."""
    n_rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDE, 0.5 + 2.1 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    confidences, hits = judged.confidences(judged.claims), judged.reported(judged.claims)
    for index, axes in enumerate(grid.flat):
        if index >= len(names):
            axes.set_visible(False)
            continue
        known = judged.claims.truth[:, index] != UNKNOWN
        truth = judged.claims.truth[known, index] == 1
        _draw_precision_recall(axes, truth, confidences[known, index], hits[known, index])
        axes.set_title(names[index], fontsize=9)
        _plain(figure, axes)
    figure.supxlabel("recall", fontsize=10)
    figure.supylabel("precision", fontsize=10)
    return figure


def _draw_precision_recall(
    axes: Axes, truth: np.ndarray[Any, np.dtype[np.bool_]], scores: Floats, hits: np.ndarray[Any, np.dtype[np.bool_]]
) -> None:
    right = np.cumsum(truth[np.argsort(-scores, kind="stable")])
    total = max(1, int(truth.sum()))
    axes.step(right / total, right / np.arange(1, len(right) + 1), where="post", color=BLUE, linewidth=1.3)
    if hits.any():
        axes.plot((hits & truth).sum() / total, (hits & truth).sum() / hits.sum(), "o", color=VERMILION, markersize=5)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.06))
    axes.tick_params(labelsize=8)


def soundscapes(curves: Mapping[str, Mapping[str, Any]], figure_of: str, axis: str) -> Figure:
    """A figure against the signal-to-noise ratio for each place, with its interval; the dot is the call alone."""
    figure = Figure(figsize=(HALF_WIDE, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (place, found), colour in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False):
        alone, *levels = found[figure_of]
        x = found["snr_db"][1:]
        value, low, high = ([level[part] for level in levels] for part in ("value", "low", "high"))
        axes.plot(x, value, marker="o", markersize=4, linewidth=1.4, color=colour, label=place)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot([max(x) + 5], [alone["value"]], "o", color=colour, markersize=4)
    ticks = [*reversed(x), max(x) + 5]
    axes.set_xticks(ticks, [*(f"{tick:+d}" if tick else "0" for tick in ticks[:-1]), "alone"])
    axes.invert_xaxis()
    axes.set(xlabel="signal to noise (dB)", ylabel=axis, ylim=(0, 1.03))
    axes.legend(frameon=False)
    return _plain(figure, axes)


def known_and_unknown(groups: Mapping[str, Floats]) -> Figure:
    """Histograms of the highest confidence of each recording, one group of recordings below the other."""
    figure = Figure(figsize=(HALF_WIDE, 0.8 + 1.3 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values), colour in zip(panels, groups.items(), (BLUE, VERMILION, GREEN), strict=False):
        axes.hist(values, bins=np.linspace(0, 1, 26).tolist(), color=colour)
        axes.set_ylabel("recordings", fontsize=9)
        axes.set_title(f"{name} ({len(values)})", fontsize=9, loc="left")
        _plain(figure, axes)
    panels[-1].set_xlabel("highest confidence")
    return figure


def recalls(names: Sequence[str], figures: Sequence[Mapping[str, Any]]) -> Figure:
    """Recall and precision of each label with their intervals, side by side."""
    figure = Figure(figsize=(WIDE, 0.8 + 0.3 * len(names)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, figure_of, colour in zip(panels, ("recall", "precision"), (BLUE, ORANGE), strict=True):
        for row, found in enumerate(figures):
            one = found[figure_of]
            if one["value"] is not None:
                axes.plot([one["low"], one["high"]], [row, row], color=colour, linewidth=2)
                axes.plot([one["value"]], [row], "o", color=colour, markersize=6)
        axes.set(xlabel=figure_of, xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5))
        axes.set_yticks(range(len(names)), names)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.6)
        _plain(figure, axes)
    return figure


def _plain(figure: Figure, axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    return figure

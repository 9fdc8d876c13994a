"""Figures of pages, made without pyplot and its global state. Dark ink on nothing: the page sees to the night."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from monitor.features import Floats, MelSpec, mel_filters

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
"""Told apart by colour-blind eyes (Okabe and Ito, 2008, "Color Universal Design")."""
INK = "#16191d"
WIDTH = 5.2
"""inches, of a figure that shares its row with another one"""
BAR_INCHES = 0.24
MARGIN_INCHES = 0.75
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)
MOST_BARS = 15
LEAST_WIDTH = 1e-9
"""of an axis whose values are all 0"""


def bars(counts: Mapping[str, float], axis: str, colour: str = BLUE) -> Figure:
    """One horizontal bar a name, the first one on top, its value beside it."""
    figure, axes = _rows(len(counts))
    values = list(counts.values())
    drawn = axes.barh(range(len(counts)), values, color=colour, height=0.7)
    written = [f"{value:,.0f}" if value == int(value) else f"{value:,.1f}" for value in values]
    axes.bar_label(drawn, written, padding=3, fontsize=8)
    axes.set_xlim(0, 1.15 * max([*values, LEAST_WIDTH]))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _name_rows(axes, list(counts))
    axes.set_xlabel(axis)
    _plain(axes)
    return figure


def the_most(counts: Mapping[str, int], most: int = MOST_BARS) -> dict[str, int]:
    """Counts in their order, those behind the first ones as one."""
    ordered = list(counts.items())
    if len(ordered) <= most:
        return dict(ordered)
    rest = ordered[most - 1 :]
    return dict(ordered[: most - 1]) | {f"{len(rest)} others": sum(count for _, count in rest)}


def table_of_dots(names: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], axis: str) -> Figure:
    """How many there are of each name (rows) in each column, as dots whose area is the count."""
    figure, axes = _rows(len(names))
    table = np.array(counts, float).reshape(len(names), len(columns))
    row, column = np.nonzero(table)
    areas = 130 * table[row, column] / max(1.0, table.max(initial=0))
    axes.scatter(column, row, s=np.maximum(areas, 3), color=BLUE, linewidths=0)
    axes.set_xlim(-0.7, len(columns) - 0.3)
    step = max(1, len(columns) // 12)
    axes.set_xticks(range(0, len(columns), step), columns[::step], fontsize=8)
    _name_rows(axes, names)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(axis)
    return figure


def lengths(seconds: Sequence[float]) -> Figure:
    """Histogram over a logarithmic axis."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.add_subplot()
    low, high = max(min(seconds), 0.1), max(*seconds, 0.2)
    axes.hist(np.maximum(seconds, low), bins=np.geomspace(low * 0.95, high * 1.05, 25).tolist(), color=BLUE)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600) if low * 0.8 <= tick <= high * 1.25]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="length (s)", ylabel="recordings")
    _plain(axes)
    return figure


def spectrogram(power: Floats, spec: MelSpec, start_s: float) -> Figure:
    """Mel power (n_mels, n_frames) that starts at `start_s` of its recording, loud is dark; axes in seconds and kHz."""
    figure = Figure(figsize=(3.7, 2.2), layout="constrained")
    axes = figure.add_subplot()
    level = np.log10(power + np.float32(spec.floor))
    low, high = np.quantile(level, [0.3, 0.998])
    end_s = start_s + power.shape[1] * spec.hop / spec.sample_rate
    extent = (start_s, end_s, -0.5, spec.n_mels - 0.5)
    axes.imshow(level, cmap="Greys", vmin=low, vmax=max(high, low + 1), aspect="auto", origin="lower", extent=extent)
    ticks = [hz for hz in TICKS_HZ if spec.fmin_hz <= hz <= spec.fmax_hz]
    axes.set_yticks(bands(ticks, spec), [f"{hz / 1000:g}" for hz in ticks])
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=8)
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylabel("kHz", fontsize=8)
    return figure


def bands(frequencies_hz: Sequence[float], spec: MelSpec) -> list[float]:
    """Where frequencies lie among the mel bands, band 0 being the lowest."""
    filters = mel_filters(spec).astype(np.float64)
    bins_hz = np.arange(filters.shape[1]) * (spec.sample_rate / spec.n_fft)
    centres_hz = filters @ bins_hz / np.maximum(filters.sum(axis=1), np.finfo(float).tiny)
    return [float(band) for band in np.interp(frequencies_hz, centres_hz, np.arange(spec.n_mels))]


def _rows(count: int) -> tuple[Figure, Axes]:
    """A figure as high as its rows need."""
    figure = Figure(figsize=(WIDTH, MARGIN_INCHES + BAR_INCHES * count), layout="constrained")
    return figure, figure.add_subplot()


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """The first name on top. A dollar in a name is a dollar, not mathematics."""
    axes.set_yticks(range(len(names)), [_short(name) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _short(name: str, most: int = 34) -> str:
    """Without control characters, which no SVG may hold."""
    shown = "".join(letter for letter in name if letter.isprintable())
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)

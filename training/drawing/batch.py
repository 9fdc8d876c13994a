"""A batch as a picture: what the network sees, and what it is told."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from monitor.features import Floats, MelSpec
from training.drawing.examples import MASKED
from training.pages.plots import bands

COLUMNS = 4
TICKS_HZ = (500, 1000, 2000, 4000, 8000)


def draw(pictures: Floats, targets: Floats, names: Sequence[str], spec: MelSpec) -> Figure:
    """One panel a window of (n, n_channels, n_mels, n_frames): its channels above each other, and its labels.

    `targets`: (n, n_labels), 1 for a label that is there, MASKED for one that nobody knows of.
    """
    rows = -(-len(pictures) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.9 * rows), layout="constrained")
    length_s = pictures.shape[-1] * spec.hop / spec.sample_rate
    for index, (picture, target) in enumerate(zip(pictures, targets, strict=True)):
        axes = figure.add_subplot(rows, COLUMNS, index + 1)
        stacked = np.concatenate(picture[::-1])
        axes.imshow(stacked, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=4, extent=(0, length_s, 0, 1))
        axes.set_title(_told(target, names), fontsize=9)
        axes.set_yticks(*_ticks(spec))
        axes.tick_params(labelsize=7)
        for edge in range(1, len(picture)):
            axes.axhline(edge / len(picture), color="white", linewidth=1)
    figure.supxlabel("seconds", fontsize=9)
    figure.supylabel(f"kHz; from above: {', '.join(spec.channels)}", fontsize=9)
    return figure


def _told(target: Floats, names: Sequence[str]) -> str:
    there = [name for name, value in zip(names, target, strict=True) if value == 1]
    unknown = [f"{name}?" for name, value in zip(names, target, strict=True) if value == MASKED]
    return " + ".join([*there, *unknown]) or "none of them"


def _ticks(spec: MelSpec) -> tuple[list[float], list[str]]:
    """Where pitches lie on the axis of all channels, from 0 to 1, and what to write there."""
    inside = [hz for hz in TICKS_HZ if spec.fmin_hz <= hz <= spec.fmax_hz]
    count = len(spec.channels)
    heights = [(band + 0.5) / spec.n_mels for band in bands(inside, spec)]
    return [(channel + height) / count for channel in range(count) for height in heights], [
        f"{hz / 1000:g}" for hz in inside
    ] * count

"""Sound as a picture in a terminal: time to the right, frequency upwards by octaves, loudness as colour."""

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from monitor.pictures.colours import shades
from monitor.pictures.spectrum import LEAST_POWER, Levels, Stretch, spectrum
from monitor.records import Block, Samples

COLUMNS, ROWS = 72, 24
LOWEST_HZ = 60.0
FRAME_S = 0.05
"""about: the lowest rows are narrow"""
RANGE_DB = 60.0
"""from the brightest colour down to the darkest"""
SHADES = 256

_MARKS = {
    100: "100 Hz",
    200: "200 Hz",
    500: "500 Hz",
    1000: "1 kHz",
    2000: "2 kHz",
    5000: "5 kHz",
    10_000: "10 kHz",
    20_000: "20 kHz",
    50_000: "50 kHz",
    100_000: "100 kHz",
}


def edges_hz(sample_rate: int) -> Levels:
    """(ROWS + 1,) Hz between the rows, by octaves."""
    return np.geomspace(LOWEST_HZ, sample_rate / 2, ROWS + 1)


def spectrogram(samples: Samples, sample_rate: int) -> Levels:
    """(ROWS, COLUMNS) dB as `spectrum` gives them, of (n,) samples, at least one."""
    stretch = Stretch(0, len(samples), sample_rate)
    return spectrum([Block(0, samples)], stretch, COLUMNS, edges_hz(sample_rate), FRAME_S)


def drawn(levels: Levels, sample_rate: int) -> Text:
    """Levels as coloured half blocks, two rows a line, with frequencies beside it; what was not heard is dark."""
    heard = np.nan_to_num(levels, nan=10 * np.log10(LEAST_POWER))
    shade = np.clip((heard - heard.max()) / RANGE_DB + 1, 0, 1) * (SHADES - 1)
    colours = shades(SHADES)[shade.astype(int)].tolist()
    labels = _labels(sample_rate)
    text = Text(no_wrap=True)
    for row in range(ROWS - 2, -1, -2):
        text.append(f"{labels.get(row // 2, ''):>8} ")
        for lower, upper in zip(colours[row], colours[row + 1], strict=True):
            text.append("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        text.append("\n")
    return text


def _labels(sample_rate: int) -> dict[int, str]:
    """Line of the picture, counted from below -> its frequency."""
    lines = edges_hz(sample_rate)[::2]
    return {int(np.searchsorted(lines, hz, "right")) - 1: mark for hz, mark in _MARKS.items() if hz < sample_rate / 2}

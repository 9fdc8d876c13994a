"""Sound as a picture in a terminal: time to the right, frequency upwards by octaves, loudness as colour."""

import numpy as np
import numpy.typing as npt
import scipy.fft
from rich.color import Color
from rich.style import Style
from rich.text import Text

from monitor.records import Samples

COLUMNS, ROWS = 72, 24
LOWEST_HZ = 60.0
RANGE_DB = 60.0
"""from the brightest colour down to the darkest"""

_DARK_TO_BRIGHT = np.array([(0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)])
"""red, green, blue; as in matplotlib's magma"""
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

Picture = npt.NDArray[np.float64]


def spectrogram(samples: Samples, sample_rate: int) -> Picture:
    """Level of each cell in dB, shape (ROWS, COLUMNS), the lowest frequency first; (n,) samples, at least one."""
    size = 1 << max(8, int(np.log2(0.05 * sample_rate)))
    starts = np.linspace(0, max(0, len(samples) - size), 4 * COLUMNS).astype(int)
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * np.hanning(size).astype(np.float32)
    power = np.square(np.abs(scipy.fft.rfft(frames, axis=1))).reshape(COLUMNS, 4, -1).mean(axis=1)
    edges = _edges_hz(sample_rate) * size / sample_rate
    below = np.concatenate([np.zeros((COLUMNS, 1)), np.cumsum(power, axis=1)], axis=1)
    bins = np.arange(below.shape[1])
    summed = np.array([np.interp(edges, bins, column) for column in below])
    return 10 * np.log10(np.diff(summed, axis=1).T + 1e-12)


def drawn(picture: Picture, sample_rate: int) -> Text:
    """A picture as coloured half blocks, two rows a line, with frequencies beside it."""
    shade = np.clip((picture - picture.max()) / RANGE_DB + 1, 0, 1) * (len(_DARK_TO_BRIGHT) - 1)
    steps = np.arange(len(_DARK_TO_BRIGHT))
    colours = np.stack([np.interp(shade, steps, channel) for channel in _DARK_TO_BRIGHT.T], axis=-1).astype(int)
    labels = _labels(sample_rate)
    text = Text(no_wrap=True)
    for row in range(ROWS - 2, -1, -2):
        text.append(f"{labels.get(row // 2, ''):>8} ")
        for lower, upper in zip(colours[row], colours[row + 1], strict=True):
            text.append("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        text.append("\n")
    return text


def _edges_hz(sample_rate: int) -> Picture:
    return np.geomspace(LOWEST_HZ, sample_rate / 2, ROWS + 1)


def _labels(sample_rate: int) -> dict[int, str]:
    """Line of the picture, counted from below -> its frequency."""
    lines = _edges_hz(sample_rate)[::2]
    return {int(np.searchsorted(lines, hz, "right")) - 1: mark for hz, mark in _MARKS.items() if hz < sample_rate / 2}

"""Levels, axes and what was found there, as pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.pictures import ticks
from monitor.pictures.colours import shades
from monitor.pictures.lanes import Mark, lanes
from monitor.pictures.png import Pixels
from monitor.pictures.spectrum import Levels, Stretch
from monitor.pictures.text import HEIGHT, WIDTH, written

COLUMNS, ROWS = 1400, 512
"""of the sound in a drawing"""
MOST_LANES = 8
_ZOOM = 2
_LEFT, _RIGHT, _BOTTOM, _LINE = 8 * WIDTH * _ZOOM, 4 * WIDTH * _ZOOM, 2 * HEIGHT * _ZOOM, (HEIGHT + 2) * _ZOOM
_TICK = 4 * _ZOOM
_LOUDEST, _FAINTEST = 99.9, 30.0
"""percentiles of the levels that are brightest and darkest"""
_SPAN_DB = (25.0, 80.0)
_INK, _PAPER, _MARK, _NOTHING = (30, 30, 30), (255, 255, 255), (86, 180, 233), (150, 150, 150)
"""the mark is the sky blue of Okabe and Ito, which nobody mistakes for the ink"""


def shaded(levels: Levels, steps: int) -> Pixels:
    """Levels in dB, the lowest frequency first -> (rows, columns) from 0 to steps - 1, the highest above.

    Where nothing was heard it is 0.
    """
    heard = levels[np.isfinite(levels)]
    if not len(heard):
        return np.zeros(levels.shape, np.uint8)
    loudest, faintest = np.percentile(heard, [_LOUDEST, _FAINTEST])
    span = float(np.clip(loudest - faintest, *_SPAN_DB))
    share = np.clip((levels - loudest) / span + 1, 0, 1)
    return np.round(np.nan_to_num(share[::-1]) * (steps - 1)).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands above a drawing."""

    text: str
    marks: Sequence[Mark] = ()


def drawing(levels: Levels, stretch: Stretch, caption: Caption, steps: int = 256) -> Pixels:
    """(height, width, 3): a line of text, what was found, the sound in so many colours, its axes in seconds and kHz."""
    rows, columns = levels.shape
    found = _lanes(caption.marks, stretch, columns)
    top = _LINE * (1 + len(found)) + _ZOOM
    sheet = np.full((top + rows + _BOTTOM, _LEFT + columns + _RIGHT, 3), _PAPER, np.uint8)
    plot = sheet[top : top + rows, _LEFT : _LEFT + columns]
    plot[:] = shades(steps)[shaded(levels, steps)]
    plot[~np.isfinite(levels[::-1])] = _NOTHING
    _write(sheet, _ZOOM, _LEFT, caption.text)
    for number, lane in enumerate(found):
        for mark in lane:
            _draw_mark(sheet, _LINE * (1 + number), top + rows, mark, _scale(stretch, columns))
    _draw_frequencies(sheet, top, rows, stretch)
    _draw_times(sheet, top + rows, columns, stretch)
    return sheet


_Scale = tuple[float, float]
"""the second at the left, and pixels a second"""


def _scale(stretch: Stretch, columns: int) -> _Scale:
    return stretch.start_s, columns / (stretch.end_s - stretch.start_s)


def _lanes(marks: Sequence[Mark], stretch: Stretch, columns: int) -> list[list[Mark]]:
    """Those that can be shown; of more lanes than there is room for, the last says how many are not."""
    inside = [
        Mark(max(mark.start_s, stretch.start_s), min(mark.end_s, stretch.end_s), mark.text)
        for mark in marks
        if mark.start_s < stretch.end_s and mark.end_s > stretch.start_s
    ]
    found = lanes(inside, WIDTH * _ZOOM / _scale(stretch, columns)[1])
    if len(found) <= MOST_LANES:
        return found
    hidden = sum(map(len, found[MOST_LANES - 1 :]))
    return [*found[: MOST_LANES - 1], [Mark(stretch.start_s, stretch.start_s, f"and {hidden} more")]]


def _draw_mark(sheet: Pixels, top: int, bottom: int, mark: Mark, scale: _Scale) -> None:
    start, end = (_LEFT + round((second - scale[0]) * scale[1]) for second in (mark.start_s, mark.end_s))
    sheet[top : top + HEIGHT * _ZOOM, start:end] = _MARK
    for edge in {start, end - 1} if end > start else ():
        sheet[top:bottom:_TICK, edge] = _MARK
    _write(sheet, top, start + _ZOOM, mark.text)


def _draw_frequencies(sheet: Pixels, top: int, rows: int, stretch: Stretch) -> None:
    for hertz in ticks.ticks(0, stretch.top_hz, max(2, rows // (2 * _LINE))):
        at = top + rows - 1 - round(hertz / stretch.top_hz * (rows - 1))
        sheet[at : at + _ZOOM, _LEFT - _TICK : _LEFT] = _INK
        label = ticks.frequency(hertz)
        _write(sheet, at - HEIGHT * _ZOOM // 2, _LEFT - 2 * _TICK - len(label) * WIDTH * _ZOOM, label)


def _draw_times(sheet: Pixels, bottom: int, columns: int, stretch: Stretch) -> None:
    start_s, pixels_a_second = _scale(stretch, columns)
    found = ticks.time_ticks(start_s, stretch.end_s, columns // (9 * WIDTH * _ZOOM))
    step = found[1] - found[0] if len(found) > 1 else 1.0
    for second in found:
        at = _LEFT + min(columns - 1, round((second - start_s) * pixels_a_second))
        sheet[bottom : bottom + _TICK, at : at + _ZOOM] = _INK
        label = ticks.clock(second, step)
        _write(sheet, bottom + _TICK + _ZOOM, at - len(label) * WIDTH * _ZOOM // 2, label)


def _write(sheet: Pixels, top: int, left: int, text: str) -> None:
    """Ink on the sheet, as far as it is on it."""
    top, left = max(0, top), max(0, left)
    ink = written(text, _ZOOM)[: len(sheet) - top, : sheet.shape[1] - left]
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]][ink] = _INK

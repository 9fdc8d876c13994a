"""Precision against recall as an SVG that any browser opens."""

from collections.abc import Mapping
from html import escape

import numpy as np

from monitor.comparison.measures import ALL, Judged

SIZE, MARGIN, LEGEND, LINE = 480, 48, 260, 18
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
"""that the colour-blind can tell apart (Tol 2021, technical note SRON/EPS/TN/09-002)"""


def drawn(species: Mapping[str, Judged]) -> str:
    """A curve for each species that was annotated, the one of all in black; dashed where colours come again."""
    shown = [(name, one) for name, one in species.items() if one.average_precision is not None]
    height = max(SIZE + 2 * MARGIN, MARGIN + LINE * (len(shown) + 1))
    lines = [_axes(), *(_entry(index, name, one) for index, (name, one) in enumerate(shown))]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE + 2 * MARGIN + LEGEND} {height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def _axes() -> str:
    marks = []
    for tick in range(0, 11, 2):
        x, y = _place(tick / 10, 0.0)
        marks.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{tick / 10:g}</text>')
        x, y = _place(0.0, tick / 10)
        marks.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{tick / 10:g}</text>')
    middle, low = _place(0.5, 0.0)
    return (
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#888"/>{"".join(marks)}'
        f'<text x="{middle}" y="{low + 36}" text-anchor="middle">recall</text>'
        f'<text x="14" y="{MARGIN + SIZE / 2}" text-anchor="middle" transform="rotate(-90 14 {MARGIN + SIZE / 2})">'
        "precision</text>"
    )


def _entry(index: int, name: str, one: Judged) -> str:
    """The curve and its line in the legend."""
    recalls, precisions = one.curve()
    points = " ".join("{:.1f},{:.1f}".format(*_place(r, p)) for r, p in zip(recalls, precisions, strict=True))
    colour = "black" if name == ALL else COLOURS[index % len(COLOURS)]
    style = f'stroke="{colour}" stroke-width="2" fill="none" stroke-dasharray="{"5 3" * (index // len(COLOURS) % 2)}"'
    x, y = SIZE + 2 * MARGIN, MARGIN + LINE * index
    told = f"{name} {np.round(one.average_precision or 0.0, 2):.2f}"
    return (
        f'<polyline points="{points}" {style}/><path d="M{x - 24} {y}h18" {style}/>'
        f'<text x="{x}" y="{y + 4}">{escape(told)}</text>'
    )


def _place(recall: float, precision: float) -> tuple[float, float]:
    return MARGIN + SIZE * recall, MARGIN + SIZE * (1 - precision)

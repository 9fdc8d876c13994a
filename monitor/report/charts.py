"""Small plots: bars of confidence, the accumulation curve, levels by hour, and the sound of a clip."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from monitor.pictures import ticks
from monitor.report.accumulation import Accumulation
from monitor.report.clips import COLUMNS, ROWS, Sound
from monitor.report.markup import add, element
from monitor.report.noise import Noise

WIDTH = 440
_LEFT, _ACROSS = 40, 392
_TICKS = 5
_FAINTEST, _READABLE = 0.12, 0.4


def bars(bins: Sequence[int], threshold: float | None, text: str) -> Element:
    """Detections by confidence from 0 to 1, with the threshold of the model."""
    top, down = 6, 60
    most = max(1, *bins)
    made = _svg(top + down + 20, text)
    width = _ACROSS / len(bins)
    for number, count in enumerate(bins):
        height = down * count / most
        if count:
            at = {"x": _LEFT + width * number + 0.5, "y": top + down - max(1.0, height)}
            add(made, element("rect", width=width - 1, height=max(1.0, height), class_="bar", **at))
    if threshold is not None:
        add(made, element("path", d=f"M{_LEFT + _ACROSS * threshold:.1f} {top}v{down}", class_="threshold"))
    add(made, element("path", d=f"M{_LEFT} {top + down}h{_ACROSS}", class_="tick"))
    add(made, element("text", f"{most:,}", x=_LEFT - 7, y=top + 9, class_="axis end"))
    for tenth in range(0, 11, 2):
        at = {"x": _LEFT + _ACROSS * tenth / 10, "y": top + down + 15}
        add(made, element("text", f"{tenth / 10:g}", class_="axis middle", **at))
    return made


def curve(found: Accumulation) -> Element:
    """Species after each day, as they came and as expected of days in any order."""
    top, down, days = 8, 150, len(found.observed)
    most = max(1, *found.observed)
    made = _svg(top + down + 34, f"Species by days of listening: {most} after {days}")
    rising: list[float] = [0.0, *found.expected]
    add(made, _polyline(rising, most, top, down, "expected"))
    add(made, _polyline([0.0, *map(float, found.observed)], most, top, down, "observed"))
    for species in ticks.ticks(0, most, _TICKS):
        if species == int(species):
            y = top + down - down * species / most
            add(made, element("text", f"{species:g}", x=_LEFT - 7, y=y + 4, class_="axis end"))
    for day in ticks.ticks(0, days, _TICKS):
        if day == int(day):
            at = {"x": _LEFT + _ACROSS * day / days, "y": top + down + 15}
            add(made, element("text", f"{day:g}", class_="axis middle", **at))
    middle = {"x": _LEFT + _ACROSS / 2, "y": top + down + 30}
    add(made, element("text", "days of listening", class_="axis middle", **middle))
    return add(made, element("path", d=f"M{_LEFT} {top}v{down}h{_ACROSS}", class_="frame"))


def levels(noise: Noise) -> Element:
    """The median level of each octave and hour: the louder, the fuller; the numbers stand in it."""
    row, top = 17, 4
    made = _svg(top + row * len(noise.bands) + 32, "Median level by octave and hour of the day", wide=True)
    medians = [level[1] for level in noise.levels.values()]
    low, span = min(medians), max(1.0, max(medians) - min(medians))
    width = 2 * _ACROSS / 24
    for number, band in enumerate(reversed(noise.bands)):
        y = top + row * number
        add(made, element("text", _hertz(band), x=_LEFT + 12, y=y + 13, class_="axis end"))
        for hour in range(24):
            if level := noise.levels.get((band, hour)):
                share = _FAINTEST + _READABLE * (level[1] - low) / span
                at = {"x": _LEFT + 20 + width * hour, "y": y}
                add(made, element("rect", width=width - 1, height=row - 1, class_="heat", opacity=share, **at))
                middle = {"x": _LEFT + 20 + width * (hour + 0.5), "y": y + 12.5}
                add(made, element("text", f"{level[1]:.0f}", class_="cell middle", **middle))
    for hour in range(0, 24, 3):
        at = {"x": _LEFT + 20 + width * (hour + 0.5), "y": top + row * len(noise.bands) + 14}
        add(made, element("text", f"{hour}:00", class_="axis middle", **at))
    return made


def sound(shown: Sound) -> Element:
    """The spectrogram of a clip, with time, frequency and the detection."""
    top = 10
    down = _ACROSS * ROWS / COLUMNS
    made = _svg(top + down + 20, f"Spectrogram of {shown.length_s:.1f} s")
    image = {"x": _LEFT, "y": top, "width": _ACROSS, "height": down}
    add(made, element("image", href=shown.picture, preserveAspectRatio="none", **image))
    if shown.mark is not None:
        start, end = (_LEFT + _ACROSS * second / shown.length_s for second in shown.mark)
        add(made, element("rect", x=start, y=1, width=end - start, height=6, class_="mark"))
    for hertz in ticks.ticks(0, shown.top_hz, 4):
        y = top + down - down * hertz / shown.top_hz
        add(made, element("text", ticks.frequency(hertz), x=_LEFT - 4, y=y + 4, class_="axis end"))
    return add(made, *_seconds(shown.length_s, top + down))


def _seconds(length_s: float, bottom: float) -> Iterable[Element]:
    found = ticks.time_ticks(0, length_s, 7)
    for second in found:
        x = _LEFT + _ACROSS * second / length_s
        yield element("path", d=f"M{x:.1f} {bottom:.1f}v4", class_="tick")
        yield element("text", f"{second:g} s", x=x, y=bottom + 16, class_="axis middle")


def _polyline(values: Sequence[float], most: float, top: float, down: float, name: str) -> Element:
    """Values from the left edge to the right one; no more points than there are pixels."""
    every = max(1, len(values) // (2 * _ACROSS))
    last = len(values) - 1
    kept = [*range(0, last, every), last]
    points = (f"{_LEFT + _ACROSS * n / max(1, last):.1f},{top + down - down * values[n] / most:.1f}" for n in kept)
    return element("polyline", points=" ".join(points), class_=name)


def _svg(height: float, text: str, *, wide: bool = False) -> Element:
    width = 2 * WIDTH if wide else WIDTH
    return element("svg", viewBox=f"0 0 {width} {height:g}", role="img", aria_label=text, class_="plot")


def _hertz(band: str) -> str:
    hertz = float(band)
    return f"{hertz / 1000:g} kHz" if hertz >= 1000 else f"{hertz:g} Hz"  # noqa: PLR2004 - kilo

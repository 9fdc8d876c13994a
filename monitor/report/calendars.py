"""Days to the right and the hours of a day upwards: one geometry for effort and all species, with the sun in it.

What is dark on a light page is bright on a dark one, so a picture here is a mask: white lets the page's colour through.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from xml.etree.ElementTree import Element

import numpy as np

from monitor.pictures import png
from monitor.pictures.png import Pixels
from monitor.report.markup import add, element
from monitor.report.period import DAY, Period
from monitor.schedule.sun import solar_day

WIDTH, HEIGHT = 440, 158
_LEFT, _TOP, _ACROSS, _DOWN = 40, 8, 392, 126
_HOURS = 24
_MOST_LABELS, _NARROW = 7, 20
_MOST_DAYS_NAMED = 62
_FAINTEST = 0.22
"""of a single detection: it must not be taken for none"""

Place = tuple[float, float]
"""latitude and longitude in degrees"""
Cells = Mapping[tuple[date, int], float]
"""by day and hour"""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days there are, and when the sun rises and sets on them."""

    first: date
    days: int
    sun: Sequence[tuple[float, float]] = ()
    """hours of sunrise and sunset of each day; empty where nobody knows the place"""

    @property
    def all_days(self) -> list[date]:
        """In their order."""
        return [self.first + number * DAY for number in range(self.days)]


def calendar(days: Iterable[date], period: Period, place: Place | None) -> Calendar | None:
    """From the period's first day, or the first that there is, to its last; None where there are no days."""
    known = sorted({*days, *(day for day in (period.first, period.last) if day is not None)})
    if not known:
        return None
    count = (known[-1] - known[0]).days + 1
    found = Calendar(known[0], count)
    return found if place is None else Calendar(known[0], count, [_sun(day, period, place) for day in found.all_days])


def _sun(day: date, period: Period, place: Place) -> tuple[float, float]:
    solar = solar_day(*place, day)
    return _clock_hours(solar.sunrise + period.offset), _clock_hours(solar.sunset + period.offset)


def _clock_hours(time: datetime) -> float:
    return time.hour + time.minute / 60 + time.second / 3600


def masks(shown: Calendar, heard: Cells, least: float) -> Element:
    """What all pictures share: the hours in which nobody listened, and how they are hatched. It must be in the page."""
    unheard = np.full((_HOURS, shown.days), 255, np.uint8)
    for (day, hour), seconds in heard.items():
        if seconds >= least:
            unheard[_HOURS - 1 - hour, (day - shown.first).days] = 0
    stroke = element("path", d="M0 4L4 0", class_="hatching")
    hatch = element("pattern", stroke, id="hatch", width=4, height=4, patternUnits="userSpaceOnUse")
    defined = element("defs", hatch, _mask("unheard", unheard))
    return element("svg", defined, class_="shared", width=0, height=0, aria_hidden="true")


def picture(name: str, shown: Calendar, cells: Cells, share: Callable[[float], float], text: str) -> Element:
    """A calendar of cells, whose values become shares of the colour; `text` is for who cannot see it."""
    shades = np.zeros((_HOURS, shown.days), np.uint8)
    for (day, hour), value in cells.items():
        shades[_HOURS - 1 - hour, (day - shown.first).days] = round(255 * share(value))
    made = element("svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=text, class_="calendar")
    add(made, element("defs", _mask(name, shades)))
    add(made, _field("unheard", "url(#hatch)"), _field(name, None), _frame(), *_axes(shown), *_sun_lines(shown))
    return made


def logarithmic(most: float) -> Callable[[float], float]:
    """One is faint, the most is full, and each doubling is the same step."""
    steps = np.log2(max(2.0, most))
    return lambda value: float(_FAINTEST + (1 - _FAINTEST) * np.log2(value) / steps)


def linear(most: float) -> Callable[[float], float]:
    """Little is faint, `most` and more is full."""
    return lambda value: _FAINTEST + (1 - _FAINTEST) * min(1.0, value / most)


def _mask(name: str, shades: Pixels) -> Element:
    box = {"x": _LEFT, "y": _TOP, "width": _ACROSS, "height": _DOWN}
    image = element("image", href=png.uri(png.grey(shades)), preserveAspectRatio="none", class_="pixels", **box)
    return element("mask", image, id=name, maskUnits="userSpaceOnUse", **box)


def _field(mask: str, fill: str | None) -> Element:
    style = {"class_": "heat"} if fill is None else {"fill": fill}
    return element("rect", x=_LEFT, y=_TOP, width=_ACROSS, height=_DOWN, mask=f"url(#{mask})", **style)


def _frame() -> Element:
    return element("rect", x=_LEFT, y=_TOP, width=_ACROSS, height=_DOWN, class_="frame")


def _axes(shown: Calendar) -> Iterable[Element]:
    for hour in range(0, _HOURS + 1, 6):
        y = _TOP + _DOWN - _DOWN * hour / _HOURS
        yield element("path", d=f"M{_LEFT - 4} {y:g}h4", class_="tick")
        yield element("text", f"{hour}:00", x=_LEFT - 7, y=y + 4, class_="axis end")
    width = _ACROSS / shown.days
    for number, label in _day_labels(shown):
        x = _LEFT + width * number
        yield element("path", d=f"M{x:.1f} {_TOP + _DOWN}v4", class_="tick")
        if x < _LEFT + _ACROSS - _NARROW:
            yield element("text", label, x=x + 2, y=_TOP + _DOWN + 16, class_="axis")


def _day_labels(shown: Calendar) -> list[tuple[int, str]]:
    """First days of months where there are several, and otherwise days."""
    days = shown.all_days
    if shown.days > _MOST_DAYS_NAMED:
        marked = [(number, day) for number, day in enumerate(days) if day.day == 1]
        every = -(-len(marked) // (2 * _MOST_LABELS))
        several = len({day.year for day in days}) > 1 and shown.days > 2 * 366
        return [(number, f"{day:%b %Y}" if several else f"{day:%b}") for number, day in marked[::every]]
    every = -(-shown.days // _MOST_LABELS)
    return [(number, f"{days[number].day} {days[number]:%b}") for number in range(0, shown.days, every)]


def _sun_lines(shown: Calendar) -> Iterable[Element]:
    for which, name in enumerate(("sunrise", "sunset")):
        hours = [sun[which] for sun in shown.sun]
        if hours:
            yield element("path", d=_line(hours, shown.days), class_=name)


def _line(hours: Sequence[float], days: int) -> str:
    """A line that is broken where it passes midnight."""
    parts, before = [], None
    for number, hour in enumerate(hours):
        broken = before is None or abs(hour - before) > _HOURS / 2
        x, y = _LEFT + _ACROSS * (number + 0.5) / days, _TOP + _DOWN * (1 - hour / _HOURS)
        parts.append(f"{'M' if broken else 'L'}{x:.1f} {y:.1f}" + ("h.1" if days == 1 else ""))
        before = hour
    return "".join(parts)

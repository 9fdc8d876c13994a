"""Numbers, times and tables as the page says them."""

import datetime as dt
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from monitor.report.listening import HOUR_S, MINUTE_S
from monitor.report.markup import Content, element
from monitor.report.period import Period


def table(heads: Sequence[str], rows: Iterable[Sequence[Content]], numbers: int = 0) -> Element:
    """The last `numbers` columns are numbers."""
    kinds = [None] * (len(heads) - numbers) + ["number"] * numbers
    head = element("tr", *(element("th", text, class_=kind) for text, kind in zip(heads, kinds, strict=True)))
    body = (
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    )
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll")


def said(text: str) -> Element:
    """A sentence."""
    return element("p", text)


def lasting(seconds: float) -> str:
    """A length of time in a unit that suits it."""
    if seconds >= HOUR_S:
        return f"{seconds / HOUR_S:,.1f} h"
    return f"{seconds / MINUTE_S:.1f} min" if seconds >= MINUTE_S else f"{seconds:.3g} s"


def share(part: float, whole: float) -> str:
    """A part of a whole, in percent."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else ""


def span(period: Period, start_utc: str | None, end_utc: str | None) -> tuple[str, str]:
    """A beginning and an end."""
    return time(period, start_utc), time(period, end_utc)


def time(period: Period, utc: str | None) -> str:
    """A time by the clock of the period."""
    if utc is None:
        return ""
    local = period.local(utc)
    return f"{day(local)} {local:%H:%M}"


def day(date: dt.date) -> str:
    """A day."""
    return f"{date.day} {date:%b %Y}"


def count(number: int, thing: str) -> str:
    """So many of something."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def key(name: str) -> Element:
    """A piece of what a legend explains."""
    if name == "unheard":
        drawn = element("rect", width=32, height=12, fill="url(#hatch)")
    elif name == "heat":
        drawn = element("rect", width=32, height=12, class_="heat")
    else:
        drawn = element("path", d="M0 6h32", class_=name)
    return element("span", element("svg", drawn, viewBox="0 0 32 12", aria_hidden="true"), class_="key")

"""The page: one file that opens offline. A policy in it forbids whatever it does not hold itself, and all scripts.

Colours: one hue by lightness for heat, blue and orange of Okabe and Ito (2008) for lines, and lines that also differ by
their dashes; magma for sound. None of it needs a colour to be told from another by its hue.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from monitor.report import ailments, explained, parts
from monitor.report.markup import add, element
from monitor.report.season import Season
from monitor.sinks.tables.whole import refusing, whole

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def write_page(path: Path, season: Season, made: datetime) -> int:
    """Write the page; its size in bytes. StoreError where it cannot be written."""
    text = "<!DOCTYPE html>\n" + tostring(page(season, made), encoding="unicode", method="html")
    encoded = text.encode(errors="replace")
    with whole(path) as partial, refusing(path):
        partial.write_bytes(encoded)
    return len(encoded)


def page(season: Season, made: datetime) -> Element:
    """The document, which was made at a time of UTC."""
    title = f"{season.asked.title or season.asked.station}: what was heard"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", (files("monitor.report") / "style.css").read_text(encoding="utf-8")),
    )
    body = element("body", element("main", *_sections(season)), parts.footer(season, made))
    return element("html", head, body, lang="en")


def _sections(season: Season) -> Iterator[Element]:
    yield parts.heading(season)
    if season.calendar is not None:
        yield parts.shared(season)
    yield _section("When was listened", explained.EFFORT, parts.effort(season))
    yield _section("Which species", explained.SPECIES, parts.species_table(season))
    yield _section("Species by day and hour", explained.CARDS, parts.species_cards(season))
    yield _section("Is the list complete?", explained.ACCUMULATION, parts.accumulation(season))
    yield _section("How loud it was", explained.NOISE, parts.noise(season))
    yield _section("How the station fared", explained.HEALTH, ailments.health(season))
    yield _section("The model", explained.MODEL, parts.models(season))


def _section(title: str, text: str, content: Iterable[Element]) -> Element:
    return add(element("section", element("h2", title), element("p", text, class_="note")), *content)

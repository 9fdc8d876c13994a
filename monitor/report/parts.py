"""The parts of the page."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from importlib.metadata import version
from xml.etree.ElementTree import Element

from monitor.clock import rfc3339
from monitor.contract import Label
from monitor.report import calendars, charts, explained
from monitor.report.card import lines
from monitor.report.clips import Sound
from monitor.report.listening import HOUR_S, LISTENED_S, MINUTE_S, Spent
from monitor.report.markup import Content, add, element
from monitor.report.season import Season
from monitor.report.species import Species

MOST_CARDS, MOST_DAYS = 100, 40_000
"""species that have pictures, and days in all of them together, so that the page stays small; the table has all"""
MOST_SOURCES = 8
"""of the table of sources; the others are summed up"""


def heading(season: Season) -> Element:
    """What it is about, and the four numbers that one looks for."""
    shown, total = season.calendar, season.listening.total
    about = "no times are known"
    if shown is not None:
        days = shown.all_days
        about = f"{_day(days[0])} to {_day(days[-1])}, by {season.asked.period.clock} all year round"
    if season.place is not None:
        about += f"; {season.place[0]:.4f}, {season.place[1]:.4f}"
    facts = [
        (_lasting(total.heard_s) if season.listening.sources else "?", "heard"),
        (f"{len(season.listening.days):,}" if season.listening.days else "?", "days with listening"),
        (f"{len(season.species):,}", "species"),
        (f"{sum(one.detections for one in season.species):,}", "detections"),
    ]
    boxes = (element("div", element("b", number), text) for number, text in facts)
    head = element("header", element("h1", season.asked.title or season.asked.station), element("p", about))
    return add(head, element("div", *boxes, class_="facts"))


def shared(season: Season) -> Element:
    """What the calendars have in common."""
    assert season.calendar is not None  # noqa: S101 - there is a calendar wherever one is drawn
    return calendars.masks(season.calendar, season.listening.hours, LISTENED_S)


def effort(season: Season) -> Iterator[Element]:
    """The calendar of effort, and who heard how much."""
    shown, listening = season.calendar, season.listening
    if not listening.sources:
        yield _said("There is no record of effort: absence says nothing here.")
        return
    if shown is not None:
        hours = {key: seconds for key, seconds in listening.hours.items() if seconds > 0}
        text = f"Hours heard on {shown.days} days"
        drawn = calendars.picture("effort", shown, hours, calendars.linear(HOUR_S), text)
        yield element("figure", drawn, _sun_key(season, "heard"), class_="one")
    first = listening.sources[:MOST_SOURCES]
    rows = [(one.recording, *_span(season, one.start_utc, one.end_utc), *_hours(one.spent)) for one in first]
    if len(listening.sources) > len(first):
        rows.append((f"all {len(listening.sources)} together", "", "", *_hours(listening.total)))
    heads = ("source", "from", "to", "heard", "lost", "paused", "withheld")
    yield _table(heads, rows, numbers=4)


def species_table(season: Season) -> Iterator[Element]:
    """A line a species."""
    if not season.species:
        yield _said("Nothing was found.")
        return
    rows = [_species_row(season, one) for one in season.species]
    heads = ["species", "first", "last", "detections", "days", "best conf.", "mean", "precision"]
    if not any(row[-1] for row in rows):  # nobody here knows what the model's maker measured
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    yield _table(heads, rows, numbers=len(heads) - 3)


def species_cards(season: Season) -> Iterator[Element]:
    """A card a species."""
    shown = min(MOST_CARDS, MOST_DAYS // season.calendar.days) if season.calendar else MOST_CARDS
    cards = [_card(season, number, one) for number, one in enumerate(season.species[:shown])]
    if season.calendar is not None and cards:
        yield _sun_key(season, "most in an hour")
    yield element("div", *cards, class_="cards")
    if len(season.species) > len(cards):
        yield _said(f"The other {len(season.species) - len(cards)} species stand in the table.")
    if season.unread:
        yield _said(f"{_count(season.unread, 'clip')} could not be read.")


def accumulation(season: Season) -> Iterator[Element]:
    """The curve, and what it comes to."""
    found = season.accumulation
    if found is None:
        yield _said("Nobody knows on which days was listened.")
        return
    total = found.observed[-1]
    key = element("figcaption", _key("observed"), "as they came", _key("expected"), "expected in any order")
    yield element("figure", charts.curve(found), key, class_="one")
    yield _said(f"{total} species found on {len(found.observed)} days; at least {found.chao2:.1f} are there by Chao2.")


def noise(season: Season) -> Iterator[Element]:
    """Levels by octave and hour."""
    if not season.noise.bands:
        yield _said("No levels were kept.")
        return
    caption = element("figcaption", f"From {season.noise.minutes:,} minutes, by {season.asked.period.clock}.")
    yield element("figure", element("div", charts.levels(season.noise), class_="scroll"), caption)


def health(season: Season) -> Iterator[Element]:
    """Why not all was heard, the clock, and remarks."""
    total = season.listening.total
    causes = [
        (text, _lasting(getattr(total, f"{name}_s")), _share(getattr(total, f"{name}_s"), total.elapsed_s))
        for name, text in explained.CAUSES.items()
        if getattr(total, f"{name}_s") > 0
    ]
    if causes:
        yield _table(("not heard", "time", "share"), causes, numbers=2)
    elif season.listening.sources:
        yield _said("All of what was recorded was heard.")
    if total.clipped_s > 0:
        yield _said(
            f"Overdriven: {total.clipped_s:,.1f} s of what was heard, {_share(total.clipped_s, total.heard_s)}."
        )
    elapsed_s = sum(season.listening.qualities.values())
    qualities = [(explained.QUALITIES[name], _share(s, elapsed_s)) for name, s in season.listening.qualities.items()]
    if qualities:
        yield _table(("time is known", "share"), qualities, numbers=1)
    if season.marks:
        rows = [(_time(season, mark.at_utc or mark.issued_utc), mark.text) for mark in season.marks]
        yield _table(("when", "remark"), rows)


def models(season: Season) -> Iterator[Element]:
    """The cards of the models."""
    for name in season.models:
        yield element("h3", name)
        contract = season.asked.cards.contracts.get(name)
        if contract is None:
            yield _said("Its file is not at hand: name it with --model, and its card and thresholds stand here.")
        else:
            pairs = (
                element(tag, text) for line in lines(contract) for tag, text in zip(("dt", "dd"), line, strict=True)
            )
            yield element("dl", *pairs)
    if not season.models:
        yield _said("No model has said anything.")


def footer(season: Season, made: datetime) -> Element:
    """Who made the page, and when."""
    text = f"Made {rfc3339(made)} by Dawn Chorus {version('dawnchorus')}. Times by {season.asked.period.clock}."
    return element("footer", element("p", text, class_="note"))


def _card(season: Season, number: int, one: Species) -> Element:
    names = element("h3", one.called, " ", _scientific(one) if one.common_name else None)
    days = f" on {_count(len(one.days), 'day')}" if one.days else ""
    made = element("article", names, element("p", f"{_count(one.detections, 'detection')}{days}", class_="note"))
    made.set("class", "card")
    if season.calendar is not None and one.hours:
        cells = {(hour.day, hour.hour): float(hour.detections) for hour in one.hours}
        share = calendars.logarithmic(max(cells.values()))
        text = f"{one.called} by day and hour; at most {max(cells.values()):.0f} detections in an hour"
        drawn = calendars.picture(f"species{number}", season.calendar, cells, share, text)
        add(made, element("figure", drawn, element("figcaption", f"at most {max(cells.values()):,.0f} an hour")))
    label = season.asked.cards.label(season.models, one.name)
    bars = charts.bars(one.bins, None if label is None else label.threshold, f"{one.called} by confidence")
    add(made, element("figure", bars, element("figcaption", _precision(one, label))))
    return add(made, *(_player(season, one, sound) for sound in season.sounds.get(one.name, [])))


def _scientific(one: Species) -> Element:
    return element("span", one.name, class_="scientific")


def _precision(one: Species, label: Label | None) -> str:
    text = f"mean confidence {one.mean:.2f}"
    if label is None:
        return text
    text += f"; threshold {label.threshold:.2f}"
    return text if label.precision is None else f"{text}, where {100 * label.precision:.0f} % of reports were right"


def _player(season: Season, one: Species, sound: Sound) -> Element:
    when = f"{_time(season, sound.onset_utc)}, " if sound.onset_utc else ""
    audio = element("audio", controls="", preload="none", src=sound.audio, aria_label=f"{one.called}, {when}a clip")
    return element(
        "figure", charts.sound(sound), audio, element("figcaption", f"{when}{sound.confidence:.2f}"), class_="clip"
    )


def _species_row(season: Season, one: Species) -> tuple[Content, ...]:
    label = season.asked.cards.label(season.models, one.name)
    precision = "" if label is None or label.precision is None else f"{label.precision:.2f}"
    return (
        element("span", one.called, *([element("br"), _scientific(one)] if one.common_name else [])),
        *_span(season, one.first_utc, one.last_utc),
        *(f"{one.detections:,}", f"{len(one.days):,}" if one.days else "", f"{one.best:.2f}", f"{one.mean:.2f}"),
        precision,
    )


def _sun_key(season: Season, full: str) -> Element:
    """What the full colour and the lines of a calendar are."""
    caption = element("figcaption", _key("heat"), full, _key("unheard"), "nobody listened")
    if season.calendar is not None and season.calendar.sun:
        return add(caption, _key("sunrise"), "sunrise", _key("sunset"), "sunset")
    return add(caption, "; sunrise and sunset need the place")


def _key(name: str) -> Element:
    """A piece of what a legend explains."""
    if name == "unheard":
        drawn = element("rect", width=32, height=12, fill="url(#hatch)")
    elif name == "heat":
        drawn = element("rect", width=32, height=12, class_="heat")
    else:
        drawn = element("path", d="M0 6h32", class_=name)
    return element("span", element("svg", drawn, viewBox="0 0 32 12", aria_hidden="true"), class_="key")


def _table(heads: Sequence[str], rows: Iterable[Sequence[Content]], numbers: int = 0) -> Element:
    """The last `numbers` columns are numbers."""
    kinds = [None] * (len(heads) - numbers) + ["number"] * numbers
    head = element("tr", *(element("th", text, class_=kind) for text, kind in zip(heads, kinds, strict=True)))
    body = (
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    )
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll")


def _said(text: str) -> Element:
    return element("p", text)


def _hours(spent: Spent) -> tuple[str, ...]:
    return tuple(_lasting(s) for s in (spent.heard_s, spent.lost_s, spent.paused_s, spent.withheld_s))


def _lasting(seconds: float) -> str:
    """A length of time in a unit that suits it."""
    if seconds >= HOUR_S:
        return f"{seconds / HOUR_S:,.1f} h"
    return f"{seconds / MINUTE_S:.1f} min" if seconds >= MINUTE_S else f"{seconds:.3g} s"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole > 0 else ""


def _span(season: Season, start_utc: str | None, end_utc: str | None) -> tuple[str, str]:
    return _time(season, start_utc), _time(season, end_utc)


def _time(season: Season, utc: str | None) -> str:
    if utc is None:
        return ""
    local = season.asked.period.local(utc)
    return f"{_day(local)} {local:%H:%M}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")

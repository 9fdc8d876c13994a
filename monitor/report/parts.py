"""The parts of the page."""

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from xml.etree.ElementTree import Element

from monitor.clock import rfc3339
from monitor.contract import Label
from monitor.report import calendars, charts, wording
from monitor.report.card import lines
from monitor.report.clips import Sound
from monitor.report.listening import HOUR_S, LISTENED_S, Spent
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
        about = f"{wording.day(days[0])} to {wording.day(days[-1])}, by {season.asked.period.clock} all year round"
    if season.place is not None:
        about += f"; {season.place[0]:.4f}, {season.place[1]:.4f}"
    facts = [
        (wording.lasting(total.heard_s) if season.listening.sources else "?", "heard"),
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
        yield wording.said("There is no record of effort: absence says nothing here.")
        return
    if shown is not None:
        hours = {key: seconds for key, seconds in listening.hours.items() if seconds > 0}
        text = f"Hours heard on {shown.days} days"
        drawn = calendars.picture("effort", shown, hours, calendars.linear(HOUR_S), text)
        yield element("figure", drawn, _sun_key(season, "heard"), class_="one")
    first = listening.sources[:MOST_SOURCES]
    rows = [
        (one.recording, *wording.span(season.asked.period, one.start_utc, one.end_utc), *_hours(one.spent))
        for one in first
    ]
    if len(listening.sources) > len(first):
        rows.append((f"all {len(listening.sources)} together", "", "", *_hours(listening.total)))
    heads = ("source", "from", "to", "heard", "lost", "paused", "withheld")
    yield wording.table(heads, rows, numbers=4)


def species_table(season: Season) -> Iterator[Element]:
    """A line a species."""
    if not season.species:
        yield wording.said("Nothing was found.")
        return
    rows = [_species_row(season, one) for one in season.species]
    heads = ["species", "first", "last", "detections", "days", "best conf.", "mean", "precision"]
    if not any(row[-1] for row in rows):  # nobody here knows what the model's maker measured
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    yield wording.table(heads, rows, numbers=len(heads) - 3)


def species_cards(season: Season) -> Iterator[Element]:
    """A card a species."""
    shown = min(MOST_CARDS, MOST_DAYS // season.calendar.days) if season.calendar else MOST_CARDS
    cards = [_card(season, number, one) for number, one in enumerate(season.species[:shown])]
    if season.calendar is not None and cards:
        yield _sun_key(season, "most in an hour")
    yield element("div", *cards, class_="cards")
    if len(season.species) > len(cards):
        yield wording.said(f"The other {len(season.species) - len(cards)} species stand in the table.")
    if season.unread:
        yield wording.said(f"{wording.count(season.unread, 'clip')} could not be read.")


def accumulation(season: Season) -> Iterator[Element]:
    """The curve, and what it comes to."""
    found = season.accumulation
    if found is None:
        yield wording.said("Nobody knows on which days was listened.")
        return
    total = found.observed[-1]
    key = element(
        "figcaption", wording.key("observed"), "as they came", wording.key("expected"), "expected in any order"
    )
    yield element("figure", charts.curve(found), key, class_="one")
    yield wording.said(
        f"{total} species found on {len(found.observed)} days; at least {found.chao2:.1f} are there by Chao2."
    )


def noise(season: Season) -> Iterator[Element]:
    """Levels by octave and hour."""
    if not season.noise.bands:
        yield wording.said("No levels were kept.")
        return
    caption = element("figcaption", f"From {season.noise.minutes:,} minutes, by {season.asked.period.clock}.")
    yield element("figure", element("div", charts.levels(season.noise), class_="scroll"), caption)


def models(season: Season) -> Iterator[Element]:
    """The cards of the models."""
    for name in season.models:
        yield element("h3", name)
        contract = season.asked.cards.contracts.get(name)
        if contract is None:
            yield wording.said("Its file is not at hand: name it with --model, and its card and thresholds stand here.")
        else:
            pairs = (
                element(tag, text) for line in lines(contract) for tag, text in zip(("dt", "dd"), line, strict=True)
            )
            yield element("dl", *pairs)
    if not season.models:
        yield wording.said("No model has said anything.")


def footer(season: Season, made: datetime) -> Element:
    """Who made the page, and when."""
    text = f"Made {rfc3339(made)} by Dawn Chorus {version('dawnchorus')}. Times by {season.asked.period.clock}."
    return element("footer", element("p", text, class_="note"))


def _card(season: Season, number: int, one: Species) -> Element:
    names = element("h3", one.called, " ", _scientific(one) if one.common_name else None)
    days = f" on {wording.count(len(one.days), 'day')}" if one.days else ""
    made = element("article", names, element("p", f"{wording.count(one.detections, 'detection')}{days}", class_="note"))
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
    when = f"{wording.time(season.asked.period, sound.onset_utc)}, " if sound.onset_utc else ""
    audio = element("audio", controls="", preload="none", src=sound.audio, aria_label=f"{one.called}, {when}a clip")
    return element(
        "figure", charts.sound(sound), audio, element("figcaption", f"{when}{sound.confidence:.2f}"), class_="clip"
    )


def _species_row(season: Season, one: Species) -> tuple[Content, ...]:
    label = season.asked.cards.label(season.models, one.name)
    precision = "" if label is None or label.precision is None else f"{label.precision:.2f}"
    return (
        element("span", one.called, *([element("br"), _scientific(one)] if one.common_name else [])),
        *wording.span(season.asked.period, one.first_utc, one.last_utc),
        *(f"{one.detections:,}", f"{len(one.days):,}" if one.days else "", f"{one.best:.2f}", f"{one.mean:.2f}"),
        precision,
    )


def _sun_key(season: Season, full: str) -> Element:
    """What the full colour and the lines of a calendar are."""
    caption = element("figcaption", wording.key("heat"), full, wording.key("unheard"), "nobody listened")
    if season.calendar is not None and season.calendar.sun:
        return add(caption, wording.key("sunrise"), "sunrise", wording.key("sunset"), "sunset")
    return add(caption, "; sunrise and sunset need the place")


def _hours(spent: Spent) -> tuple[str, ...]:
    return tuple(wording.lasting(s) for s in (spent.heard_s, spent.lost_s, spent.paused_s, spent.withheld_s))

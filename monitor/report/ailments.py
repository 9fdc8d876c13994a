"""The part of the page that says how the station fared."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from monitor.report import calendars, explained, wording
from monitor.report.health import NO_RECORD
from monitor.report.listening import HOUR_S, Spent
from monitor.report.markup import element
from monitor.report.season import Season

MOST_INTERRUPTIONS, MOST_TRUSTS = 12, 16
"""of the tables; what there are more is summed up"""
_MEGABYTE = 1_000_000


def health(season: Season) -> Iterator[Element]:
    """Why not all was heard, the clock, clips, messages, and remarks."""
    yield from _causes(season)
    yield from _lost(season)
    yield from _interruptions(season)
    yield from _clock(season)
    yield from _clips(season)
    yield from _messages(season)
    if season.marks:
        period = season.asked.period
        rows = [(wording.time(period, mark.at_utc or mark.issued_utc), mark.text) for mark in season.marks]
        yield wording.table(("when", "remark"), rows)


def _causes(season: Season) -> Iterator[Element]:
    total = season.listening.total
    causes = [
        (text, wording.lasting(seconds), wording.share(seconds, total.elapsed_s))
        for name, text in explained.CAUSES.items()
        if (seconds := _seconds(total, name)) > 0
    ]
    if causes:
        yield wording.table(("not heard", "time", "share"), causes, numbers=2)
    elif season.listening.sources:
        yield wording.said("All of what was recorded was heard.")
    if total.clipped_s > 0:
        part = wording.share(total.clipped_s, total.heard_s)
        yield wording.said(f"Overdriven: {total.clipped_s:,.1f} s of what was heard, {part}.")


def _seconds(total: Spent, cause: str) -> float:
    found: float = getattr(total, f"{cause}_s")
    return found


def _lost(season: Season) -> Iterator[Element]:
    """When it was lost; a paused station loses nothing."""
    shown, lost = season.calendar, season.health.lost
    if shown is None or not lost:
        return
    text = f"Hours in which something was lost, of {shown.days} days"
    drawn = calendars.picture("lost", shown, lost, calendars.linear(HOUR_S), text)
    key = element("figcaption", wording.key("heat"), "all of the hour lost", wording.key("unheard"), "nobody listened")
    yield element("figure", drawn, key, class_="one")


def _interruptions(season: Season) -> Iterator[Element]:
    found, period = season.health.interruptions, season.asked.period
    if not found:
        if season.listening.qualities:
            yield wording.said("It was never interrupted for a minute.")
        return
    first = found[:MOST_INTERRUPTIONS]
    rows = [
        (
            *wording.span(period, one.start_utc, one.end_utc),
            one.recording,
            _cause(one.cause),
            wording.lasting(one.lasting_s),
        )
        for one in first
    ]
    if len(found) > len(first):
        left_s = sum(one.lasting_s for one in found[MOST_INTERRUPTIONS:])
        rows.append(
            ("", "", "", f"{wording.count(len(found) - len(first), 'shorter one')} together", wording.lasting(left_s))
        )
    yield wording.table(("interrupted", "until", "source", "why", "time"), rows, numbers=1)


def _cause(name: str) -> str:
    return "no record: without power, or not running" if name == NO_RECORD else explained.CAUSES[name]


def _clock(season: Season) -> Iterator[Element]:
    """How far times can be trusted, in all and in the course of the days."""
    elapsed_s, trust = sum(season.listening.qualities.values()), season.health.trust
    qualities = [
        (explained.QUALITIES[name], wording.share(seconds, elapsed_s))
        for name, seconds in season.listening.qualities.items()
    ]
    if qualities:
        yield wording.table(("time is known", "share"), qualities, numbers=1)
    if len({one.quality for one in trust}) > 1 or any(one.error_s is not None for one in trust):
        rows = [
            (wording.day(one.first), wording.day(one.last), explained.QUALITIES[one.quality], _right_to(one.error_s))
            for one in trust[:MOST_TRUSTS]
        ]
        if len(trust) > MOST_TRUSTS:
            rows.append((wording.day(trust[MOST_TRUSTS].first), wording.day(trust[-1].last), "by turns", ""))
        yield wording.table(("from", "to", "time at its worst is known", "right to"), rows, numbers=1)


def _right_to(error_s: float | None) -> str:
    if error_s is None:
        return "?"
    return f"{1000 * error_s:.0f} ms" if error_s < 1 else wording.lasting(error_s)


def _clips(season: Season) -> Iterator[Element]:
    found = season.health.clips
    if not found:
        return
    rows = [
        ("kept" if one.why is None else explained.DELETED[one.why], f"{one.count:,}", f"{one.size / _MEGABYTE:,.1f} MB")
        for one in found
    ]
    yield wording.table(("clips", "number", "size"), rows, numbers=2)


def _messages(season: Season) -> Iterator[Element]:
    """What of the store's whole life the broker has not."""
    if season.health.given_up:
        given_up = wording.count(season.health.given_up, "message")
        yield wording.said(f"The outbox was full, and gave up {given_up}; detections and effort are here all the same.")
    if season.health.waiting:
        yield wording.said(f"{wording.count(season.health.waiting, 'message')} no broker has taken yet.")

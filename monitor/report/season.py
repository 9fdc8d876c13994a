"""READ FIRST. All that is told of a store or an analysis, read in one go.

folder -> opened -> species, listening, noise, health, remarks, clips -> Season -> page, sheets, occurrences
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import RecordingError
from monitor.report.accumulation import Accumulation, accumulate
from monitor.report.calendars import Calendar, Place, calendar
from monitor.report.card import Cards
from monitor.report.clips import Sound, best_clips, sound_of
from monitor.report.health import Health, read_health
from monitor.report.listening import Listening, read_listening
from monitor.report.noise import Noise, read_noise
from monitor.report.period import Period
from monitor.report.species import Species, read_models, read_species
from monitor.sinks.clips import naming
from monitor.sinks.orders import MARK_COLUMNS, Mark

CLIPS_EACH = 2
CLIP_BYTES = 3_200_000
"""of the page, for sounds and their pictures: all of it stays below 5 MB"""


@dataclass(frozen=True, slots=True)
class Clipping:
    """Where the clips lie; None: nowhere."""

    folder: Path | None = None
    before_s: float = 2.0
    """of a clip before its detection"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said beside the folder."""

    station: str
    """as deployments name it"""
    period: Period = field(default_factory=Period)
    place: Place | None = None
    """None: where the store's receiver was, if it had one"""
    cards: Cards = field(default_factory=lambda: Cards({}))
    clipping: Clipping = field(default_factory=Clipping)
    title: str = ""
    """of the page; empty: the station"""


@dataclass(frozen=True, slots=True)
class Season:
    """All of it."""

    asked: Asked
    place: Place | None
    species: Sequence[Species]
    listening: Listening
    noise: Noise
    health: Health
    marks: Sequence[Mark]
    models: Sequence[str]
    """that found something or listened"""
    calendar: Calendar | None
    """None where no time is known"""
    accumulation: Accumulation | None
    """None where nobody knows on which days was listened"""
    sounds: dict[str, list[Sound]]
    """the best clips, by the names of species"""
    unread: int
    """clips that could not be read"""


def read_season(connection: sqlite3.Connection, asked: Asked) -> Season:
    """From what `opened` gives. StoreError where the clips' folder cannot be read."""
    species, listening = read_species(connection), read_listening(connection)
    place = asked.place or _receiver(connection)
    days = {day for one in species for day in one.days} | {day for day, _hour in listening.hours}
    listened = listening.days
    sounds, unread = _sounds(connection, species, asked.clipping)
    return Season(
        asked=asked,
        place=place,
        species=species,
        listening=listening,
        noise=read_noise(connection),
        health=read_health(connection, asked.period.start_utc, asked.period.end_utc),
        marks=_marks(connection, asked.period),
        models=read_models(connection),
        calendar=calendar(days, asked.period, place),
        accumulation=accumulate(listened, [one.days for one in species]) if listened else None,
        sounds=sounds,
        unread=unread,
    )


def _sounds(
    connection: sqlite3.Connection, species: Sequence[Species], clipping: Clipping
) -> tuple[dict[str, list[Sound]], int]:
    """The best of each species, then the second best of each, as long as there is room; and how many cannot be read."""
    best = {} if clipping.folder is None else best_clips(clipping.folder, CLIPS_EACH, _rejected(connection))
    sounds: dict[str, list[Sound]] = {}
    size = unread = 0
    for rank in range(CLIPS_EACH):
        for one in species:
            for clip in best.get(naming.hyphened(one.name), [])[rank : rank + 1]:
                try:
                    found = sound_of(clip, connection, clipping.before_s)
                except RecordingError:
                    unread += 1
                    continue
                if size + found.size <= CLIP_BYTES:
                    sounds.setdefault(one.name, []).append(found)
                    size += found.size
    return sounds, unread


def _rejected(connection: sqlite3.Connection) -> set[str]:
    """The beginnings of the ids of detections whose last verdict says that they are none."""
    last = "SELECT max(sequence) FROM verdicts GROUP BY detection"
    query = f"SELECT detection FROM verdicts WHERE verdict = 'rejected' AND sequence IN ({last})"  # noqa: S608
    return {found[: naming.ID_LETTERS] for (found,) in connection.execute(query)}


def _marks(connection: sqlite3.Connection, period: Period) -> list[Mark]:
    """Remarks of the period; of those without a time, by when they were sent."""
    rows = connection.execute(f"SELECT {', '.join(MARK_COLUMNS)} FROM marks ORDER BY rowid")  # noqa: S608
    marks = [Mark(*row) for row in rows]
    start, end = period.start_utc or "", period.end_utc or "~"
    return [mark for mark in marks if start <= (mark.at_utc or mark.issued_utc) < end]


def _receiver(connection: sqlite3.Connection) -> Place | None:
    row = connection.execute("SELECT latitude, longitude FROM position").fetchone()
    return None if row is None else (row[0], row[1])

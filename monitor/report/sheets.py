"""The numbers of the page as tables. Days and hours are the period's."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from monitor.report.columns import Form, Row, Table, write_table
from monitor.report.listening import SPENT_COLUMNS
from monitor.report.season import Season
from monitor.report.species import BINS

_LABELLED = {"scientific_name": str, "common_name": str}
_HOUR = {"day": date, "hour": int}


def write_sheets(folder: Path, season: Season, forms: tuple[Form, ...] = (Form.CSV,)) -> None:
    """Write all tables into a folder; StoreError where one cannot be written."""
    for form in forms:
        for table in _tables(season):
            write_table(folder, table, [form])


def _tables(season: Season) -> Iterator[Table]:
    counts = {"detections": int, "undated": int, "days": int, "first_utc": datetime, "last_utc": datetime}
    measured = dict.fromkeys(("best_confidence", "mean_confidence", "threshold", "precision"), float)
    yield Table("species", _LABELLED | counts | measured, _species(season))
    hours = {"scientific_name": str, **_HOUR, "detections": int, "heard_s": float}
    yield Table("hours", hours, _hours(season))
    confidence = {"scientific_name": str, "from": float, "to": float, "detections": int}
    yield Table("confidence", confidence, _confidence(season))
    yield Table("listening", {**_HOUR, "heard_s": float, "lost_s": float}, _listening(season))
    spent = dict.fromkeys(SPENT_COLUMNS, float)
    yield Table("sources", {"source": str, "start_utc": datetime, "end_utc": datetime, **spent}, _sources(season))
    yield Table("accumulation", {"day": date, "species": int, "expected": float}, _accumulation(season))
    levels = dict.fromkeys(("quieter_tenth_dbfs", "median_dbfs", "louder_tenth_dbfs"), float)
    yield Table("noise", {"octave_hz": float, "hour": int, **levels}, _noise(season))
    gone = {"source": str, "start_utc": datetime, "end_utc": datetime, "cause": str, "lasting_s": float}
    yield Table("interruptions", gone, _interruptions(season))
    clock = {"first_day": date, "last_day": date, "worst_quality": str, "error_s": float}
    yield Table("clock", clock, _clock(season))
    yield Table("clips", {"state": str, "why": str, "clips": int, "bytes": int}, _clips(season))


def _species(season: Season) -> Iterator[Row]:
    for one in season.species:
        label = season.asked.cards.label(season.models, one.name)
        measured = (None, None) if label is None else (label.threshold, label.precision)
        counts = (one.detections, one.undated, len(one.days), one.first_utc, one.last_utc)
        yield one.name, one.common_name, *counts, round(one.best, 4), round(one.mean, 4), *measured


def _hours(season: Season) -> Iterator[Row]:
    for one in season.species:
        for hour in one.hours:
            heard_s = season.listening.hours.get((hour.day, hour.hour), 0.0)
            yield one.name, hour.day, hour.hour, hour.detections, round(heard_s, 3)


def _confidence(season: Season) -> Iterator[Row]:
    for one in season.species:
        for number, detections in enumerate(one.bins):
            yield one.name, round(number / BINS, 4), round((number + 1) / BINS, 4), detections


def _listening(season: Season) -> Iterator[Row]:
    for (day, hour), heard_s in sorted(season.listening.hours.items()):
        yield day, hour, round(heard_s, 3), round(season.health.lost.get((day, hour), 0.0), 3)


def _sources(season: Season) -> Iterator[Row]:
    for one in season.listening.sources:
        spent = (round(getattr(one.spent, name), 3) for name in SPENT_COLUMNS)
        yield one.recording, one.start_utc, one.end_utc, *spent


def _accumulation(season: Season) -> Iterator[Row]:
    if season.accumulation is not None:
        found = season.accumulation
        for day, species, expected in zip(season.listening.days, found.observed, found.expected, strict=True):
            yield day, species, round(expected, 3)


def _noise(season: Season) -> Iterator[Row]:
    for band in season.noise.bands:
        for hour in range(24):
            if levels := season.noise.levels.get((band, hour)):
                yield float(band), hour, *(round(level, 1) for level in levels)


def _interruptions(season: Season) -> Iterator[Row]:
    for one in season.health.interruptions:
        yield one.recording, one.start_utc, one.end_utc, one.cause, round(one.lasting_s, 3)


def _clock(season: Season) -> Iterator[Row]:
    for one in season.health.trust:
        yield one.first, one.last, one.quality, one.error_s


def _clips(season: Season) -> Iterator[Row]:
    for one in season.health.clips:
        yield "kept" if one.why is None else "deleted", one.why, one.count, one.size

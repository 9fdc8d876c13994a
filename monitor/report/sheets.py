"""The numbers of the page as CSV, one table each."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from monitor.report.listening import SPENT_COLUMNS
from monitor.report.season import Season
from monitor.report.species import BINS
from monitor.sinks.tables.whole import refusing, whole

Row = Sequence[object]


def write_sheets(folder: Path, season: Season) -> list[Path]:
    """Write all tables into a folder; StoreError where one cannot be written. Days and hours are the period's."""
    tables = {
        "species.csv": _species(season),
        "hours.csv": _hours(season),
        "confidence.csv": _confidence(season),
        "listening.csv": _listening(season),
        "sources.csv": _sources(season),
        "accumulation.csv": _accumulation(season),
        "noise.csv": _noise(season),
    }
    for name, rows in tables.items():
        write_rows(folder / name, rows)
    return [folder / name for name in tables]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """A table that appears whole; its first row is the header. StoreError where it cannot be written."""
    with whole(path) as partial, refusing(path), partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _species(season: Season) -> Iterator[Row]:
    yield (
        *("scientific_name", "common_name", "detections", "undated", "days", "first_utc", "last_utc"),
        *("best_confidence", "mean_confidence", "threshold", "precision"),
    )
    for one in season.species:
        label = season.asked.cards.label(season.models, one.name)
        measured = ("", "") if label is None else (label.threshold, label.precision)
        counts = (one.detections, one.undated, len(one.days), one.first_utc, one.last_utc)
        yield one.name, one.common_name, *counts, round(one.best, 4), round(one.mean, 4), *measured


def _hours(season: Season) -> Iterator[Row]:
    yield "scientific_name", "day", "hour", "detections", "heard_s"
    for one in season.species:
        for hour in one.hours:
            heard_s = season.listening.hours.get((hour.day, hour.hour), 0.0)
            yield one.name, hour.day, hour.hour, hour.detections, round(heard_s, 3)


def _confidence(season: Season) -> Iterator[Row]:
    yield "scientific_name", "from", "to", "detections"
    for one in season.species:
        for number, detections in enumerate(one.bins):
            yield one.name, round(number / BINS, 4), round((number + 1) / BINS, 4), detections


def _listening(season: Season) -> Iterator[Row]:
    yield "day", "hour", "heard_s"
    for (day, hour), heard_s in sorted(season.listening.hours.items()):
        yield day, hour, round(heard_s, 3)


def _sources(season: Season) -> Iterator[Row]:
    yield "source", "start_utc", "end_utc", *SPENT_COLUMNS
    for one in season.listening.sources:
        spent = (round(getattr(one.spent, name), 3) for name in SPENT_COLUMNS)
        yield one.recording, one.start_utc, one.end_utc, *spent


def _accumulation(season: Season) -> Iterator[Row]:
    yield "day", "species", "expected"
    if season.accumulation is not None:
        found = season.accumulation
        for day, species, expected in zip(season.listening.days, found.observed, found.expected, strict=True):
            yield day, species, round(expected, 3)


def _noise(season: Season) -> Iterator[Row]:
    yield "octave_hz", "hour", "quieter_tenth_dbfs", "median_dbfs", "louder_tenth_dbfs"
    for band in season.noise.bands:
        for hour in range(24):
            if levels := season.noise.levels.get((band, hour)):
                yield band, hour, *(round(level, 1) for level in levels)

"""Where recorders stood, and when: a table of the user's that gives recordings a place.

    site,latitude,longitude,start,end,path
    Moor,47.91,11.28,2026-04-01,2026-06-30,*/moor/*

`start` and `end` are ISO 8601, a day alone counts whole; without an offset they are meant in the zone of the
recordings. Where they are empty it is not known when the recorder came or went. `path` is a pattern of the recordings'
paths, and may be left out. Other columns are passed over.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from pathlib import Path

from monitor.errors import ConfigError, RecordingError
from monitor.recorded import Position
from monitor.sources.remote import Place

_NEEDED = ("site", "latitude", "longitude")
_DAY_CHARACTERS = len("2026-05-01")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A recorder at a place for a period."""

    site: str
    position: Position
    start: datetime | None
    """UTC; None where nobody says"""
    end: datetime | None
    """UTC, not included"""
    path: str
    """pattern; empty where it is not asked"""

    def holds(self, path: Place, start: datetime | None) -> bool:
        """Whether a recording that began at this time was made here. One without a time needs the path to say so."""
        if self.path and not fnmatchcase(str(path), self.path):
            return False
        if start is None:
            return bool(self.path) or self.start is self.end is None
        return (self.start or _FIRST) <= start < (self.end or _LAST)


@dataclass(frozen=True, slots=True)
class Deployments:
    """All that a table holds."""

    rows: tuple[Deployment, ...]

    @staticmethod
    def read(file: Path, zone: tzinfo | None) -> "Deployments":
        """ConfigError, with the line, for a table that cannot be read or makes no sense."""
        try:
            with file.open(encoding="utf-8-sig", newline="") as opened:
                reader = csv.DictReader(opened)
                _check_columns(file, reader.fieldnames or ())
                rows = tuple(_deployment(f"{file}, line {reader.line_num}", row, zone) for row in reader)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            msg = f"deployments {file} cannot be read: {getattr(error, 'strerror', None) or error}"
            raise ConfigError(msg) from error
        return Deployments(rows)

    def at(self, path: Place, start: datetime | None) -> Deployment | None:
        """That of a recording, None where there is none. RecordingError where there are several."""
        found = [row for row in self.rows if row.holds(path, start)]
        if len({(row.site, row.position) for row in found}) > 1:
            sites = ", ".join(row.site for row in found)
            msg = f"{path}: was made at {sites} according to the deployments: one of them expected"
            raise RecordingError(msg)
        return found[0] if found else None


def _check_columns(file: Path, names: Sequence[str]) -> None:
    if missing := [name for name in _NEEDED if name not in names]:
        msg = f"deployments {file}: no column {', '.join(missing)} in its first line, which reads {', '.join(names)!r}"
        raise ConfigError(msg)


def _deployment(where: str, row: Mapping[str, str | None], zone: tzinfo | None) -> Deployment:
    cells = {name: (row.get(name) or "").strip() for name in (*_NEEDED, "start", "end", "path")}
    try:
        position = Position(float(cells["latitude"]), float(cells["longitude"]))
    except ValueError as error:
        msg = f"deployments {where}: no place: {error}"
        raise ConfigError(msg) from error
    if not cells["site"]:
        msg = f"deployments {where}: the site has no name"
        raise ConfigError(msg)
    start, end = _time(where, cells["start"], zone), _time(where, cells["end"], zone, whole_days=1)
    if start is not None and end is not None and start >= end:
        msg = f"deployments {where}: ends at {cells['end']}, before it starts at {cells['start']}"
        raise ConfigError(msg)
    return Deployment(cells["site"], position, start, end, cells["path"])


def _time(where: str, text: str, zone: tzinfo | None, whole_days: int = 0) -> datetime | None:
    """UTC, at the end of a day that stands alone if it is the whole that counts. None where there is no text."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"deployments {where}: {text!r} is no time: 2026-05-01 or 2026-05-01T04:12:00+02:00 expected"
        raise ConfigError(msg) from error
    if time.tzinfo is None and zone is None:
        msg = f"deployments {where}: {text!r} does not say in which time zone: state one, or an offset such as +02:00"
        raise ConfigError(msg)
    time += timedelta(days=whole_days if len(text) == _DAY_CHARACTERS else 0)
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)

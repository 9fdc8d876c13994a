"""The ledger as tables for others: CSV, and a package like Camtrap DP.

Camtrap DP 1.0 (Bubnicki et al. 2023, https://camtrap-dp.tdwg.org) describes camera traps: a deployment is a device at
a place for a period, and what was not seen means nothing without it. Ours is one a recording or source, from its first
minute to its last; its effort by the hour is a table of its own beside it. There is no media table, and observations
only in a report, which is why the package is only like one. What was remarked about the deployment is a table beside
them.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from monitor.clock import rfc3339
from monitor.errors import StoreError
from monitor.sinks.orders import MARK_COLUMNS, Mark
from monitor.sinks.reading import STRETCH_COLUMNS, Stretch

DEPLOYMENTS, EFFORT, MARKS, PACKAGE = "deployments.csv", "effort.csv", "marks.csv", "datapackage.json"
PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0/"

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Site:
    """Where the station is."""

    station: str
    latitude: float
    longitude: float


def write_csv(path: Path, stretches: Sequence[Stretch]) -> None:
    """One row a stretch; a column for each octave band that occurs. StoreError where it cannot be written."""
    bands = list(dict.fromkeys(band for stretch in stretches for band in stretch.noise_dbfs))
    rows = [_flat(stretch, bands) for stretch in stretches]
    columns = [*STRETCH_COLUMNS, *map(_band_column, bands)]
    _write(path, lambda file: _write_rows(file, columns, rows))


def resource(name: str, path: str) -> Row:
    """How a package describes a table that Camtrap DP has a schema for."""
    schema = f"{PROFILE}{name}-table-schema.json"
    return {"name": name, "path": path, "profile": "tabular-data-resource", "schema": schema}


def write_package(
    folder: Path,
    site: Site,
    deployments: Sequence[Stretch],
    hours: Sequence[Stretch],
    marks: Sequence[Mark] = (),
    others: Sequence[Row] = (),
) -> None:
    """Deployments, their effort, marks and what describes them. StoreError where they cannot be written.

    What has no time is no deployment: it is left out. `others`: resources that somebody else writes.
    """
    rows = [_deployment(site, stretch) for stretch in deployments if stretch.start_utc and stretch.end_utc]
    _write(folder / DEPLOYMENTS, lambda file: _write_rows(file, _DEPLOYMENT_COLUMNS, rows))
    write_csv(folder / EFFORT, [hour for hour in hours if hour.start_utc])
    _write(folder / MARKS, lambda file: _write_rows(file, MARK_COLUMNS, [asdict(mark) for mark in marks]))
    _write(folder / PACKAGE, lambda file: json.dump(_package(site, rows, others), file, indent=2, ensure_ascii=False))


_DEPLOYMENT_COLUMNS = (
    "deploymentID",
    "locationID",
    "locationName",
    "latitude",
    "longitude",
    "deploymentStart",
    "deploymentEnd",
    "cameraID",
    "cameraModel",
    "timestampIssues",
    "deploymentComments",
)


def _deployment(site: Site, stretch: Stretch) -> Row:
    return {
        "deploymentID": f"{site.station}:{stretch.recording}:{stretch.model}",
        "locationID": site.station,
        "locationName": site.station,
        "latitude": site.latitude,
        "longitude": site.longitude,
        "deploymentStart": stretch.start_utc,
        "deploymentEnd": stretch.end_utc,
        "cameraID": stretch.recording,
        "cameraModel": f"Dawn Chorus-{stretch.model}",
        "timestampIssues": str(stretch.clock_quality in {"unsynced", "unknown"}).lower(),
        "deploymentComments": (
            f"heard {stretch.heard_s:.1f} s of {stretch.elapsed_s:.1f} s; lost {stretch.lost_s:.1f} s, paused by "
            f"schedule {stretch.paused_s:.1f} s, withheld for privacy {stretch.withheld_s:.1f} s"
        ),
    }


def _package(site: Site, deployments: Sequence[Row], others: Sequence[Row]) -> dict[str, object]:
    starts = [str(row["deploymentStart"]) for row in deployments]
    ends = [str(row["deploymentEnd"]) for row in deployments]
    return {
        "profile": f"{PROFILE}camtrap-dp-profile.json",
        "name": "".join(letter if letter.isalnum() else "-" for letter in site.station.lower()),
        "created": rfc3339(datetime.now(UTC)),
        "title": f"Passive acoustic monitoring at {site.station}",
        "resources": [
            resource("deployments", DEPLOYMENTS),
            {"name": "effort", "path": EFFORT, "profile": "tabular-data-resource"},
            {"name": "marks", "path": MARKS, "profile": "tabular-data-resource"},
            *others,
        ],
        "spatial": {"type": "Point", "coordinates": [site.longitude, site.latitude]},
        "temporal": {"start": min(starts)[:10], "end": max(ends)[:10]} if deployments else None,
    }


def _flat(stretch: Stretch, bands: Sequence[str]) -> Row:
    row: dict[str, object] = {name: getattr(stretch, name) for name in STRETCH_COLUMNS}
    return row | {_band_column(band): stretch.noise_dbfs.get(band) for band in bands}


def _band_column(band: str) -> str:
    return f"noise_{band}_hz_dbfs"


def _write_rows(file: IO[str], columns: Sequence[str], rows: Sequence[Row]) -> None:
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)


def _write(path: Path, write: Callable[[IO[str]], None]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            write(file)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise StoreError(msg) from error

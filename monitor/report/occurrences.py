"""Detections for others: Darwin Core for GBIF, and observations beside the deployments of a package like Camtrap DP.

Sources: https://dwc.tdwg.org/terms, https://camtrap-dp.tdwg.org. A machine has heard them and nobody has looked: both
formats have fields that say so. What has no scientific name or no time is no occurrence. Rows are written as they are
read, so that a million of them need no memory.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from monitor.report.columns import Form, Row, Table, write_table
from monitor.report.season import Season
from monitor.sinks.deployments import Site, resource, write_package
from monitor.sinks.reading import LOST, Stretch, worst

OCCURRENCES, OBSERVATIONS = "occurrence", "observations"
_NAMED = "FROM found WHERE scientific_name <> '' AND onset_utc IS NOT NULL ORDER BY sequence"
_OCCURRENCE = (
    *("occurrenceID", "basisOfRecord", "eventDate", "scientificName", "vernacularName", "occurrenceStatus"),
    *("decimalLatitude", "decimalLongitude", "geodeticDatum", "locationID", "samplingProtocol", "recordedBy"),
    *("identifiedBy", "identificationVerificationStatus", "identificationRemarks"),
)
_OBSERVATION = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "scientificName", "count", "classificationMethod", "classifiedBy"),
    *("classificationProbability", "observationComments"),
)


def write_occurrences(
    folder: Path, connection: sqlite3.Connection, season: Season, forms: tuple[Form, ...] = (Form.CSV,)
) -> None:
    """Darwin Core occurrences, one a detection. StoreError where they cannot be written."""
    columns = dict.fromkeys(_OCCURRENCE, str) | dict.fromkeys(("decimalLatitude", "decimalLongitude"), float)
    for form in forms:
        write_table(folder, Table(OCCURRENCES, columns, _occurrences(connection, season)), [form])


def write_camtrap(folder: Path, connection: sqlite3.Connection, season: Season) -> bool:
    """Deployments, effort and observations, as CSV, which the format asks for.

    False where nobody knows the place, which a deployment needs. StoreError where they cannot be written.
    """
    if season.place is None:
        return False
    station = season.asked.station
    site = Site(station, *season.place)
    effort = _stretches(connection, ""), _stretches(connection, ", day, hour")
    write_table(folder, Table(OBSERVATIONS, dict.fromkeys(_OBSERVATION, str), _observations(connection, station)))
    write_package(folder, site, *effort, season.marks, [resource(OBSERVATIONS, f"{OBSERVATIONS}.csv")])
    return True


def _occurrences(connection: sqlite3.Connection, season: Season) -> Iterator[Row]:
    latitude, longitude = season.place or ("", "")
    station = season.asked.station
    datum = "EPSG:4326" if season.place else ""
    where = (latitude, longitude, datum, station, "passive acoustic monitoring", station)
    columns = "id, onset_utc, offset_utc, scientific_name, common_name, model, confidence"
    for number, onset, offset, name, common_name, model, confidence in _read(connection, columns):
        how = (f"Dawn Chorus, model {model}", "unverified", f"confidence {confidence:.4f}")
        yield number, "MachineObservation", f"{onset}/{offset}", name, common_name, "present", *where, *how


def _observations(connection: sqlite3.Connection, station: str) -> Iterator[Row]:
    columns = "id, recording, model, onset_utc, offset_utc, scientific_name, confidence"
    for number, recording, model, onset, offset, name, confidence in _read(connection, columns):
        deployment = f"{station}:{recording}:{model}"
        event = (onset, offset, "event", "animal", name, "")
        yield number, deployment, "", number, *event, "machine", f"Dawn Chorus-{model}", round(confidence, 4), ""


def _read(connection: sqlite3.Connection, columns: str) -> sqlite3.Cursor:
    return connection.execute(f"SELECT {columns} {_NAMED}")


def _stretches(connection: sqlite3.Connection, by: str) -> list[Stretch]:
    """Effort by source and model, or also `by` something."""
    lost = " + ".join(f"sum(lost_{cause}_s)" for cause in LOST)
    causes = ", ".join(f"sum(lost_{cause}_s)" for cause in LOST)
    rows = connection.execute(
        f"SELECT recording, model, min(start_utc), max(end_utc), group_concat(DISTINCT clock_quality), NULL, 0.0, "  # noqa: S608
        f"sum(elapsed_s), sum(heard_s), {lost}, sum(paused_s), sum(withheld_s), {causes}, sum(clipped_s) "
        f"FROM listened WHERE day IS NOT NULL GROUP BY recording, model{by}"
    )
    return [Stretch(*(*row[:4], worst(row[4].split(",")), *row[5:], {})) for row in rows]

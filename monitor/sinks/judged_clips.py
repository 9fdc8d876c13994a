"""Judged detections with their sound as folders that `dawnchorus-training build` reads.

OUT/confirmed/   what is heard is known: audio, and recordings.csv in the layout of `dawnchorus-training fetch`
OUT/negatives/   what none of the station's species is heard in: audio
OUT/verdicts.csv every verdict that counts, also of detections without sound
"""

import csv
import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from monitor.errors import StoreError
from monitor.sinks.verdicts import Judged

TABLE = "recordings.csv"
COLUMNS = (
    *("file", "id", "scientific_name", "common_name", "group", "recordist", "licence", "url", "country", "locality"),
    *("latitude", "longitude", "date", "time", "sound_type", "quality", "length_s", "sample_rate", "also", "sha256"),
)
"""of `training.archive.collection.Fetched`"""

Sound = Callable[[Judged], bytes | None]
"""of a detection, as a file holds it; None: there is none"""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many of what."""

    verdicts: int
    confirmed: int
    negatives: int
    without_sound: int
    unsure: int
    """rejected, but another species was reported at the same time, which may be there: no negative"""


def export(
    connection: sqlite3.Connection, judged: Sequence[Judged], sound: Sound, folder: Path, station: str
) -> Exported:
    """Write the folders. StoreError where one is there already, or the disk refuses."""
    try:
        folder.mkdir(parents=True)
        (folder / "confirmed").mkdir()
        (folder / "negatives").mkdir()
        _table(folder / "verdicts.csv", [one.name for one in fields(Judged)], (astuple(one) for one in judged))
        return _sounds(connection, judged, sound, folder, station)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}; a folder that is not there yet expected"
        raise StoreError(msg) from error


def _sounds(
    connection: sqlite3.Connection, judged: Sequence[Judged], sound: Sound, folder: Path, station: str
) -> Exported:
    rows: list[dict[str, object]] = []
    negatives = without = unsure = 0
    for one in judged:
        content = sound(one)
        name = f"{re.sub('[^0-9]', '', one.onset_utc or '')}_{_plain(one.heard or one.label)}_{one.id[:8]}.flac"
        if content is None:
            without += 1
        elif one.heard:
            (folder / "confirmed" / name).write_bytes(content)
            rows.append(_row(one, name, content, station))
        elif _company(connection, one):
            unsure += 1
        else:
            (folder / "negatives" / name).write_bytes(content)
            negatives += 1
    _table(folder / "confirmed" / TABLE, COLUMNS, ([row.get(name, "") for name in COLUMNS] for row in rows))
    return Exported(len(judged), len(rows), negatives, without, unsure)


def _plain(name: str) -> str:
    """What a file may be called by: who judged may have typed anything."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


def _row(one: Judged, name: str, content: bytes, station: str) -> dict[str, object]:
    same = one.heard == one.scientific_name
    return {
        "file": name,
        "id": one.id,
        "scientific_name": one.heard,
        "common_name": one.common_name if same else one.heard,
        "recordist": station,
        "locality": station,
        "date": (one.onset_utc or "")[:10],
        "time": (one.onset_utc or "")[11:16],
        "length_s": 0,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _company(connection: sqlite3.Connection, one: Judged) -> bool:
    """Whether something else was reported in the same sound, within the seconds around a clip, and not rejected."""
    query = """
        SELECT 1 FROM detections d
        WHERE sequence BETWEEN (SELECT sequence - 200 FROM detections WHERE id = ?1)
            AND (SELECT sequence + 200 FROM detections WHERE id = ?1)
            AND id <> ?1 AND recording = ?2 AND julianday(onset_utc) < julianday(?4) + 12 / 86400.0
            AND julianday(offset_utc) > julianday(?3) - 12 / 86400.0
            AND coalesce((SELECT verdict FROM verdicts v WHERE v.detection = d.id ORDER BY v.sequence DESC LIMIT 1), '')
                <> 'rejected'
        LIMIT 1
    """
    if one.onset_utc is None:
        return True  # nobody can say
    return connection.execute(query, (one.id, one.recording, one.onset_utc, one.offset_utc)).fetchone() is not None


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)

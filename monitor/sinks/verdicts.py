"""What people found when they listened to detections: kept for ever, the last one on each detection counts.

A verdict and its message are one transaction, written by whoever serves the page; the daemon publishes what it finds
in the outbox.
"""

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monitor.errors import StoreError
from monitor.messages import VerdictMessage
from monitor.sinks.database import connect, version_of
from monitor.sinks.queueing import built, enqueue

Word = Literal["confirmed", "rejected", "other"]

AT_ONCE = 500
"""detections asked for in one statement"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody found."""

    detection: str
    """its id"""
    verdict: Word
    scientific_name: str
    """what is heard instead, where the verdict is `other`"""
    who: str
    at_utc: str
    note: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A detection with the verdict that counts."""

    id: str
    label: str
    scientific_name: str
    common_name: str
    confidence: float
    onset_utc: str | None
    offset_utc: str | None
    recording: str
    model: str
    verdict: Word
    heard: str
    """scientific name of what is heard in the opinion of who judged; empty: nothing of which they could say"""
    who: str
    at_utc: str
    note: str


_OWN = "verdict, scientific_name, who, at_utc, note"


def keep(path: Path, station: str, verdict: Verdict) -> VerdictMessage:
    """Keep a verdict and put it into the outbox, all of it or nothing.

    `path`: of a store that its daemon has opened before. StoreError where it has no such detection, or where the
    disk refuses.
    """
    try:
        with closing(connect(path)) as connection:
            version_of(connection)
            return _keep(connection, station, verdict)
    except sqlite3.Error as error:
        msg = f"store {path} cannot be written: {error}"
        raise StoreError(msg) from error


def _keep(connection: sqlite3.Connection, station: str, verdict: Verdict) -> VerdictMessage:
    cursor = connection.cursor()
    with connection:
        cursor.execute("BEGIN IMMEDIATE")
        query = "SELECT scientific_name FROM detections WHERE id = ?"
        if (found := cursor.execute(query, (verdict.detection,)).fetchone()) is None:
            msg = f"detection {verdict.detection}: the store has none of this id"
            raise StoreError(msg)
        heard = {"confirmed": found[0], "rejected": "", "other": verdict.scientific_name}[verdict.verdict]
        message = built(cursor, lambda sequence: _message(station, verdict, heard, sequence))
        about = message.sequence, message.id, message.detection, message.verdict
        row = *about, message.scientific_name, message.who, message.at_utc, message.note
        cursor.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        enqueue(cursor, message)
    return message


def _message(station: str, verdict: Verdict, heard: str, sequence: int) -> VerdictMessage:
    return VerdictMessage(
        id=str(uuid.uuid4()),
        station=station,
        sequence=sequence,
        detection=verdict.detection,
        verdict=verdict.verdict,
        scientific_name=heard,
        who=verdict.who,
        at_utc=verdict.at_utc,
        note=verdict.note,
    )


def on(connection: sqlite3.Connection, detections: Sequence[str]) -> dict[str, Verdict]:
    """The verdict that counts on each of some detections, by id. sqlite3.Error where the disk fails."""
    last: dict[str, Verdict] = {}
    for first in range(0, len(detections), AT_ONCE):
        asked = detections[first : first + AT_ONCE]
        marks = ", ".join("?" * len(asked))
        query = f"SELECT detection, {_OWN} FROM verdicts WHERE detection IN ({marks}) ORDER BY sequence"  # noqa: S608
        last |= {row[0]: Verdict(*row) for row in connection.execute(query, asked)}
    return last


def judged(connection: sqlite3.Connection) -> Iterator[Judged]:
    """All detections that have a verdict, in the order of the last ones. sqlite3.Error where the disk fails."""
    query = """
        SELECT d.id, d.label, d.scientific_name, d.common_name, d.confidence, d.onset_utc, d.offset_utc, d.recording,
            d.model, v.verdict, v.scientific_name, v.who, v.at_utc, v.note
        FROM verdicts v JOIN detections d ON d.id = v.detection
        WHERE v.sequence = (SELECT max(sequence) FROM verdicts WHERE detection = v.detection)
        ORDER BY v.sequence
    """
    return (Judged(*row) for row in connection.execute(query))

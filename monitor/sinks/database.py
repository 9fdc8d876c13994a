"""The tables of the store, and how they are opened."""

import sqlite3
from pathlib import Path

FILE = "detections.sqlite"
VERSION = 1

SCHEMA = """
CREATE TABLE detections (
    id TEXT PRIMARY KEY, recording TEXT NOT NULL, label TEXT NOT NULL, scientific_name TEXT NOT NULL,
    common_name TEXT NOT NULL, confidence REAL NOT NULL, onset_s REAL NOT NULL, offset_s REAL NOT NULL,
    onset_utc TEXT, offset_utc TEXT, clock_quality TEXT NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE effort (
    id TEXT PRIMARY KEY, recording TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL, heard_s REAL NOT NULL,
    lost_s REAL NOT NULL, start_utc TEXT, end_utc TEXT, clock_quality TEXT NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread. FULL: what the broker acknowledged must not vanish in a power cut."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection

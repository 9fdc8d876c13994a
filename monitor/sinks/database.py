"""The tables of the store, how they came to be what they are, and how they are opened."""

import sqlite3
from pathlib import Path

FILE = "detections.sqlite"
CACHE_KIB = 256
"""of a connection: rows are added and rarely read, and memory must not grow with the database"""

MIGRATIONS = (
    """
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
""",
    """
ALTER TABLE detections ADD COLUMN clock_error_s REAL;
ALTER TABLE effort ADD COLUMN clock_error_s REAL;
ALTER TABLE effort ADD COLUMN lost_device_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN lost_overrun_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN lost_overload_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN lost_damaged_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN lost_unknown_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN paused_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN withheld_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN clipped_s REAL NOT NULL DEFAULT 0;
ALTER TABLE effort ADD COLUMN noise_dbfs TEXT NOT NULL DEFAULT '{}';
UPDATE effort SET lost_unknown_s = lost_s;
CREATE TABLE minutes (
    recording TEXT NOT NULL, model TEXT NOT NULL, start_utc TEXT, end_utc TEXT, clock_quality TEXT NOT NULL,
    clock_error_s REAL, boot TEXT, start_monotonic REAL, end_monotonic REAL, start_s REAL NOT NULL,
    sample_rate INTEGER NOT NULL, elapsed INTEGER NOT NULL, heard INTEGER NOT NULL, paused INTEGER NOT NULL,
    withheld INTEGER NOT NULL, lost_device INTEGER NOT NULL, lost_overrun INTEGER NOT NULL,
    lost_overload INTEGER NOT NULL, lost_damaged INTEGER NOT NULL, lost_unknown INTEGER NOT NULL,
    clipped_s REAL NOT NULL, noise_dbfs TEXT NOT NULL,
    CHECK (heard + paused + withheld
        + lost_device + lost_overrun + lost_overload + lost_damaged + lost_unknown = elapsed)
) STRICT;
CREATE TABLE moments (
    id TEXT PRIMARY KEY, boot TEXT NOT NULL, start_monotonic REAL NOT NULL, end_monotonic REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE boots (
    boot TEXT PRIMARY KEY, offset_s REAL NOT NULL, quality TEXT NOT NULL, error_s REAL, since REAL NOT NULL,
    until REAL NOT NULL
) STRICT;
CREATE TABLE position (
    receiver TEXT PRIMARY KEY, latitude REAL NOT NULL, longitude REAL NOT NULL
) STRICT;
""",
)
"""What makes a database of each version from the one before. What stands here has been used and never changes."""

VERSION = len(MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread at a time. FULL: what the broker acknowledged must not vanish in a power cut."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date: all of it or nothing.

    Raises sqlite3.DatabaseError for a database of a newer program, which is left alone.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        msg = f"database version {version} is newer than this program's {VERSION}"
        raise sqlite3.DatabaseError(msg)
    if version < VERSION:
        script = "".join(MIGRATIONS[version:])
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {VERSION}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

"""The tables of the store, how they came to be what they are, and how they are opened."""

import sqlite3
from importlib.metadata import version as program_version
from pathlib import Path
from typing import Literal

from monitor.sinks.safekeeping import keep_copy

FILE = "detections.sqlite"
CACHE_KIB = 256
"""of a connection: rows are added and rarely read, and memory must not grow with the database"""

PAGE_BYTES = 1024
"""of a new database: a commit writes whole pages. On an ext4 of its own a detection costs a memory card 12 kB, with
pages of 4096 bytes 33 kB (benchmarks/disk_wear.py); in smaller ones a message may not fit"""

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
    # A row's key is the sequence number of its message, so that it can be published again without an index; those from
    # before that count up to 0. Where a record lies on the monotonic clock stands in its row: a page less to write.
    """
CREATE TABLE outbox_3 (sequence INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE outbox_totals (
    last_sequence INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL,
    open_tombstone INTEGER
) STRICT;
INSERT INTO outbox_totals
    SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0), count(*),
        coalesce(sum(length(payload)), 0), 0, NULL
    FROM outbox;
INSERT INTO outbox_3 SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_3 RENAME TO outbox;
CREATE TRIGGER outbox_grows AFTER INSERT ON outbox BEGIN
    UPDATE outbox_totals SET last_sequence = new.sequence, rows = rows + 1, bytes = bytes + length(new.payload);
END;
CREATE TRIGGER outbox_shrinks AFTER DELETE ON outbox BEGIN
    UPDATE outbox_totals SET rows = rows - 1, bytes = bytes - length(old.payload);
END;
CREATE TRIGGER outbox_changes AFTER UPDATE OF payload ON outbox BEGIN
    UPDATE outbox_totals SET bytes = bytes - length(old.payload) + length(new.payload);
END;
CREATE TABLE refused (
    sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL, attempts INTEGER NOT NULL, next_try REAL NOT NULL
) STRICT;
CREATE INDEX refused_by_time ON refused (next_try);
CREATE TRIGGER refused_no_more AFTER DELETE ON outbox BEGIN
    DELETE FROM refused WHERE sequence = old.sequence;
END;
CREATE TABLE corrections (sequence INTEGER PRIMARY KEY, "of" TEXT NOT NULL, id TEXT NOT NULL) STRICT;
CREATE TABLE detections_3 (
    sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, recording TEXT NOT NULL, label TEXT NOT NULL,
    scientific_name TEXT NOT NULL, common_name TEXT NOT NULL, confidence REAL NOT NULL, onset_s REAL NOT NULL,
    offset_s REAL NOT NULL, onset_utc TEXT, offset_utc TEXT, clock_quality TEXT NOT NULL, clock_error_s REAL,
    model TEXT NOT NULL, boot TEXT, start_monotonic REAL, end_monotonic REAL
) STRICT;
INSERT INTO detections_3
    SELECT detections.rowid - (SELECT max(rowid) FROM detections), id, recording, label, scientific_name, common_name,
        confidence, onset_s, offset_s, onset_utc, offset_utc, clock_quality, clock_error_s, model, boot,
        start_monotonic, end_monotonic
    FROM detections LEFT JOIN moments USING (id);
DROP TABLE detections;
ALTER TABLE detections_3 RENAME TO detections;
CREATE TABLE effort_3 (
    sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, recording TEXT NOT NULL, start_s REAL NOT NULL,
    end_s REAL NOT NULL, heard_s REAL NOT NULL, lost_s REAL NOT NULL, lost_device_s REAL NOT NULL,
    lost_overrun_s REAL NOT NULL, lost_overload_s REAL NOT NULL, lost_damaged_s REAL NOT NULL,
    lost_unknown_s REAL NOT NULL, paused_s REAL NOT NULL, withheld_s REAL NOT NULL, clipped_s REAL NOT NULL,
    noise_dbfs TEXT NOT NULL, start_utc TEXT, end_utc TEXT, clock_quality TEXT NOT NULL, clock_error_s REAL,
    model TEXT NOT NULL, boot TEXT, start_monotonic REAL, end_monotonic REAL
) STRICT;
INSERT INTO effort_3
    SELECT effort.rowid - (SELECT max(rowid) FROM effort), id, recording, start_s, end_s, heard_s, lost_s,
        lost_device_s, lost_overrun_s, lost_overload_s, lost_damaged_s, lost_unknown_s, paused_s, withheld_s,
        clipped_s, noise_dbfs, start_utc, end_utc, clock_quality, clock_error_s, model, boot, start_monotonic,
        end_monotonic
    FROM effort LEFT JOIN moments USING (id);
DROP TABLE effort;
ALTER TABLE effort_3 RENAME TO effort;
DROP TABLE moments;
CREATE TABLE commands (
    id TEXT PRIMARY KEY, issued_utc TEXT NOT NULL, until_utc TEXT NOT NULL, vouched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE marks (
    id TEXT PRIMARY KEY, at_utc TEXT, clock_quality TEXT NOT NULL, issued_utc TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE thresholds (species TEXT PRIMARY KEY, threshold REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE announced (topic TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
""",
    # Adds only. `made` has one row: which version the tables are of, and which program brought them there.
    """
CREATE TABLE made (version INTEGER NOT NULL, program TEXT NOT NULL) STRICT;
CREATE TABLE clips (
    number INTEGER PRIMARY KEY, folder TEXT NOT NULL, file TEXT NOT NULL, detection TEXT NOT NULL,
    species TEXT NOT NULL, confidence REAL NOT NULL, start_utc TEXT, clock_quality TEXT NOT NULL,
    length_s REAL NOT NULL, bytes INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('kept', 'deleted')), why TEXT,
    at_utc TEXT, pinned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE verdicts (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, detection TEXT NOT NULL, verdict TEXT NOT NULL,
    scientific_name TEXT NOT NULL, who TEXT NOT NULL, at_utc TEXT NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE INDEX verdicts_by_detection ON verdicts (detection);
""",
)
"""What makes a database of each version from the one before. What stands here has been used and never changes."""

VERSION = len(MIGRATIONS)

ADDITIVE = frozenset({4})
"""versions that only add tables, so that a program of the version before may go on writing"""

LEAST = max(version for version in range(1, VERSION + 1) if version not in ADDITIVE)
"""the version that a program must know to write what this one makes. `PRAGMA user_version` says it of a database, so
that programs from before there was a table `made` ask for the right thing too"""


def connect(path: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> sqlite3.Connection:
    """A connection for one thread at a time.

    FULL: what has been committed is there after a power cut. NORMAL: the last of it may be missing, and never a part.
    Both were tried with copies of a file system taken while it was written, some of which lacked 500 detections with
    NORMAL and none with FULL; it saves a tenth to a quarter of the bytes.
    """
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date: all of it or nothing.

    Before anything but an addition, a copy of the file is kept beside it. What a newer program only added to is left as
    it is, and can be written. Raises sqlite3.DatabaseError, naming that program, for what a newer one changed, and
    OSError where there is no room for the copy; the database is then left alone.
    """
    version = version_of(connection)
    if version >= VERSION:
        return
    if 0 < version < LEAST:
        keep_copy(connection, LEAST)
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {''.join(MIGRATIONS[version:])} PRAGMA user_version = {LEAST};")
        connection.execute("DELETE FROM made")
        connection.execute("INSERT INTO made VALUES (?, ?)", (VERSION, program_version("dawnchorus")))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables; 0: there are none. sqlite3.DatabaseError where only a newer program may write them."""
    least = int(connection.execute("PRAGMA user_version").fetchone()[0])
    told = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'made'").fetchone()
    version, program = connection.execute("SELECT version, program FROM made").fetchone() if told else (least, None)
    if least > VERSION:
        needed = "a newer one" if program is None else f"dawnchorus {program} or newer"
        msg = (
            f"its tables are of version {version} and need a program that knows version {least}, "
            f"dawnchorus {program_version('dawnchorus')} knows {VERSION}: "
            f"install {needed}, or put {FILE}.before-{least} in its place"
        )
        raise sqlite3.DatabaseError(msg)
    return int(version)


def added(version: int) -> list[str]:
    """The statements that make the tables that a compatible database of an earlier version has not yet."""
    statements = (part.strip() for script in MIGRATIONS[version:] for part in script.split(";"))
    return [statement for statement in statements if statement.startswith("CREATE TABLE")]

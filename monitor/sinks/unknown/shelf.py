"""The file of sounds without a name: `unknown.sqlite`, each a window as FLAC, with its vector and what is known of it.

One transaction writes what ten minutes brought, a dozen at most. What goes makes room for what comes: the file does not
shrink, and does not grow beyond its budget. Vectors of two networks say nothing about each other, so a file is of one.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.errors import StoreError
from monitor.features import Floats
from monitor.sinks.unknown.reservoir import Gone, Reservoir

logger = logging.getLogger(__name__)

FILE = "unknown.sqlite"
ASIDE = "unknown-before.sqlite"
"""what was kept with another network, until there is yet another"""
VERSION = 1
PAGE_BYTES = 4096
FILLED = 0.8
"""of the file that sounds may take: the rest are pages that are not full, and the log of the last transaction"""
_SCHEMA = (
    "CREATE TABLE about(model TEXT NOT NULL, model_name TEXT NOT NULL, sample_rate INTEGER NOT NULL) STRICT",
    """CREATE TABLE windows(id INTEGER PRIMARY KEY, station TEXT NOT NULL, source TEXT NOT NULL, start_utc TEXT,
    start_s REAL NOT NULL, standing_db REAL NOT NULL, best_label TEXT NOT NULL, best_score REAL NOT NULL,
    stands_for INTEGER NOT NULL, vector BLOB NOT NULL) STRICT""",
    "CREATE TABLE sounds(id INTEGER PRIMARY KEY, flac BLOB NOT NULL) STRICT",
    f"PRAGMA user_version = {VERSION}",
)
"""vectors apart from sounds: comparing reads the ones, and a count that rises writes one page"""
_COLUMNS = "station, source, start_utc, start_s, standing_db, best_label, best_score, stands_for, vector"


@dataclass(frozen=True, slots=True)
class Network:
    """Whose vectors they are."""

    id: str
    """hash of the model's file"""
    name: str
    sample_rate: int
    """Hz, of the sounds too"""


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """A window without a name."""

    station: str
    source: str
    start_utc: str | None
    start_s: float
    """since its stream began"""
    standing_db: float
    """over the noise floor, in the octave where that is most"""
    best_label: str
    """of those that the model knows; it is none of them"""
    best_score: float
    vector: Floats
    """(n,) as the network gives it"""
    flac: bytes
    stands_for: int = 1
    """windows that were much like it, itself among them"""


class Shelf:
    """The file, as the station writes it. Raises StoreError, naming it, where it cannot be written.

    One of another network, or one that is damaged, is set aside, and said so: it replaces what was set aside before.
    """

    def __init__(self, folder: Path, network: Network, megabytes: float) -> None:
        self.path = folder / FILE
        self._network, self._budget = network, round(megabytes * 1e6 * FILLED)
        self._megabytes = megabytes
        self._reservoir: Reservoir | None = None
        with _refusing(self.path):
            folder.mkdir(0o750, parents=True, exist_ok=True)
            self._set_aside(folder / ASIDE)
            self._connection = _connected(self.path)
            self._create()

    def load(self) -> int:
        """Compare all that is kept with each other, which may take seconds, and fit it into the budget; how many.

        StoreError where the disk refuses.
        """
        with _refusing(self.path):
            reservoir = self._loaded()
            self._shrink()
            return len(reservoir)

    def add(self, sounds: Sequence[Unknown]) -> int:
        """Keep what is worth it, all in one transaction; how many that are. StoreError where the disk refuses."""
        try:
            with _refusing(self.path):
                reservoir = self._loaded()
                before = self._last_id()
                with self._connection:
                    for key, sound in enumerate(sounds, before + 1):
                        self._add(reservoir, key, sound)
                    kept = "SELECT count(*) FROM windows WHERE id > ?"
                    return int(self._connection.execute(kept, (before,)).fetchone()[0])
        except StoreError:
            self._reservoir = None  # the file has none of it
            raise

    def close(self) -> None:
        """Leave one file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _add(self, reservoir: Reservoir, key: int, sound: Unknown) -> None:
        size = _size(len(sound.flac), sound.vector.size)
        gone = reservoir.add(key, sound.vector, size)
        for one in gone:
            if one.key != key:
                self._remove([one])
                continue
            query = "UPDATE windows SET stands_for = stands_for + ? WHERE id = ?"
            self._connection.execute(query, (sound.stands_for, one.heir))
        if any(one.key == key for one in gone):
            return  # it never touches the disk
        row = (
            sound.station,
            sound.source,
            sound.start_utc,
            sound.start_s,
            sound.standing_db,
            sound.best_label,
            sound.best_score,
            sound.stands_for,
            sound.vector.astype(np.float16).tobytes(),
        )
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO windows(id, {_COLUMNS}) VALUES (?, {marks})", (key, *row))  # noqa: S608
        self._connection.execute("INSERT INTO sounds VALUES (?, ?)", (key, sound.flac))

    def _remove(self, gone: Sequence[Gone]) -> None:
        execute = self._connection.execute
        for one in gone:
            inherit = "UPDATE windows SET stands_for = stands_for + (SELECT stands_for FROM windows WHERE id = ?)"
            execute(f"{inherit} WHERE id = ?", (one.key, one.heir))
            execute("DELETE FROM windows WHERE id = ?", (one.key,))
            execute("DELETE FROM sounds WHERE id = ?", (one.key,))

    def _last_id(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM windows").fetchone()[0])

    def _set_aside(self, aside: Path) -> None:
        reason = _unlike(self.path, self._network)
        if reason is not None:
            logger.warning("%s: %s; begun anew, what was kept is in %s", self.path, reason, aside.name)
            for ending in ("-wal", "-shm"):
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
            self.path.replace(aside)

    def _create(self) -> None:
        if self._connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                about = (self._network.id, self._network.name, self._network.sample_rate)
                self._connection.execute("INSERT INTO about VALUES (?, ?, ?)", about)

    def _loaded(self) -> Reservoir:
        """The reservoir, filled with what the file holds."""
        if self._reservoir is not None:
            return self._reservoir
        query = "SELECT id, vector, length(flac) FROM windows JOIN sounds USING (id) ORDER BY id"
        rows = self._connection.execute(query).fetchall()
        vectors = [np.frombuffer(row[1], np.float16).astype(np.float32) for row in rows]
        sizes = [_size(row[2], len(vector)) for row, vector in zip(rows, vectors, strict=True)]
        reservoir = Reservoir(self._budget)
        with self._connection:
            self._remove(reservoir.fill([row[0] for row in rows], vectors, sizes))
        self._reservoir = reservoir
        return reservoir

    def _shrink(self) -> None:
        """Give back what a budget that became smaller no longer allows."""
        if self.path.stat().st_size > self._megabytes * 1e6:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def read_network(path: Path) -> Network:
    """Whose vectors a file holds. StoreError where it cannot be read."""
    with _refusing(path), _reading(path) as connection:
        return _about(connection)


def read_unknowns(path: Path) -> Iterator[tuple[int, Unknown]]:
    """Each sound with its number, without its FLAC, in the order of time. StoreError where the file cannot be read."""
    with _refusing(path), _reading(path) as connection:
        for key, *known, vector in connection.execute(f"SELECT id, {_COLUMNS} FROM windows ORDER BY id"):  # noqa: S608
            station, source, start_utc, start_s, standing_db, best_label, best_score, stands_for = known
            yield (
                key,
                Unknown(
                    station=station,
                    source=source,
                    start_utc=start_utc,
                    start_s=start_s,
                    standing_db=standing_db,
                    best_label=best_label,
                    best_score=best_score,
                    vector=np.frombuffer(vector, np.float16).astype(np.float32),
                    flac=b"",
                    stands_for=stands_for,
                ),
            )


def read_flac(path: Path, key: int) -> bytes:
    """The sound of that number. StoreError where there is none, or the file cannot be read."""
    with _refusing(path), _reading(path) as connection:
        row = connection.execute("SELECT flac FROM sounds WHERE id = ?", (key,)).fetchone()
    if row is None:
        msg = f"{path}: sound {key} is no longer kept; the station needed its room"
        raise StoreError(msg)
    return bytes(row[0])


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
    settings = (f"page_size = {PAGE_BYTES}", "journal_mode = WAL", "synchronous = NORMAL", "journal_size_limit = 0")
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    return connection


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        msg = f"{path}: no such file; a station writes it where its configuration has unknown: {{directory: ...}}"
        raise StoreError(msg)
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        yield connection


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """What disk or database refuses, in one sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        msg = f"sounds without a name, {path}: {getattr(error, 'strerror', None) or error}"
        raise StoreError(msg) from error


def _about(connection: sqlite3.Connection) -> Network:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        msg = f"version {version}: this program reads version {VERSION}"
        raise sqlite3.DatabaseError(msg)
    return Network(*connection.execute("SELECT model, model_name, sample_rate FROM about").fetchone())


def _unlike(path: Path, network: Network) -> str | None:
    """Why a file cannot be gone on with; None where it can, or there is none."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            there = _about(connection)
            connection.execute("SELECT count(*) FROM windows").fetchone()
    except sqlite3.OperationalError:  # it is there, but busy, or not ours to read: that is no reason to begin anew
        raise
    except sqlite3.DatabaseError as error:
        return f"cannot be gone on with: {error}"
    if there != network:
        return f"was kept with the model {there.name} ({there.id}), now it is {network.name} ({network.id})"
    return None


def _size(flac_bytes: int, values: int) -> int:
    """What a sound takes of the file, in whole pages, for large values have pages of their own."""
    return PAGE_BYTES * (2 + flac_bytes // PAGE_BYTES + 2 * values // PAGE_BYTES)

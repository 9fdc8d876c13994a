"""A PostgreSQL database, in its schema `dawnchorus`: any number of collectors may write it side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from monitor.clock import rfc3339
from monitor.errors import ConfigError, StoreError
from monitor.fleet.columns import TABLES, Kind
from monitor.fleet.dialect import Dialect
from monitor.fleet.gaps import Holdings
from monitor.fleet.letters import Item
from monitor.fleet.tables import AT_ONCE, holdings, write

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
SCHEMA = "dawnchorus"
PATIENCE_S, SILENCE_S = 10, 60
"""to be let in, and until a network that swallows everything counts as broken"""

_DIALECT = Dialect(
    mark="%s",
    types={
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "BIGINT",
        Kind.REAL: "DOUBLE PRECISION",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.TIME: "TIMESTAMPTZ",
        Kind.JSON: "JSONB",
        Kind.BYTES: "BYTEA",
    },
)
_LOCK = 0x44434830
"""of the making of tables, which two collectors must not do at once"""
_UNIQUE = ("detections", "effort", "lifecycle")


class Postgres:
    """The archive in a database.

    Raises StoreError where it cannot be reached and written, and ConfigError where psycopg is missing.
    """

    def __init__(self, url: str) -> None:
        """`url` as libpq reads it; what it leaves out, such as the password, comes from PGPASSFILE and the like."""
        self._url = url
        self._connection = _connect(url)
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            for statement in _statements():
                cursor.execute(statement)

    @property
    def name(self) -> str:
        """Where it is, without its password."""
        return named(self._url)

    def write(self, items: Sequence[Item], now: datetime) -> None:
        """Commit what is new; a connection that was lost is made again. StoreError where the database refuses."""
        if self._connection.closed:
            self._connection = _connect(self._url)
        for start in range(0, len(items), AT_ONCE):
            with self._transaction() as cursor:
                write(cursor, _DIALECT, items[start : start + AT_ONCE], str(rfc3339(now)))

    def tend(self, now: datetime) -> None:
        """Nothing has to be done."""

    def close(self, now: datetime) -> None:
        """Close the connection."""
        del now
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with _reporting(self._url, "written"), self._connection.transaction(), self._connection.cursor() as cursor:
            yield cursor


def look(url: str) -> Holdings:
    """What is in a database. StoreError where nobody can look."""
    connection = _connect(url)
    with connection, _reporting(url, "read"), connection.cursor() as cursor:
        return holdings(cursor)


def named(url: str) -> str:
    """An address without its password. ConfigError where it is none, or psycopg is missing."""
    psycopg = _psycopg()
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # libpq quotes what it does not understand, password and all
        msg = "not an address of a database: expected postgresql://USER@HOST/DATABASE"
        raise ConfigError(msg) from error
    return f"{parts.get('host', 'local')}/{parts.get('dbname', parts.get('user', ''))}"


def _psycopg() -> ModuleType:
    try:
        import psycopg.conninfo  # noqa: PLC0415
    except ImportError as error:
        msg = "PostgreSQL needs psycopg, which is not installed: pip install 'dawnchorus[fleet]'"
        raise ConfigError(msg) from error
    return psycopg


def _connect(url: str) -> "psycopg.Connection[Any]":
    psycopg = _psycopg()
    with _reporting(url, "reached"):
        options = f"-c search_path={SCHEMA} -c timezone=UTC"
        return psycopg.connect(
            url, autocommit=True, connect_timeout=PATIENCE_S, tcp_user_timeout=1000 * SILENCE_S, options=options
        )


def _statements() -> Iterator[str]:
    """What makes the tables, or brings them up to date."""
    # a user who may not create a schema may still be given one
    yield f"DO $$ BEGIN IF to_regnamespace('{SCHEMA}') IS NULL THEN CREATE SCHEMA {SCHEMA}; END IF; END $$"
    yield from _DIALECT.tables()
    for table, columns in TABLES.items():
        for column in columns:
            yield f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {_DIALECT.defined(column)}"
    for table in _UNIQUE:
        yield f"CREATE UNIQUE INDEX IF NOT EXISTS {table}_id ON {table} (station, id)"
    for of, start, end in (("detections", "onset_utc", "offset_utc"), ("effort", "start_utc", "end_utc")):
        yield _TIMES.format(of=of, start=start, end=end)


_TIMES = """
CREATE OR REPLACE VIEW {of}_times AS
SELECT station, id, coalesce(right_.onset_utc, {of}.{start}) AS {start},
    coalesce(right_.offset_utc, {of}.{end}) AS {end},
    coalesce(right_.clock_quality, {of}.clock_quality) AS clock_quality,
    CASE WHEN right_.id IS NULL THEN {of}.clock_error_s ELSE right_.clock_error_s END AS clock_error_s,
    right_.id IS NOT NULL AS corrected
FROM {of} LEFT JOIN (
    SELECT DISTINCT ON (station, id) * FROM corrections WHERE of = '{of}'
    ORDER BY station, id, generation DESC, sequence DESC
) AS right_ USING (station, id)
"""
"""the times in force: those of the last correction, or as they were published"""


@contextmanager
def _reporting(url: str, what: str) -> Iterator[None]:
    """Say what the database refuses as StoreError."""
    psycopg = _psycopg()
    try:
        yield
    except psycopg.Error as error:
        msg = f"database {named(url)} cannot be {what}: {' '.join(str(error).split())}"
        raise StoreError(msg) from error

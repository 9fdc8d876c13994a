"""A store, as tables of the period that is looked at, read while the daemon may write.

found       detections: species, day and hour by the period's clock, beside the store's own columns
listened    minutes of the ledger: day, hour, and seconds heard, lost by cause, paused and withheld
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from monitor.errors import StoreError
from monitor.report.period import Period
from monitor.report.tabled import DETECTIONS, EFFORT, fill_detections, fill_minutes
from monitor.sinks.database import FILE, migrate
from monitor.sinks.reading import LOST, open_read_only

_FOUND = """
CREATE TEMP VIEW found AS SELECT
    sequence, id, recording, model, common_name, confidence, onset_s, offset_s, onset_utc, offset_utc, clock_quality,
    CASE scientific_name WHEN '' THEN label ELSE scientific_name END AS species, scientific_name,
    date(onset_utc, '{offset} minutes') AS day, CAST(strftime('%H', onset_utc, '{offset} minutes') AS INTEGER) AS hour
FROM detections WHERE {onset_utc}
"""
_LISTENED = """
CREATE TEMP VIEW listened AS SELECT
    recording, model, start_utc, end_utc, clock_quality, clock_error_s, clipped_s, noise_dbfs,
    minutes.rowid AS number,
    date(start_utc, '{offset} minutes') AS day, CAST(strftime('%H', start_utc, '{offset} minutes') AS INTEGER) AS hour,
    {seconds}
FROM minutes WHERE {start_utc}
"""
SPENT = ("elapsed", "heard", "paused", "withheld", *(f"lost_{cause}" for cause in LOST))
"""what became of a minute"""


@contextmanager
def opened(folder: Path, period: Period) -> Iterator[sqlite3.Connection]:
    """The store in a folder, or else what `analyze` wrote there. StoreError where neither can be read."""
    path = folder / FILE
    if not path.is_file() and not (folder / DETECTIONS).is_file():
        msg = f"{folder}: nothing to report on in this folder: {FILE} or {DETECTIONS} expected"
        raise StoreError(msg)
    try:
        with closing(open_read_only(path) if path.is_file() else _from_tables(folder)) as connection:
            _account(connection, folder)
            _look(connection, period)
            connection.execute("BEGIN")  # all that is read is of one moment
            yield connection
    except sqlite3.Error as error:
        msg = f"{path if path.is_file() else folder} cannot be read: {error}"
        raise StoreError(msg) from error


def _from_tables(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    fill_detections(connection, folder)
    return connection


def _account(connection: sqlite3.Connection, folder: Path) -> None:
    """An analysis says in a table beside its store how much was heard."""
    if (folder / EFFORT).is_file() and not connection.execute("SELECT 1 FROM minutes LIMIT 1").fetchall():
        connection.execute("CREATE TEMP TABLE minutes AS SELECT * FROM main.minutes")
        fill_minutes(connection, folder)


def _look(connection: sqlite3.Connection, period: Period) -> None:
    offset = f"{period.offset_minutes:+d}"
    seconds = ", ".join(f"1.0 * {one} / sample_rate AS {one}_s" for one in SPENT)
    connection.execute(_FOUND.format(offset=offset, onset_utc=_within("onset_utc", period)))
    within = _within("start_utc", period)
    connection.execute(_LISTENED.format(offset=offset, start_utc=within, seconds=seconds))


def _within(column: str, period: Period) -> str:
    """A view takes no parameters; what stands here comes from dates."""
    bounds = [f"{column} >= '{period.start_utc}'"] if period.start_utc else []
    bounds += [f"{column} < '{period.end_utc}'"] if period.end_utc else []
    return " AND ".join(bounds) or "TRUE"

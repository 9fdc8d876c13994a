"""What was ever announced to who finds sensors by itself, so that it can be taken back when it is no more."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from monitor.errors import StoreError
from monitor.sinks.database import connect


def gone(path: Path, topics: Iterable[str]) -> list[str]:
    """Remember what is announced now; return what was in any earlier run and is not any more.

    None of it is ever forgotten: with several brokers nobody knows which of them still holds it. `path` is that of a
    store that has been opened before. StoreError where it cannot be read and written.
    """
    now = [(topic,) for topic in topics]
    try:
        with closing(connect(path)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO announced VALUES (?)", now)
            ever = {topic for (topic,) in connection.execute("SELECT topic FROM announced")}
    except sqlite3.Error as error:
        msg = f"store {path} cannot be read or written: {error}"
        raise StoreError(msg) from error
    return sorted(ever - {topic for (topic,) in now})

"""A copy of the store from before it is changed, so that an earlier program can be put back."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

NEEDED = 3
"""times the size of the file: the copy, the tables made anew, and the log that they pass through"""
SPARE_BYTES = 10_000_000
PAGES = 1024
"""copied at once"""


def keep_copy(connection: sqlite3.Connection, version: int) -> Path | None:
    """Copy a database to `FILE.before-VERSION` beside it, whole or not at all, and return where; None: it has no file.

    An earlier copy of that name is replaced. OSError where the space would not do; sqlite3.Error, or OSError, where the
    disk refuses.
    """
    path = _file(connection)
    if path is None:
        return None
    copy = path.with_name(f"{path.name}.before-{version}")
    _check_space(connection, copy)
    partial = copy.with_name(f"{copy.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as target:
            connection.backup(target, pages=PAGES)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it
        shutil.copystat(path, partial)
        _sync(partial)
        partial.replace(copy)
        _sync(copy.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return copy


def _file(connection: sqlite3.Connection) -> Path | None:
    name = next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    return Path(name) if name else None


def _check_space(connection: sqlite3.Connection, copy: Path) -> None:
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    needed, free = NEEDED * size + SPARE_BYTES, shutil.disk_usage(copy.parent).free
    if free < needed:
        msg = (
            f"{free / 1e6:.0f} MB are free, and {needed / 1e6:.0f} MB are needed to keep the copy {copy.name} "
            "before its tables are changed: free some, or put the earlier program back"
        )
        raise OSError(msg)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

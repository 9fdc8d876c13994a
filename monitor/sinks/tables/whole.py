"""A file that appears under its name when it is complete, never half written."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import StoreError


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """What the disk or the database refuses comes as StoreError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        msg = f"table {path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise StoreError(msg) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` unless an error is raised; its folder is made. StoreError where it cannot."""
    partial = path.with_name(path.name + ".partial")
    try:
        with refusing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with refusing(path):
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def beside(folder: Path, file: str, suffix: str) -> Path:
    """Where what is about a file lies in a folder of its own: below it, under the file's whole path and name.

    Files of the same name in different folders stay apart, and what is about a.wav and a.flac.
    """
    path = Path(file)
    if ".." in path.parts:
        path = path.resolve()
    inside = path.relative_to(path.anchor)
    return folder / inside.with_name(inside.name + suffix)

"""Time and position from a satellite receiver, through gpsd, if it runs.

The protocol is gpsd_json(5): one JSON object a line, each with a `class`. `?WATCH` asks for reports, of which TPV
says when and where.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PATIENCE_S = 3.0
"""a receiver reports once a second"""
DELAY_S = 1.0
"""a report is at most so late: the serial line is slow, and gpsd waits for the whole cycle"""
LONGEST_REPORT = 65_536

_WATCH = b'?WATCH={"enable":true,"json":true};\n'
_FIX_2D = 2


@dataclass(frozen=True, slots=True)
class Fix:
    """What a receiver said."""

    utc: datetime
    """of the fix"""
    monotonic: float
    """when the report came"""
    error_s: float
    """of `utc`, 95 % of all times, as the receiver estimates it"""
    latitude: float | None
    longitude: float | None


def ask_gpsd(host: str, port: int, monotonic: Callable[[], float] = time.monotonic) -> Fix | None:
    """The next report with a time in it; None where gpsd does not run, has no fix, or speaks otherwise."""
    deadline = monotonic() + PATIENCE_S
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
            connection.sendall(_WATCH)
            for line in _lines(connection, deadline, monotonic):
                if fix := _read(line, monotonic()):
                    return fix
    except OSError:
        return None
    return None


def _lines(connection: socket.socket, deadline: float, monotonic: Callable[[], float]) -> Iterator[bytes]:
    """What comes until the deadline, line by line."""
    held = b""
    while (left_s := deadline - monotonic()) > 0 and len(held) < LONGEST_REPORT:
        connection.settimeout(left_s)
        received = connection.recv(4096)
        if not received:
            return
        *lines, held = (held + received).split(b"\n")
        yield from lines


def _read(line: bytes, now: float) -> Fix | None:
    """A report with a time, or None."""
    try:
        report: Any = json.loads(line)
        if report["class"] != "TPV" or report["mode"] < _FIX_2D:
            return None
        utc = datetime.fromisoformat(report["time"])
        error_s = float(report.get("ept", 0.0))
        latitude, longitude = report.get("lat"), report.get("lon")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if utc.tzinfo is None else Fix(utc, now, error_s, latitude, longitude)

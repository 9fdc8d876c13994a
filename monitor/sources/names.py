"""When a recording began, from what the recorder wrote: its file name or its WAV comment.

Patterns: AudioMoth (`20260501_041200.WAV`, comment `Recorded at 04:12:00 01/05/2026 (UTC+2) by ...`),
Wildlife Acoustics (`SITE_20260501_041200.wav`, `$` for a GPS clock), Frontier Labs
(`20260501T041200+0200_REC.flac`), as collected in QutEcoacoustics/emu.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from monitor.errors import ConfigError

_WITH_OFFSET = re.compile(r"(?<!\d)(\d{8})[T_](\d{6})(Z|[+-]\d{2}:?\d{2})(?!\d)")
_WITHOUT_OFFSET = re.compile(r"(?<!\d)(\d{8})[T_$-](\d{6})(?!\d)")
_COMMENT = re.compile(r"Recorded at (\d\d:\d\d:\d\d)(?:\.\d+)? (\d\d/\d\d/\d{4}) \(UTC(?:([+-]\d{1,2})(?::(\d\d))?)?\)")


def start_time(name: str, comment: str, zone: tzinfo | None) -> datetime | None:
    """UTC at which a recording began, or None where neither says so.

    The comment decides, then a name that states its offset from UTC; a name without one needs `zone`,
    because recorders write local time or UTC as they were told.
    """
    if match := _COMMENT.search(comment):
        clock, day, hours, minutes = match.groups()
        offset = _offset(hours or "+0", minutes or "0")
        return _moment(f"{day} {clock}", "%d/%m/%Y %H:%M:%S", offset)
    if match := _WITH_OFFSET.search(name):
        day, clock, written = match.groups()
        digits = written.replace(":", "")
        offset = UTC if written == "Z" else _offset(digits[:3], digits[3:])
        return _moment(day + clock, "%Y%m%d%H%M%S", offset)
    if zone is not None and (match := _WITHOUT_OFFSET.search(name)):
        return _moment("".join(match.groups()), "%Y%m%d%H%M%S", zone)
    return None


def read_zone(text: str) -> tzinfo:
    """A time zone from `UTC`, `+02:00` or `Europe/Berlin`. ConfigError for anything else."""
    if re.fullmatch(r"[+-]\d\d:?[0-5]\d", text) and (offset := _offset(text[:3], text[-2:])):
        return offset
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        msg = f"time zone {text!r} is not known: UTC, an offset such as +02:00 or a name such as Europe/Berlin expected"
        raise ConfigError(msg) from error


def _offset(hours: str, minutes: str) -> timezone | None:
    """None where the offset is a day or more, which no zone is."""
    total = timedelta(hours=abs(int(hours)), minutes=int(minutes))
    return timezone(-total if hours.startswith("-") else total) if total < timedelta(days=1) else None


def _moment(text: str, pattern: str, zone: tzinfo | None) -> datetime | None:
    """None where the digits are no date, such as month 13."""
    try:
        return None if zone is None else datetime.strptime(text, pattern).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

"""What recorders write into file names and WAV comments: when a recording began, and where.

Patterns: AudioMoth (`20260501_041200.WAV`, before 2020 `5EAB9A3C.WAV`; comment `Recorded at 04:12:00 01/05/2026
(UTC+2) by ...`), Wildlife Acoustics (`SITE_20260501_041200.wav`, `SITE_0+1_20260501_041200_125.wav` with milliseconds,
`$` for a GPS clock), Frontier Labs (`20260501T041200+0200_REC_-18.2656+144.5564.flac`, `... [-27.38 152.87].flac`),
plain ISO 8601, as collected in QutEcoacoustics/emu.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from monitor.errors import ConfigError
from monitor.recorded import Position

_DAY, _CLOCK = r"(?<!\d)(\d{4})(-?)(\d\d)\2(\d\d)", r"(\d\d)([:.-]?)(\d\d)\6(\d\d)"
_FRACTION = r"(?:\.(\d{1,6})(?=Z|[^0-9A-Za-z]|$)|_(\d{3})(?=\.|$))?"
_TIME = re.compile(rf"{_DAY}[T_$ -]{_CLOCK}{_FRACTION}(?:(Z|[+-]\d{{2}}:?\d{{2}})(?!\d))?(?!\d)")
_HEXADECIMAL = re.compile(r"([0-9A-F]{8})\.WAV")
_HEXADECIMAL_S = range(1_420_070_400, 1_735_689_600)
"""2015 to 2025: AudioMoths wrote such names, and other recorders number their files so"""
_COMMENT = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))? (\d\d/\d\d/\d{4}) \(UTC(?:([+-]\d{1,2})(?::(\d\d))?)?\)"
)
_DEGREES = (
    re.compile(r"\[\s*([+-]?\d{1,2}\.\d+)[\s,]*([+-]\d{1,3}\.\d+|(?<=[\s,])\d{1,3}\.\d+)\s*\]"),
    re.compile(r"_([+-]\d{1,2}\.\d+)([+-]\d{1,3}\.\d+)(?!\d)"),
)
UNSET_YEAR = 1970
"""in which a recorder lives whose clock was never set"""


def in_utc(written: datetime | None, zone: tzinfo | None) -> datetime | None:
    """UTC of a time that states its offset, or is meant in `zone`; None where nobody knows, or no clock was set."""
    if written is None or written.year == UNSET_YEAR or (written.tzinfo is None and zone is None):
        return None
    try:
        return (written if written.tzinfo else written.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_doubtful(written: datetime | None, zone: tzinfo | None) -> bool:
    """Whether the clocks were changed in that hour: the zone had such a time twice, or never."""
    return written is not None and in_utc(written, zone) != in_utc(written.replace(fold=1), zone)


def comment_time(comment: str) -> datetime | None:
    """The time in an AudioMoth's comment, which always states its offset; None where it says none."""
    if match := _COMMENT.search(comment):
        clock, fraction, day, hours, minutes = match.groups()
        offset = _offset(hours or "+0", minutes or "0")
        written = _written(f"{day} {clock}", "%d/%m/%Y %H:%M:%S", fraction)
        return written.replace(tzinfo=offset) if written is not None and offset is not None else None
    return None


def name_time(name: str) -> datetime | None:
    """The time in a file name, without a zone where it states none; None where it says no time."""
    if match := _TIME.search(name):
        year, _, month, day, hour, _, minute, second, decimals, milliseconds, offset = match.groups()
        written = _written(f"{year}{month}{day}{hour}{minute}{second}", "%Y%m%d%H%M%S", decimals or milliseconds)
        return written if written is None or offset is None else _stated(written, offset)
    if (match := _HEXADECIMAL.fullmatch(name)) and re.search("[A-F]", match[1]):
        seconds = int(match[1], 16)
        return datetime.fromtimestamp(seconds, UTC) if seconds in _HEXADECIMAL_S else None
    return None


def without_time(name: str) -> str:
    """A file name but for its time: files that continue each other have the rest in common."""
    return _TIME.sub("*", name) if _TIME.search(name) else _HEXADECIMAL.sub("*.WAV", name)


def name_position(name: str) -> Position | None:
    """The place in a file name, None where it says none."""
    for match in filter(None, (pattern.search(name) for pattern in _DEGREES)):
        try:
            return Position(float(match[1]), float(match[2]))
        except ValueError:
            return None
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


def _stated(written: datetime, text: str) -> datetime | None:
    """The time with the offset that stands behind it; None where no zone is so far off."""
    offset = UTC if text == "Z" else _offset(text[:3], text[-2:])
    return None if offset is None else written.replace(tzinfo=offset)


def _offset(hours: str, minutes: str) -> timezone | None:
    """None where the offset is a day or more, which no zone is."""
    total = timedelta(hours=abs(int(hours)), minutes=int(minutes))
    return timezone(-total if hours.startswith("-") else total) if total < timedelta(days=1) else None


def _written(text: str, pattern: str, fraction: str | None) -> datetime | None:
    """None where the digits are no date, such as month 13."""
    try:
        return datetime.strptime(f"{text}.{fraction or 0}", f"{pattern}.%f")  # noqa: DTZ007 - the zone comes later
    except ValueError:
        return None

"""Which days are looked at, and by what clock: one offset from UTC all year round.

A clock that is changed in spring would tear the pictures apart: sunrise, and the birds with it, would jump by an hour.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from monitor.clock import rfc3339

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Days by a clock that is never changed."""

    offset: timedelta = timedelta(0)
    """of the clock from UTC"""
    first: date | None = None
    """None: from the first record on"""
    last: date | None = None
    """itself looked at too; None: to the last record"""

    @property
    def offset_minutes(self) -> int:
        """Of the clock from UTC."""
        return round(self.offset.total_seconds() / 60)

    @property
    def clock(self) -> str:
        """The clock's name, such as UTC+01:00."""
        if not self.offset_minutes:
            return "UTC"
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"UTC{'-' if self.offset_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"

    @property
    def start_utc(self) -> str | None:
        """When the first day begins."""
        return None if self.first is None else self._midnight(self.first)

    @property
    def end_utc(self) -> str | None:
        """When the last day is over."""
        return None if self.last is None else self._midnight(self.last + DAY)

    def local(self, utc: str) -> datetime:
        """A time as a clock at the place shows it."""
        return datetime.fromisoformat(utc).replace(tzinfo=None) + self.offset

    def _midnight(self, day: date) -> str:
        return str(rfc3339(datetime(day.year, day.month, day.day, tzinfo=UTC) - self.offset))


def standard_offset(zone: tzinfo, year: int) -> timedelta:
    """By how much the clocks of a zone differ from UTC while no daylight saving time is on."""
    offsets = [datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7)]
    return min(offsets)

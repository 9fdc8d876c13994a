"""Which signed commands are obeyed: those that are meant for this station, of now, and new.

What was recorded on its way cannot be sent again: the id of each command that was obeyed is kept in the store until it
has expired, and what has expired is refused. So it is where the time is vouched for. Where it is not, nobody can say
what has expired: no id is forgotten then, and a command must have been issued later than the newest whose time was
vouched for. A command that somebody held back on its way is then obeyed late, but once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.clock import rfc3339
from monitor.clock.times import Instant
from monitor.errors import CommandError
from monitor.messages.commands import CommandMessage
from monitor.sinks.orders import Orders

SKEW = timedelta(seconds=60)
"""by which the sender's clock and the station's may differ"""


@dataclass(frozen=True, slots=True)
class Admission:
    """Decides about the commands of one station."""

    station: str
    orders: Orders
    now: Callable[[], Instant]

    def admit(self, command: CommandMessage) -> None:
        """Remember a command that is to be obeyed: it never will be again.

        CommandError, with the reason, for any other; StoreError where it could not be remembered, and must not be
        obeyed therefore.
        """
        if command.station != self.station:
            msg = f"it is meant for another station than {self.station}"
            raise CommandError(msg)
        issued = _time(command.issued_utc)
        until = issued + timedelta(seconds=command.expires_s)
        now = self.now()
        known = now.utc if now.quality.vouched else None
        if self.orders.taken(command.id):
            msg = "it was obeyed before"
            raise CommandError(msg)
        if known is None:
            self._check_order(issued)
        else:
            _check_time(issued, until, known)
            self.orders.forget(str(rfc3339(known - SKEW)))
        self.orders.take(command.id, str(rfc3339(issued)), str(rfc3339(until)), vouched=known is not None)

    def _check_order(self, issued: datetime) -> None:
        newest = self.orders.newest()
        if newest is not None and str(rfc3339(issued)) <= newest:
            msg = f"nobody here knows the time, and it was not issued after {newest}, when the last one was"
            raise CommandError(msg)


def _check_time(issued: datetime, until: datetime, now: datetime) -> None:
    if now > until + SKEW:
        msg = f"it expired {(now - until).total_seconds():.0f} s ago by the clock of this station"
        raise CommandError(msg)
    if now < issued - SKEW:
        msg = f"it was issued {(issued - now).total_seconds():.0f} s ahead of the clock of this station"
        raise CommandError(msg)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = "its issued_utc is no time: RFC 3339 with its offset expected, such as 2026-05-01T04:12:07Z"
    raise CommandError(msg)

"""Which clock is believed: one reference for the whole boot, replaced only by a better one.

A clock that is set, by NTP, by hand or by accident, changes nothing by itself. A reference is replaced where the new
one is vouched for and the old one is not, or where both are and contradict each other by more than both may be wrong.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from monitor.clock.gpsd import DELAY_S, Fix
from monitor.clock.kernel import Kernel, kernel_clock
from monitor.clock.times import Instant, Quality

EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""a system clock that says less has not been set: this program is younger"""
DRIFT = 1e-4
"""a computer's crystal runs wrong by at most this share while nothing disciplines it: 50 ppm, and as much for frost"""
READING_S = 0.001
"""how far two readings of the same clocks may differ because the reader was interrupted"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reference:
    """What UTC the monotonic clock of a boot shows."""

    offset_s: float
    """UTC less monotonic seconds, since 1970"""
    quality: Quality
    error_s: float | None
    """bound on the offset's error between `since` and `until`; None where nobody can say"""
    since: float
    until: float
    """monotonic seconds between which somebody vouched for it"""

    def at(self, monotonic: float, jitter_s: float = 0.0) -> Instant:
        """The time at a monotonic second that itself is known to `jitter_s`."""
        utc = _EPOCH + timedelta(microseconds=round((monotonic + self.offset_s) * 1_000_000))
        return Instant(utc, self.quality, self._error(monotonic, jitter_s), monotonic)

    def _error(self, monotonic: float, jitter_s: float) -> float | None:
        if self.error_s is None:
            return None
        alone_s = max(0.0, self.since - monotonic, monotonic - self.until)
        return self.error_s + DRIFT * alone_s + jitter_s


class StationClock:
    """The monotonic clock of this boot and what UTC it shows; for any number of threads."""

    def __init__(
        self,
        boot: str,
        held: Reference | None,
        unsynchronised: Quality,
        *,
        kernel: Callable[[], Kernel] = kernel_clock,
        monotonic: Callable[[], float] = time.monotonic,
        system: Callable[[], float] = time.time,
    ) -> None:
        """`held` is what an earlier run in the same boot believed, `unsynchronised` the system clock without NTP."""
        self.boot, self._reference, self._unsynchronised = boot, held, unsynchronised
        self._kernel, self._monotonic, self._system = kernel, monotonic, system
        self._lock = threading.Lock()

    @property
    def reference(self) -> Reference | None:
        """What is believed now; None while nobody knows the time."""
        return self._reference

    def at(self, monotonic: float, jitter_s: float = 0.0) -> Instant:
        """The time at a monotonic second that itself is known to `jitter_s`."""
        reference = self._reference
        if reference is None:
            return Instant(None, Quality.UNSYNCED, None, monotonic)
        return reference.at(monotonic, jitter_s)

    def observe(self, fix: Fix | None = None) -> bool:
        """Look at the system clock, and at a fix if there is one; True where all times of this boot have moved."""
        seen = [self._system_clock(), *([_of_fix(fix)] if fix else [])]
        with self._lock:
            before = self._reference
            for candidate in seen:
                if candidate is not None:
                    self._reference = _better(self._reference, candidate)
            after = self._reference
        return after is not None and (before is None or _differ(before, after))

    def _system_clock(self) -> Reference | None:
        """What the system clock says; None where it has not been set."""
        kernel = self._kernel()
        before = self._monotonic()
        system = self._system()
        now = (before + self._monotonic()) / 2
        if system < EARLIEST.timestamp():
            return None
        if kernel.synchronised:
            return Reference(system - now, Quality.NTP, kernel.error_s + READING_S, now, now)
        return Reference(system - now, self._unsynchronised, None, now, now)


def _of_fix(fix: Fix) -> Reference:
    """A report comes late, and never early: half of what it may be late is added."""
    offset_s = fix.utc.timestamp() + DELAY_S / 2 - fix.monotonic
    return Reference(offset_s, Quality.GPS, fix.error_s + DELAY_S / 2, fix.monotonic, fix.monotonic)


def _better(held: Reference | None, seen: Reference) -> Reference:
    """The reference to go on with."""
    if held is None or (seen.quality.vouched and not held.quality.vouched):
        return seen
    held_error_s, now = held.at(seen.since).error_s, seen.since
    if held_error_s is None or seen.error_s is None:
        return held
    apart_s = abs(seen.offset_s - held.offset_s)
    if apart_s <= held_error_s + seen.error_s:
        return replace(held, error_s=min(held_error_s, seen.error_s + apart_s), until=now)
    return seen if seen.quality == held.quality or seen.error_s < held_error_s else held


def _differ(before: Reference, after: Reference) -> bool:
    return (before.offset_s, before.quality) != (after.offset_s, after.quality)

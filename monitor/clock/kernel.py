"""What the kernel says of its clock: adjtimex(2), the real-time clock and the boot."""

import ctypes
import uuid
from dataclasses import dataclass
from pathlib import Path

from monitor.clock.times import Quality

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCK_WAS_SET_FROM = Path("/sys/class/rtc/rtc0/hctosys")
"""reads 1 where the kernel took the time from this clock when the machine started"""

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised"""
_STA_UNSYNC = 0x40


class _Timex(ctypes.Structure):
    """The first fields of `struct timex`, and room for the rest. Modes 0 only reads."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel says of its clock now."""

    synchronised: bool
    error_s: float
    """the larger of its maximum and its estimated error: it grows from one answer of a time server to the next"""


def kernel_clock() -> Kernel:
    """Ask the kernel."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    synchronised = state not in {-1, _TIME_ERROR} and not timex.status & _STA_UNSYNC
    return Kernel(synchronised, max(timex.maxerror, timex.esterror) / 1_000_000)


def system_quality(path: Path = CLOCK_WAS_SET_FROM) -> Quality:
    """How far the system clock can be trusted now."""
    if kernel_clock().synchronised:
        return Quality.NTP
    return unsynchronised_quality(path)


def unsynchronised_quality(path: Path = CLOCK_WAS_SET_FROM) -> Quality:
    """How far it can be trusted while nothing synchronises it."""
    try:
        return Quality.RTC if path.read_text(encoding="ascii").strip() == "1" else Quality.UNSYNCED
    except OSError:
        return Quality.UNSYNCED


def boot_id(path: Path = BOOT_ID) -> str:
    """What tells this boot from all others; a new one each time where the kernel does not say."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())

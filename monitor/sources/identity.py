"""Which sound card it is: what stays the same when it is plugged in again or the machine starts anew.

ALSA numbers cards as they are found. PortAudio's name of an ALSA input ends in `(hw:card,device)`, and sysfs
says what that card is: /sys/class/sound/cardN/device is the USB interface, the folder above it the USB device
(Documentation/ABI/testing/sysfs-bus-usb of the Linux kernel).
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

SYSTEM = Path("/sys")
_CARD = re.compile(r"\(hw:(\d+),\d+\)")


@dataclass(frozen=True, slots=True)
class Usb:
    """A USB device as it describes itself, and where it is plugged in."""

    vendor: str
    """four hexadecimal digits, as product"""
    product: str
    serial: str
    """empty where it has none"""
    port: str
    """the bus and the way from there, such as 1-1.4"""

    def identities(self) -> tuple[str, str, str]:
        """What it can be called, from the best: with its serial number, by its kind, by its port."""
        kind = f"usb:{self.vendor}:{self.product}"
        return f"{kind}:{self.serial}" if self.serial else kind, kind, f"port:{self.port}"


class Named(Protocol):
    """What can be chosen."""

    @property
    def index(self) -> int:
        """Where it stands in the list."""

    @property
    def name(self) -> str:
        """What PortAudio calls it."""

    @property
    def usb(self) -> Usb | None:
        """What it is on USB."""


D = TypeVar("D", bound=Named)


def usb_of(name: str, system: Path = SYSTEM) -> Usb | None:
    """The USB device behind an ALSA input of that name; None where there is none. `system` is where sysfs lies."""
    found = _CARD.search(name)
    if found is None:
        return None
    device = (system / "class" / "sound" / f"card{found[1]}" / "device").resolve().parent
    vendor, product = _read(device / "idVendor"), _read(device / "idProduct")
    return Usb(vendor, product, _read(device / "serial"), device.name) if vendor and product else None


def fitting(devices: Sequence[D], wanted: str) -> list[D]:
    """All that a text fits: usb:vendor:product[:serial], port:1-1.4, index:3, a name, a pattern or a part of a name."""
    if wanted.startswith(("usb:", "port:")):
        return [d for d in devices if d.usb and wanted in d.usb.identities()]
    if wanted.startswith("index:"):
        return [d for d in devices if wanted == f"index:{d.index}"]
    exact = [d for d in devices if d.name == wanted]
    small = wanted.casefold()
    return (
        exact
        or [d for d in devices if fnmatch.fnmatchcase(d.name.casefold(), small)]
        or [d for d in devices if small in d.name.casefold()]
    )


def lasting(device: D, devices: Iterable[D]) -> str:
    """What to write for a device so that it is found again: the best identity that no other has.

    The number of the card is no part of it, unless nothing else tells it from the others.
    """
    others = [d for d in devices if d is not device]
    named = _CARD.sub("(hw:*)", device.name)
    candidates = [*(device.usb.identities() if device.usb else ()), device.name if named == device.name else named]
    for candidate in [*candidates, device.name]:
        if fitting([device], candidate) and not fitting(others, candidate):
            return candidate
    return f"index:{device.index}"


def _read(path: Path) -> str:
    """One attribute of sysfs; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

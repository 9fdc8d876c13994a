"""What the computer says of itself: how warm it is, how much memory and disk there is. None where it does not say."""

import os
import shutil
from pathlib import Path

ROOT = Path("/")
_RESIDENT = 1
"""index in statm, see proc(5): in pages"""


def temperature_c(root: Path = ROOT) -> float | None:
    """What the warmest sensor shows, in degrees Celsius. `root` holds sys/."""
    return max(_sensors_c(root), default=None)


def resident_bytes(root: Path = ROOT) -> int | None:
    """Memory that this program holds. `root` holds proc/."""
    try:
        pages = (root / "proc/self/statm").read_text(encoding="ascii").split()[_RESIDENT]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def free_bytes(folder: Path) -> int | None:
    """What may still be written into a folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _sensors_c(root: Path) -> list[float]:
    found = []
    for path in root.glob("sys/class/thermal/thermal_zone*/temp"):
        try:
            found.append(int(path.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):  # a sensor that sleeps answers with an error
            continue
    return found

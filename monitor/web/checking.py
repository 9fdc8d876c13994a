"""Whether the configuration can be read, and how clock, disk and rights are: what a doctor finds without a stethoscope.

The microphone, the model and the broker are the daemon's just now; `health` says how they fare.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

import msgspec

from monitor.config.reading import load
from monitor.doctor import disk, machine
from monitor.doctor.finding import Finding, green, red
from monitor.errors import ConfigError

AGAIN_S = 300.0
"""until then the last answer holds: each look writes a little to the disk"""


class Check(msgspec.Struct, frozen=True):
    """What was found."""

    findings: list[Finding]


class Checks:
    """Looks, from any thread, one at a time."""

    def __init__(self, path: Path | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`path`: of the configuration; None: where there is none, the defaults."""
        self._path, self._monotonic = path, monotonic
        self._lock, self._last, self._looked_at = Lock(), Check([]), -AGAIN_S

    def look(self) -> Check:
        """What is so now, or was some minutes ago."""
        with self._lock:
            if self._monotonic() - self._looked_at >= AGAIN_S:
                self._last = Check(self._findings())
                self._looked_at = self._monotonic()
            return self._last

    def _findings(self) -> list[Finding]:
        try:
            config = load(self._path)
        except ConfigError as error:
            return [red("configuration", f"{error}.", "The daemon goes on with what it read before; mend the file.")]
        asked: list[tuple[str, Callable[[], list[Finding]]]] = [
            ("clock", machine.clock),
            ("temperature", partial(machine.temperature, Path("/"))),
            ("disk", partial(disk.storage, config)),
            ("access", partial(disk.access, config, self._path)),
            ("privacy", partial(disk.privacy, config)),
        ]
        found = [green("configuration", f"{self._path or 'defaults, no file'} can be read and all keys are known.")]
        for name, ask in asked:
            try:
                found += ask()
            except OSError as error:
                found.append(red(name, f"Could not look: {error.strerror or error}.", "Remove the cause."))
        return found

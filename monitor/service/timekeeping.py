"""What time it is: asked again and again, because a device in the field may learn it hours after its start."""

import logging
from collections.abc import Callable

from monitor.clock.gpsd import Fix, ask_gpsd
from monitor.clock.reference import StationClock
from monitor.config.clock import Timekeeping
from monitor.service.regular import Regular
from monitor.sinks.store import Store

logger = logging.getLogger(__name__)

LOOK_S = 30.0
MOVED_DEGREES = 0.001
"""about 100 m: a receiver that lies still wanders less"""


class Timekeeper:
    """Keeps the station's clock at what is known, and has the store corrected when all times of this boot move."""

    def __init__(
        self,
        clock: StationClock,
        store: Store,
        settings: Timekeeping,
        ask: Callable[[str, int], Fix | None] = ask_gpsd,
    ) -> None:
        self._clock, self._store, self._settings, self._ask = clock, store, settings, ask
        self._position: tuple[float, float] | None = None
        self._regular = Regular("clock", LOOK_S, self.look, at_once=True)

    def start(self) -> None:
        """Look at the system's clock, have corrected what this boot kept before, and go on asking in a thread."""
        self._clock.observe()
        self._correct()
        self._regular.start()

    def look(self) -> None:
        """Ask all who may know."""
        host = self._settings.gpsd_host
        fix = self._ask(host, self._settings.gpsd_port) if host else None
        if fix is not None:
            self._locate(fix)
        if self._clock.observe(fix):
            self._correct()

    def close(self) -> None:
        """Ask no more."""
        self._regular.close()

    def _correct(self) -> None:
        reference = self._clock.reference
        if reference is None:
            logger.warning("nobody knows the time: records have none until somebody does")
            return
        error = "unknown" if reference.error_s is None else f"at most {reference.error_s:.3f} s"
        logger.info("clock quality is %s, its error %s", reference.quality, error)
        self._store.correct(self._clock.boot, reference)

    def _locate(self, fix: Fix) -> None:
        if fix.latitude is None or fix.longitude is None:
            return
        position = fix.latitude, fix.longitude
        if (
            self._position is None
            or max(abs(a - b) for a, b in zip(position, self._position, strict=True)) > MOVED_DEGREES
        ):
            self._position = position
            self._store.locate(*position)

"""What systemd is told: that the service is ready, how its sources fare and, while all advance, that it lives."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from monitor.service.progress import Progress, State
from monitor.service.systemd import notify, watchdog_s

logger = logging.getLogger(__name__)

STILL_S = 30.0
"""in which a search for a source comes round at least once, besides what a window takes"""
SURE_S = 10.0
"""after so long it is sure that a source is not there, and the service is ready without it"""
TICK_S = 5.0


class Watchdog:
    """Feeds systemd's watchdog only while every row of streams advances: one that hangs must not hide behind another.

    A row advances when a window of it was analysed, and also while its source is known to be lost and is looked for,
    or the schedule pauses it: gaps that say so come out of the same thread.
    """

    def __init__(
        self,
        rows: Sequence[Progress],
        stirred: threading.Event,
        patience_s: float = STILL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stirred` is set when there is something to tell; a row that has not advanced for `patience_s` hangs."""
        self._rows, self._stirred, self._patience_s, self._monotonic = rows, stirred, patience_s, monotonic
        self._began = monotonic()
        self.ready = False
        """whether systemd was told so"""
        self._hanging: list[str] = []
        asked_s = watchdog_s()
        self._tick_s = TICK_S if asked_s is None else min(TICK_S, asked_s / 3)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        """Tell from now on, in a thread."""
        self._began = self._monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Tell a last time how all fare, and no more."""
        self._stop.set()
        self._stirred.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Tell how all rows fare."""
        words = []
        if not self.ready and self._settled():
            self.ready = True
            words.append("READY=1")
        hanging = [row.name or "a source" for row in self._rows if row.late(self._patience_s)]
        if not hanging:
            words.append("WATCHDOG=1")
        elif hanging != self._hanging:
            logger.error("%s: no audio was analysed for %g s", " and ".join(hanging), self._patience_s)
        self._hanging = hanging
        notify("\n".join([*words, f"STATUS={self._status()}"]))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stirred.clear()
            self.look()
            self._stirred.wait(self._tick_s)

    def _settled(self) -> bool:
        """Whether of each row a window was analysed, or it is known why not."""
        sure = self._monotonic() - self._began > SURE_S
        unsettled = {State.WAITING} if sure else {State.WAITING, State.LOST}
        return not any(row.state in unsettled for row in self._rows)

    def _status(self) -> str:
        return " | ".join(_said(row, alone=len(self._rows) == 1) for row in self._rows)


def _said(row: Progress, *, alone: bool) -> str:
    found = f"{row.detections} detections, last: {row.last}"
    match row.state:
        case State.WAITING:
            return "waiting for audio"
        case State.LISTENING:
            return f"listening to {row.name}; {found}"
        case State.LOST:
            return f"no audio{'' if alone else f' from {row.name}'}: {row.trouble}"
        case State.PAUSED:
            return f"not listening to {row.name} because of the schedule; {found}"
        case State.ENDED:
            return f"{row.name or 'a source'} has ended; {found}"

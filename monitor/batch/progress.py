"""How far an analysis is, how fast, and how long it will take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.batch.found import Recording
from monitor.batch.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is now."""

    done: int
    """recordings, with those of earlier calls"""
    total: int
    failed: int
    audio_s: float
    """of this call"""
    elapsed_s: float
    eta_s: float | None
    """seconds still to go, by bytes; None while nobody can say"""

    @property
    def speed(self) -> float:
        """Times real time."""
        return self.audio_s / self.elapsed_s if self.elapsed_s > 0 else 0.0


class Account:
    """Counts what is done."""

    def __init__(self, total: int, left: Sequence[Recording], monotonic: Callable[[], float] = time.monotonic) -> None:
        """`left` of a `total` number of recordings are still to be done."""
        self._done, self._total, self._failed, self._audio_s = total - len(left), total, 0, 0.0
        self._bytes_done, self._bytes = 0, sum(recording.size for recording in left)
        self._monotonic, self._begun = monotonic, monotonic()

    def add(self, recording: Recording, outcome: Outcome) -> None:
        """One more is done."""
        self._done += 1
        self._failed += bool(outcome.failures)
        self._audio_s += outcome.length_s
        self._bytes_done += recording.size

    def now(self) -> Progress:
        """How far it is."""
        elapsed_s = self._monotonic() - self._begun
        left = self._bytes - self._bytes_done
        eta_s = elapsed_s * left / self._bytes_done if self._bytes_done else None
        return Progress(self._done, self._total, self._failed, self._audio_s, elapsed_s, eta_s)

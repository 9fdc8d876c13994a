"""Who analyses: this process, or a crew of others behind the same protocol."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from monitor.batch.analysis import Analysis
from monitor.batch.found import Recording
from monitor.batch.outcome import Outcome


class Crew(Protocol):
    """Analyses recordings, in whatever order it ends with them."""

    def outcomes(self, recordings: Iterable[Recording]) -> Generator[tuple[Recording, Outcome]]:
        """Each recording with what it came to, as they are done. Closing the iterator ends all work."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One after the other, here."""

    analysis: Analysis

    def outcomes(self, recordings: Iterable[Recording]) -> Generator[tuple[Recording, Outcome]]:
        """Each recording with what it came to, in their order."""
        for recording in recordings:
            yield recording, self.analysis.outcome(recording.paths)

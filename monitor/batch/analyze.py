"""READ FIRST. Recordings -> journal -> tables."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.batch import sheets
from monitor.batch.alone import Crew
from monitor.batch.clips import Clipped, Clipping
from monitor.batch.found import Failure, Recording
from monitor.batch.journal import Journal
from monitor.batch.progress import Account, Progress
from monitor.batch.sheets import Results, Summary


@dataclass(frozen=True, slots=True)
class Season:
    """Where an analysis keeps its outcomes, who does the work, and what the tables are."""

    journal: Journal
    crew: Crew
    results: Results
    band_hz: tuple[float, float]
    clipping: Clipping | None = None
    """None: no sound is kept"""

    def analyze(
        self,
        recordings: Sequence[Recording],
        failures: Sequence[Failure] = (),
        told: Callable[[Progress], None] = lambda _progress: None,
    ) -> Summary:
        """Analyse what the journal does not know, then write the tables of all.

        A recording that breaks off keeps the rows up to there; it, the unreadable ones and those too short for a model
        are in the summary's failures, beside the `failures` that no recording stands for. StoreError where the disk
        refuses, before the work where that can be known: what was done until then stays in the journal.
        """
        sheets.tried(self.results, self.band_hz)
        left = [recording for recording in recordings if not self.journal.knows(recording)]
        account = Account(len(recordings), left)
        told(account.now())
        with contextlib.closing(self.crew.outcomes(left)) as outcomes:
            for recording, outcome in outcomes:
                self.journal.add(recording, outcome)
                account.add(recording, outcome)
                told(account.now())
        self.journal.flush()
        clipped = Clipped() if self.clipping is None else self.clipping.write(recordings, self.journal)
        troubles = [*failures, *clipped.failures]
        summary = sheets.write(recordings, self.journal, self.results, self.band_hz, troubles)
        summary.clips, summary.withheld = len(clipped.lines), clipped.withheld
        self.journal.complete()
        return summary

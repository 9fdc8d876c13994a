"""What came of a recording, file by file."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.messages import EffortMessage
from monitor.recorded import Recorded
from monitor.sinks.rows import Minute
from monitor.sinks.tables.rows import Row


@dataclass(frozen=True, slots=True)
class HeardFile:
    """A file that could be opened, with what was found in it: nothing, maybe."""

    name: str
    duration_s: float
    rows: Sequence[Row]
    """those that begin in it, by onset"""


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording: one file, or several that continue each other."""

    files: Sequence[HeardFile]
    minutes: Sequence[Minute] = ()
    hours: Sequence[EffortMessage] = ()

    @staticmethod
    def of(
        recorded: Recorded,
        duration_s: float,
        rows: Sequence[Row],
        minutes: Sequence[Minute] = (),
        hours: Sequence[EffortMessage] = (),
    ) -> "Heard":
        """From all rows of a recording that lasted so long, in any order."""
        ordered = sorted(rows, key=lambda row: (row.onset_s, row.scientific_name, row.model))
        files = []
        for index, part in enumerate(recorded.parts):
            last = index == len(recorded.parts) - 1 or part.end_sample is None
            start_s = part.start_sample / recorded.sample_rate
            end_s = duration_s if last else (part.end_sample or 0) / recorded.sample_rate
            own = [row for row in ordered if row.file == part.file]
            files.append(HeardFile(part.file, max(0.0, end_s - start_s), own))
        return Heard(files, minutes, hours)

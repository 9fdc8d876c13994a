"""The journal -> the tables, in the order of the recordings: the same bytes however the work was shared or cut."""

import contextlib
import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.batch.found import Failure, Recording
from monitor.batch.journal import Journal
from monitor.batch.outcome import Outcome, unpack
from monitor.sinks.tables import NAMES, Format, open_tables, score_table
from monitor.sinks.tables.whole import refusing, whole

ERRORS, EFFORT = "errors.csv", "effort.csv"
_ERROR_COLUMNS = ("file", "reason")
_EFFORT_COLUMNS = ("file", "start_utc", "length_s", "heard_s", "lost_s")


@dataclass(frozen=True, slots=True)
class Results:
    """Where the tables go, and which."""

    directory: Path
    forms: Sequence[Format] = (Format.CSV,)
    scores: bool = False

    @property
    def tables(self) -> list[Path]:
        """Of detections."""
        return [self.directory / NAMES[form] for form in self.forms]


@dataclass(slots=True)
class Summary:
    """What came of all recordings."""

    recordings: int = 0
    analysed: int = 0
    """of which anything was heard"""
    zoneless: int = 0
    """that say when they began, but not in which time zone"""
    failures: list[Failure] = field(default_factory=list)
    heard_s: float = 0.0
    """by every model"""
    lost_s: float = 0.0
    detections: Counter[str] = field(default_factory=Counter)
    """by common name"""
    clips: int = 0
    withheld: int = 0
    """clips in which somebody speaks"""

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.recordings += 1
        self.analysed += outcome.heard_s > 0
        self.zoneless += outcome.zoneless
        self.failures += outcome.failures
        self.heard_s += outcome.heard_s
        self.lost_s += outcome.length_s - outcome.heard_s
        self.detections.update(row.common_name for row in outcome.rows)


def tried(results: Results, band_hz: tuple[float, float]) -> None:
    """Say before any work where a table cannot be begun: StoreError, or ConfigError where a library is not there."""
    with contextlib.suppress(_Tried), open_tables(results.directory, results.forms, band_hz):
        raise _Tried


class _Tried(Exception):  # noqa: N818 - it is none
    """Gives up tables that were begun: what lies under their names stays."""


def write(
    recordings: Sequence[Recording],
    journal: Journal,
    results: Results,
    band_hz: tuple[float, float],
    failures: Sequence[Failure] = (),
) -> Summary:
    """Write all tables; `failures` are those that no recording stands for. StoreError where one cannot be written."""
    summary, effort = Summary(failures=list(failures)), []
    with contextlib.ExitStack() as stack:
        tables = stack.enter_context(open_tables(results.directory, results.forms, band_hz))
        scores = stack.enter_context(score_table(results.directory)) if results.scores else None
        for recording in recordings:
            outcome = journal.outcome(recording)
            summary.add(outcome)
            for heard in outcome.heard:
                tables.add(heard)
            if outcome.length_s > 0:
                effort.append(_effort(recording, outcome))
            if scores is not None:
                scores.write(unpack(outcome.scores), 0.0)
    _write(results.directory / EFFORT, _EFFORT_COLUMNS, effort)
    _write(results.directory / ERRORS, _ERROR_COLUMNS, [(one.path, one.reason) for one in summary.failures])
    return summary


def _effort(recording: Recording, outcome: Outcome) -> tuple[object, ...]:
    lost_s = outcome.length_s - outcome.heard_s
    return recording.paths[0], outcome.start_utc, *(round(s, 3) for s in (outcome.length_s, outcome.heard_s, lost_s))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file that appears whole. StoreError where it cannot be written."""
    with (
        whole(path) as partial,
        refusing(path),
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)

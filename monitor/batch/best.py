"""The most confident detections of each species, the same however the work was shared."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.sinks.tables import Row


def species_of(row: Row) -> str:
    """By its scientific name, or the model's label where it has none."""
    return row.scientific_name or row.label or row.common_name


@dataclass(frozen=True, slots=True, order=True)
class Ranked:
    """A detection among those of its species; the better is the smaller, of equals the one that comes first."""

    doubt: float
    """1 - confidence"""
    recording: int
    """by number, in the order in which recordings are reported"""
    onset_s: float
    id: str
    row: Row = field(compare=False)


def best(rows: Iterable[tuple[int, Row]], most: int) -> dict[int, list[Row]]:
    """The best `most` of each species, by the recording they are in, in the order of their onsets.

    `rows` come with the number of their recording. No more than those that are kept are in memory.
    """
    found: dict[str, list[Ranked]] = defaultdict(list)
    for number, row in rows:
        kept = found[species_of(row)]
        kept.append(Ranked(1 - row.confidence, number, row.onset_s, row.id or "", row))
        if len(kept) >= 2 * most:
            kept[:] = heapq.nsmallest(most, kept)
    chosen = [one for kept in found.values() for one in heapq.nsmallest(most, kept)]
    by_recording: dict[int, list[Row]] = defaultdict(list)
    for one in sorted(chosen, key=lambda one: (one.recording, one.onset_s, one.id)):
        by_recording[one.recording].append(one.row)
    return dict(by_recording)

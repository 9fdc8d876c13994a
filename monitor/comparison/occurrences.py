"""What was heard when, as results and annotations say it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from monitor.errors import RecordingError


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A species in a stretch of a recording."""

    file: str
    """as the table names it"""
    onset_s: float
    offset_s: float
    species: str
    """scientific name where the table has one"""
    common_name: str = ""
    confidence: float = 1.0
    """in [0, 1]"""

    @property
    def recording(self) -> str:
        """By which tables that name a file differently agree: its name without folder and suffix."""
        return recording_of(self.file)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a table, or several, say."""

    occurrences: Sequence[Occurrence]
    recordings: frozenset[str]
    """that are listed, also those in which there is nothing"""

    def checked(self, what: str) -> "Listed":
        """RecordingError where two files cannot be told apart by their names."""
        files: dict[str, str] = {}
        for one in self.occurrences:
            known = files.setdefault(one.recording, one.file)
            if PurePath(known) != PurePath(one.file):
                msg = f"{what}: {known} and {one.file} have the same name, and recordings are known by their names"
                raise RecordingError(msg)
        return self


Key = tuple[str, str]
"""recording and species"""


def recording_of(file: str) -> str:
    """The name of a file without folder and suffix; Windows wrote it, maybe."""
    return PurePath(file.replace("\\", "/")).stem


def grouped(occurrences: Iterable[Occurrence]) -> Mapping[Key, list[Occurrence]]:
    """By recording and species."""
    groups: dict[Key, list[Occurrence]] = defaultdict(list)
    for one in occurrences:
        groups[one.recording, one.species].append(one)
    return groups


def same_names(*lists: Sequence[Occurrence]) -> list[list[Occurrence]]:
    """The same with one name for each species, whether a table writes the scientific or the common one."""
    known: dict[str, str] = {}
    for one in (one for occurrences in lists for one in occurrences):
        known.setdefault(one.species.casefold(), one.species)
    for one in (one for occurrences in lists for one in occurrences if one.common_name):
        if one.common_name.casefold() != one.species.casefold():
            known[one.common_name.casefold()] = known[one.species.casefold()]
    return [[replace(one, species=known[one.species.casefold()]) for one in occurrences] for occurrences in lists]

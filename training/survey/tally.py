"""How many of what: pure counting over measured recordings."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from training.survey.listing import Entry
from training.survey.measure import Measured

UNKNOWN = "not stated"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOURS = tuple(f"{hour:02d}" for hour in range(24))
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z+-]+)/(\d\.\d)")
_DATE = re.compile(r"\d{4}-(\d\d)-\d\d")
_TIME = re.compile(r"(\d{1,2}):\d\d")


@dataclass(frozen=True, slots=True)
class Species:
    """What there is of one species."""

    name: str
    common_name: str
    recordings: tuple[Measured, ...]

    @property
    def minutes(self) -> float:
        """Of sound."""
        return sum(one.length_s for one in self.recordings) / 60

    @property
    def median_s(self) -> float:
        """Half of the recordings are shorter."""
        return median(one.length_s for one in self.recordings)

    @property
    def sessions(self) -> frozenset[str]:
        """Known visits."""
        return frozenset(one.entry.session for one in self.recordings) - {""}

    @property
    def recordists(self) -> Counter[str]:
        """Recordings a known recordist."""
        return Counter(one.entry.recordist for one in self.recordings if one.entry.recordist)

    @property
    def countries(self) -> frozenset[str]:
        """Known ones."""
        return frozenset(one.entry.country for one in self.recordings) - {""}

    @property
    def biggest(self) -> tuple[str, float] | None:
        """The recordist with the most recordings and the share of all; None where nobody is known."""
        if not self.recordists:
            return None
        recordist, count = self.recordists.most_common(1)[0]
        return recordist, count / len(self.recordings)


def by_species(measured: Sequence[Measured]) -> tuple[Species, ...]:
    """Recordings in groups of one species, by name."""
    groups: dict[str, list[Measured]] = {}
    for one in measured:
        groups.setdefault(one.entry.species, []).append(one)
    return tuple(
        Species(name, next((one.entry.common_name for one in group if one.entry.common_name), ""), tuple(group))
        for name, group in sorted(groups.items())
    )


def counted(measured: Sequence[Measured], what: Callable[[Entry], str]) -> Counter[str]:
    """Recordings by what is said of them, with those of which nothing is said under `not stated`.

    Empty where nothing is said of any.
    """
    counts = Counter(what(one.entry) or UNKNOWN for one in measured)
    return Counter() if set(counts) == {UNKNOWN} else counts


def background_species(measured: Sequence[Measured]) -> Counter[str]:
    """Recordings that a species is in the background of."""
    return Counter(name for one in measured for name in set(one.entry.also))


def sample_rates(measured: Sequence[Measured]) -> dict[str, int]:
    """Recordings by the rate they were made at, lowest first."""
    return {
        f"{rate / 1000:g} kHz": count for rate, count in sorted(Counter(one.source_rate for one in measured).items())
    }


def months(species: Species) -> list[int]:
    """Recordings in each month, January first."""
    found = (_DATE.fullmatch(one.entry.date) for one in species.recordings)
    counts = Counter(int(match[1]) for match in found if match)
    return [counts[month + 1] for month in range(len(MONTHS))]


def hours(species: Species) -> list[int]:
    """Recordings in each hour of the day, local time as the recordist wrote it."""
    found = (_TIME.fullmatch(one.entry.time) for one in species.recordings)
    counts = Counter(int(match[1]) for match in found if match)
    return [counts[hour] for hour in range(len(HOURS))]


def licence_name(licence: str) -> str:
    """`https://creativecommons.org/licenses/by-nc-sa/4.0/` -> `CC BY-NC-SA 4.0`; anything else as it is."""
    match = _CREATIVE_COMMONS.search(licence)
    if match is None:
        return licence
    return "CC0 1.0" if match[1] == "zero" else f"CC {match[1].upper()} {match[2]}"


def shown_in_gallery(entries: Sequence[Entry], most: int) -> tuple[Entry, ...]:
    """Up to `most` recordings of each species: first one of each recordist or session, and the best quality first."""
    groups: dict[str, list[tuple[int, str, str, Entry]]] = {}
    before: Counter[tuple[str, str]] = Counter()
    for entry in sorted(entries, key=_quality):
        source = (entry.species, entry.recordist or entry.session or entry.file)
        groups.setdefault(entry.species, []).append((before[source], *_quality(entry), entry))
        before[source] += 1
    return tuple(one[-1] for group in groups.values() for one in sorted(group, key=lambda one: one[:-1])[:most])


def _quality(entry: Entry) -> tuple[str, str]:
    """Sorts A before E before what nobody judged, and by file among equals."""
    return entry.quality if len(entry.quality) == 1 else "~", entry.file

"""From a region or a list of species to recordings in a folder.

species_of, named    the species that occur in a region, or that somebody named
suitable             what xeno-canto has of one, as far as it is wanted
choose               the best of it, from as many recordists as there are
fetch                all of this, and the audio, species after species
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Self

import msgspec

from monitor.errors import ConfigError, MonitorError
from training.archive.collection import Collection, Fetched
from training.archive.xenocanto import ArchiveError, Found, Progress, XenoCanto

GROUPS = ("birds", "grasshoppers", "bats", "frogs", "land mammals")
QUALITIES = "ABCDE"
"""best first; what nobody scored comes after E"""
LICENCES = ("cc0", "by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd")
"""of Creative Commons"""
BOX_ORDER = ("LAT_MIN", "LON_MIN", "LAT_MAX", "LON_MAX")
SAMPLE = 500
"""recordings that are looked at for names like one that nobody knows"""
MOST_FAILURES = 5
"""downloads that fail one after the other before it is given up: then it is not the recordings"""
UNNAMED = frozenset({"Mystery", "Sonus"})
"""what xeno-canto writes for a genus where nobody knows the species, or for a soundscape"""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the map, in degrees; north and east are positive."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """LAT_MIN,LON_MIN,LAT_MAX,LON_MAX, as xeno-canto writes it. ConfigError says which number is wrong."""
        words = [word.strip() for word in text.split(",")]
        if len(words) != len(BOX_ORDER):
            msg = f"--box {text!r} has {len(words)} numbers: expected the four {','.join(BOX_ORDER)}, in degrees"
            raise ConfigError(msg)
        south, west, north, east = (_degrees(text, name, word) for name, word in zip(BOX_ORDER, words, strict=True))
        for low, high, axis in ((south, north, "LAT"), (west, east, "LON")):
            if low >= high:
                msg = f"--box {text!r}: {axis}_MIN {low:g} is not below {axis}_MAX {high:g}"
                raise ConfigError(msg)
        return cls(south, west, north, east)

    def widened(self, degrees: float) -> "Box":
        """The same with a margin on all sides, as far as the map goes."""
        south, north = max(self.south - degrees, -90.0), min(self.north + degrees, 90.0)
        return Box(south, max(self.west - degrees, -180.0), north, min(self.east + degrees, 180.0))

    def __str__(self) -> str:
        return ",".join(f"{degrees:.8g}" for degrees in (self.south, self.west, self.north, self.east))


@dataclass(frozen=True, slots=True)
class Region:
    """Where a recording was made; nothing given: anywhere."""

    box: Box | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        if self.box and self.country:
            msg = f"a box and the country {self.country!r} are both given: expected one of them"
            raise ConfigError(msg)

    def query(self) -> list[str]:
        """Terms of a query."""
        if self.box:
            return [f"box:{self.box}"]
        return [f"cnt:{_quoted(self.country)}"] if self.country else []

    def holds(self, recording: Fetched) -> bool:
        """Whether an answer is really from there: xeno-canto takes a country for the beginning of its name."""
        return self.country is None or recording.country.casefold() == self.country.casefold()

    def __str__(self) -> str:
        return f"box {self.box}" if self.box else self.country or "the world"


@dataclass(frozen=True, slots=True)
class Species:
    """One that occurs, and how often it was recorded; `recordings` is None where that was not counted."""

    scientific_name: str
    common_name: str
    recordings: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recordings of a species to fetch."""

    per_species: int = 50
    origin: Region = Region()
    worst_quality: str = "C"
    """A to E; with E also those that nobody scored"""
    length_s: tuple[float, float] = (0.0, math.inf)
    """both included"""
    licences: frozenset[str] = frozenset(LICENCES)

    def query(self, scientific_name: str) -> str:
        """What narrows the answer on the side of xeno-canto; `takes` decides."""
        terms = [f"sp:{_quoted(scientific_name)}", *self.origin.query()]
        if self.worst_quality != QUALITIES[-1]:
            terms.append(f'q:">{QUALITIES[QUALITIES.index(self.worst_quality) + 1]}"')
        low, high = self.length_s
        if low > 0 and math.isfinite(high):
            terms.append(f"len:{math.floor(low)}-{math.ceil(high)}")
        return " ".join(terms)

    def takes(self, found: Found) -> bool:
        """Whether quality, length, licence and place are as wanted and the audio is not withheld."""
        recording = found.recording
        worst = len(QUALITIES) if self.worst_quality == QUALITIES[-1] else QUALITIES.index(self.worst_quality)
        return (
            bool(found.address)
            and quality_rank(recording.quality) <= worst
            and self.length_s[0] <= recording.length_s <= self.length_s[1]
            and licence_code(recording.licence) in self.licences
            and self.origin.holds(recording)
        )


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    fetched: int = 0
    kept: int = 0
    """were there already"""
    without: list[str] = field(default_factory=list)
    """species of which there is nothing as wanted"""
    failures: list[MonitorError] = field(default_factory=list)
    failed_in_a_row: int = 0


def licence_code(address: str) -> str:
    """`by-nc-sa` of https://creativecommons.org/licenses/by-nc-sa/4.0/; `cc0` of a waiver; empty for others."""
    if "/publicdomain/" in address:
        return "cc0"
    match = re.search(r"/licenses/([a-z-]+)", address)
    return match[1] if match else ""


def quality_rank(quality: str) -> int:
    """0 for A, and one more for each that is worse."""
    return QUALITIES.index(quality) if quality and quality in QUALITIES else len(QUALITIES)


def scientific(text: str) -> str:
    """A species as xeno-canto writes it. ConfigError where this is no name of one."""
    words = text.split()
    if len(words) != 2 or not all(re.fullmatch(r"[^\W\d_]+(-[^\W\d_]+)*", word) for word in words):  # noqa: PLR2004
        msg = f"{text!r} is no scientific name: expected genus and epithet, as in Turdus merula"
        raise ConfigError(msg)
    return f"{words[0].capitalize()} {words[1].lower()}"


def species_of(
    archive: XenoCanto, region: Region, group: str | None, progress: Progress = lambda _page, _pages: None
) -> tuple[Species, ...]:
    """The species of which somebody recorded one there, by name.

    ConfigError where there is none, with the countries of nearly this name; ArchiveError as of `recordings`.
    """
    terms = [*region.query(), *([f"grp:{_quoted(group)}"] if group else [])]
    counts: Counter[str] = Counter()
    common: dict[str, str] = {}
    for found in archive.recordings(" ".join(terms), progress):
        name = found.recording.scientific_name
        if _is_species(name) and region.holds(found.recording):
            counts[name] += 1
            common[name] = found.recording.common_name
    if not counts:
        hint = _near(region.country, _countries_like(archive, region.country)) if region.country else ""
        msg = f"xeno-canto has no recordings of {group or 'any species'} in {region}{hint}"
        raise ConfigError(msg)
    return tuple(Species(name, common[name], counts[name]) for name in sorted(counts))


def named(archive: XenoCanto, names: Iterable[str], region: Sequence[Species] = ()) -> tuple[Species, ...]:
    """The species of these scientific names, out of those of a region if there is one.

    ConfigError names all that do not exist, or do not occur there, each with the nearest names.
    """
    known = {one.scientific_name: one for one in region}
    found, unknown = [], []
    for name in dict.fromkeys(map(scientific, names)):
        one = known.get(name) if region else _look_up(archive, name)
        if one is not None:
            found.append(one)
        else:
            unknown.append(f"{name}{_near(name, {*known, *_names_like(archive, name)})}")
    if unknown:
        where = "in this region" if region else "on xeno-canto"
        msg = f"there are no recordings {where} of {'; nor of '.join(unknown)}"
        raise ConfigError(msg)
    return tuple(found)


def suitable(archive: XenoCanto, scientific_name: str, wanted: Wanted, held: Sequence[Fetched] = ()) -> list[Found]:
    """What xeno-canto has of a species and is wanted, read no further than could better the choice."""
    missing, others = wanted.per_species - len(held), {row.recordist for row in held}
    taken, best = [], set[str]()
    for found in archive.recordings(wanted.query(scientific_name)):
        if found.recording.scientific_name == scientific_name and wanted.takes(found):
            taken.append(found)
            if found.recording.quality == QUALITIES[0]:
                best.add(found.recording.recordist)
            if len(best - others) >= missing:
                break
    return taken


def choose(found: Iterable[Found], count: int, held: Sequence[Fetched] = ()) -> list[Found]:
    """So many that with those held already there are `count`: one of each recordist, then a second of each, ...

    A recordist's best come first, and so do the best of each round; of equals the latest.
    """
    have = {row.id for row in held}
    by_recordist: dict[str, list[Found]] = defaultdict(list)
    for one in sorted(found, key=_goodness):
        if one.recording.id not in have:
            by_recordist[one.recording.recordist].append(one)
    rounds = Counter(row.recordist for row in held)
    turns = [
        (rounds[recordist] + index, _goodness(one), one)
        for recordist, ones in by_recordist.items()
        for index, one in enumerate(ones)
    ]
    turns.sort(key=lambda turn: turn[:2])
    return [one for _round, _good, one in turns[: max(0, count - len(held))]]


def planned(archive: XenoCanto, one: Species, wanted: Wanted, held: Sequence[Fetched]) -> list[Found]:
    """What is to be fetched of a species; xeno-canto is not asked where enough is held."""
    if len(held) >= wanted.per_species:
        return []
    return choose(suitable(archive, one.scientific_name, wanted, held), wanted.per_species, held)


def fetch(
    archive: XenoCanto,
    species: Sequence[Species],
    wanted: Wanted,
    collection: Collection,
    progress: Callable[[int, str], None] = lambda _done, _what: None,
) -> Outcome:
    """Fill a collection; what it holds is not fetched again.

    `progress` hears how many species are done, and what is on. A recording that cannot be had is in the outcome's
    failures and the others go on. ArchiveError where nothing can be had any more; OSError where the collection
    cannot be written.
    """
    outcome = Outcome()
    for done, one in enumerate(species):
        progress(done, one.scientific_name)
        held = collection.of(one.scientific_name)
        plan = planned(archive, one, wanted, held)
        outcome.kept += len(held)
        if not plan and not held:
            outcome.without.append(one.scientific_name)
        for found in plan:
            progress(done, f"{one.scientific_name} {found.recording.id}")
            _bring(archive, found, collection, outcome)
    return outcome


def _bring(archive: XenoCanto, found: Found, collection: Collection, outcome: Outcome) -> None:
    folder = collection.folder / re.sub(r"\W+", "_", found.recording.scientific_name.lower())
    folder.mkdir(exist_ok=True)
    try:
        path, sha256 = archive.download(found, folder)
    except ArchiveError as error:
        outcome.failures.append(error)
        outcome.failed_in_a_row += 1
        if outcome.failed_in_a_row >= MOST_FAILURES:
            msg = f"gave up after {MOST_FAILURES} downloads in a row failed, the last: {error}"
            raise ArchiveError(msg) from error
        return
    file = path.relative_to(collection.folder).as_posix()
    collection.add(msgspec.structs.replace(found.recording, file=file, sha256=sha256))
    outcome.fetched += 1
    outcome.failed_in_a_row = 0


def _degrees(box: str, name: str, word: str) -> float:
    most = 90.0 if name.startswith("LAT") else 180.0
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not -most <= value <= most:
        msg = f"--box {box!r}: {name} is {word!r}, expected degrees from {-most:g} to {most:g}"
        raise ConfigError(msg)
    return value


def _quoted(text: str | None) -> str:
    if not text or '"' in text:
        msg = f"{text!r} is no name that xeno-canto can be asked for: expected letters and spaces"
        raise ConfigError(msg)
    return f'"{text}"'


def _is_species(name: str) -> bool:
    genus, _, epithet = name.partition(" ")
    return genus not in UNNAMED and epithet not in {"", "sp", "sp."}


def _goodness(found: Found) -> tuple[int, int]:
    """Smaller is better."""
    return quality_rank(found.recording.quality), -int(found.recording.id.removeprefix("XC"))


def _look_up(archive: XenoCanto, name: str) -> Species | None:
    for found in archive.recordings(f"sp:{_quoted(name)}"):
        if found.recording.scientific_name == name:
            return Species(name, found.recording.common_name)
    return None


def _names_like(archive: XenoCanto, name: str) -> set[str]:
    """Names of the genus, and of the epithet: a species that was moved to another genus keeps it."""
    genus, epithet = name.split()
    queries = (f"gen:{genus}", f"sp:{epithet}")
    return {one.scientific_name for one in _sample(archive, queries) if _is_species(one.scientific_name)}


def _countries_like(archive: XenoCanto, country: str) -> set[str]:
    return {one.country for one in _sample(archive, [f"cnt:{_quoted(country[:length])}" for length in (3, 1)])}


def _sample(archive: XenoCanto, queries: Iterable[str]) -> Iterator[Fetched]:
    for query in queries:
        yield from (found.recording for found in islice(archive.recordings(query), SAMPLE))


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""

"""Which clips go, where not all may stay: the old, then what is too much of a species, then whatever makes room.

For room the species of which most clips are kept gives its weakest, again and again, so that what is rare and the best
of each species go last. What somebody marked never goes, and what nobody knows the time of never grows old.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Why(StrEnum):
    """A clip was deleted."""

    AGE = "age"
    QUOTA = "quota"
    """there were better ones of its species"""
    SIZE = "size"
    """all together were too large"""
    SPACE = "space"
    """the disk was short of it"""
    VANISHED = "vanished"
    """by somebody else"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A clip that is kept, or that wants to be."""

    number: int
    """of its row; 0: it has none yet"""
    file: str
    """in the folder of clips"""
    species: str
    confidence: float
    time: datetime | None
    """UTC; None where nobody vouches for it"""
    size: int
    """bytes, with its picture"""
    marked: bool = False
    """pinned, or confirmed by somebody"""

    @property
    def worth(self) -> tuple[float, datetime, int]:
        """The less, the sooner it goes: the less confident, and of equals the older."""
        return self.confidence, self.time or _LONG_AGO, self.number


@dataclass(frozen=True, slots=True)
class Limits:
    """What must be true in the end."""

    before: datetime | None = None
    """what is older goes"""
    per_species: int | None = None
    """clips of each at most"""
    too_large: int = 0
    """bytes by which all are too large"""
    short: int = 0
    """bytes that the disk is short of"""


def doomed(clips: Iterable[Holding], limits: Limits) -> list[tuple[Holding, Why]]:
    """Which go and why, in the order in which they may be deleted. Where marked ones are in the way, all others go."""
    kept = list(clips)
    old = sorted((clip for clip in kept if _is_old(clip, limits.before)), key=lambda clip: clip.worth)
    going = [(clip, Why.AGE) for clip in old]
    young = [clip for clip in kept if not _is_old(clip, limits.before)]
    surplus = list(_surplus(young, limits.per_species))
    going += [(clip, Why.QUOTA) for clip in surplus]
    freed = sum(clip.size for clip, _why in going)
    if freed < max(limits.too_large, limits.short):
        gone = {id(clip) for clip in surplus}
        for clip in _weakest_of_the_commonest([one for one in young if id(one) not in gone and not one.marked]):
            going.append((clip, Why.SIZE if freed < limits.too_large else Why.SPACE))
            freed += clip.size
            if freed >= max(limits.too_large, limits.short):
                break
    return going


def _is_old(clip: Holding, before: datetime | None) -> bool:
    return not clip.marked and before is not None and clip.time is not None and clip.time < before


def _surplus(clips: Sequence[Holding], most: int | None) -> Iterator[Holding]:
    """Of each species the weakest beyond so many, of which marked ones are some."""
    if most is None:
        return
    for found in _grouped(clips, lambda clip: clip.species).values():
        unmarked = sorted((clip for clip in found if not clip.marked), key=lambda clip: clip.worth)
        yield from unmarked[: max(0, len(found) - most)]


def _weakest_of_the_commonest(clips: Sequence[Holding]) -> Iterator[Holding]:
    """All of them, each the weakest of the species of which most are left; of equally many the weakest at all."""
    left = {
        species: sorted(found, key=lambda clip: clip.worth, reverse=True)
        for species, found in _grouped(clips, lambda clip: clip.species).items()
    }
    heap = [(-len(found), found[-1].worth, species) for species, found in left.items()]
    heapify(heap)
    while heap:
        _count, _worth, species = heappop(heap)
        found = left[species]
        yield found.pop()
        if found:
            heappush(heap, (-len(found), found[-1].worth, species))


def _grouped(clips: Iterable[Holding], key: Callable[[Holding], K]) -> dict[K, list[Holding]]:
    groups: dict[K, list[Holding]] = {}
    for clip in clips:
        groups.setdefault(key(clip), []).append(clip)
    return groups

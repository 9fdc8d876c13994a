"""Parcels that are on their way."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.delivery.publication import Parcel


@dataclass(slots=True, eq=False)
class Travel:
    """A parcel of which the broker has not answered everything."""

    parcel: Parcel
    levels: frozenset[str]
    """topics of its messages, below the station's"""
    late: bool
    unanswered: set[int]
    """tokens"""


class Travels:
    """What is on its way, by the tokens of its publications and by the sequence numbers of its messages."""

    def __init__(self) -> None:
        self._by_token: dict[int, Travel] = {}
        self._sequences: set[int] = set()
        self.late = 0
        """publications of late messages among them"""

    def __len__(self) -> int:
        """Publications that the broker has not answered."""
        return len(self._by_token)

    def __iter__(self) -> Iterator[Travel]:
        return iter(set(self._by_token.values()))

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._sequences

    def begin(self, travel: Travel) -> None:
        """Wait for the answers to a parcel."""
        self._by_token.update(dict.fromkeys(travel.unanswered, travel))
        self._sequences.update(travel.parcel.sequences)
        self.late += travel.late * len(travel.unanswered)

    def acknowledged(self, token: int) -> Travel | None:
        """The parcel that this publication is of, if there is one; it has arrived if nothing of it is unanswered."""
        travel = self._by_token.get(token)
        if travel is not None:
            self._forget(travel, token)
        return travel

    def refused(self, token: int) -> Travel | None:
        """The parcel that has failed with this publication, if there is one; nothing more of it is waited for."""
        travel = self._by_token.get(token)
        if travel is not None:
            for one in tuple(travel.unanswered):
                self._forget(travel, one)
        return travel

    def clear(self) -> None:
        """Nothing will be answered any more."""
        self._by_token.clear()
        self._sequences.clear()
        self.late = 0

    def _forget(self, travel: Travel, token: int) -> None:
        del self._by_token[token]
        travel.unanswered.discard(token)
        self.late -= travel.late
        if not travel.unanswered:
            self._sequences.difference_update(travel.parcel.sequences)

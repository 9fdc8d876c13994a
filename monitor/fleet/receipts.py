"""Which messages of a station are here, so that none is kept twice and what is missing can be told.

A station numbers its messages from 1, for as long as its store lives. A new store (another SD card) begins at 1 again,
with other ids: what arrives under a number that another id has taken is of a new store, the next `generation`.
What has a known id is here already, under whichever number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.fleet.letters import Number


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a message that has arrived."""

    number: Number
    generation: int
    """of which store of its station it is; the first is 1"""
    fresh: bool
    """its number was not here"""
    new: bool
    """nor was its id: it is to be kept"""


class Receipts:
    """Decides about the messages of one transaction, one after the other."""

    def __init__(self, held: Iterable[tuple[Number, int]], generations: Mapping[str, int]) -> None:
        """`held`: all that are here with a number or a digest of this transaction's, and their generations.

        `generations`: the last one of each of its stations.
        """
        self._at: dict[tuple[str, int], dict[bytes, int]] = {}
        self._digests: set[bytes] = set()
        self.generations = dict(generations)
        for number, generation in held:
            self._note(number, generation)

    def receive(self, number: Number) -> Receipt:
        """The receipt of a message."""
        taken = self._at.get((number.station, number.sequence), {})
        if number.digest in taken:
            return Receipt(number, taken[number.digest], fresh=False, new=False)
        generation = self.generations.get(number.station, 1)
        if generation in taken.values():
            generation += 1
        new = number.digest not in self._digests
        self._note(number, generation)
        return Receipt(number, generation, fresh=True, new=new)

    def _note(self, number: Number, generation: int) -> None:
        self._at.setdefault((number.station, number.sequence), {})[number.digest] = generation
        self._digests.add(number.digest)
        self.generations[number.station] = max(generation, self.generations.get(number.station, 1))

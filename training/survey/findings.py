"""What somebody should look at before training, each naming the recordings: pure rules over what was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.survey.fingerprint import Match, matches
from training.survey.listing import Listing
from training.survey.measure import LONGEST_S, Measured, Unreadable
from training.survey.tally import Species, by_species

BIG_SHARE = 0.8
"""of a species' recordings, held by one recordist: a network may learn the microphone"""
LOW_RATE_HZ = 16_000
"""a source below it holds nothing above 8 kHz, where many birds sing"""
CLIPPED_SHARE = 0.001
"""of the samples at full scale"""
SILENT_DBFS = -60.0
"""a recording whose loudest second is below it holds mostly the recorder's own noise"""
FEW = 10
"""recordings of a species below which neither training nor a figure about it says much"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    title: str
    text: str
    recordings: tuple[str, ...]
    """names, in the order of the listing; never empty"""


def findings(listing: Listing, measured: Sequence[Measured], unreadable: Sequence[Unreadable]) -> list[Finding]:
    """All findings, the gravest first."""
    groups = by_species(measured)
    return [
        *_not_looked_at(listing, unreadable),
        *_same_sound(measured),
        *_poor_sound(measured),
        *(finding for species in groups for finding in _one_sided(species)),
        *(_few(species) for species in groups if len(species.recordings) < FEW),
    ]


def _not_looked_at(listing: Listing, unreadable: Sequence[Unreadable]) -> Iterator[Finding]:
    reasons = (*(one.reason for one in unreadable), *listing.passed_over)
    if reasons:
        yield Finding("Cannot be read", f"{_so_many(len(reasons))} left out of everything on this page.", reasons)
    if listing.absent:
        yield Finding("Missing", f"{_so_many(len(listing.absent))} in the table without a file.", listing.absent)
    if listing.unlisted:
        text = f"{_so_many(len(listing.unlisted))} that the table does not name, left out of everything on this page."
        yield Finding("Not in the table", text, listing.unlisted)


def _same_sound(measured: Sequence[Measured]) -> Iterator[Finding]:
    pairs = matches([one.prints for one in measured])
    for group in _groups(pairs, len(measured)):
        inside = [pair for pair in pairs if pair.first in group and pair.second in group]
        species = {measured[index].entry.species for index in group}
        shared_s = max(pair.shared_s for pair in inside)
        folds = {measured[index].entry.fold for index in group}
        title = "Same sound, different species" if len(species) > 1 else "Same sound twice"
        leak = "In two folds it would be learned from and tested on at once."
        if len(folds) > 1:
            title, leak = f"{title}, different folds", "It is learned from and tested on at once."
        elif folds != {None}:
            leak = "They lie in one fold."
        text = f"{_so_many(len(group))} share the same sound, up to {shared_s:.0f} s of it. {leak}"
        names = [measured[index].entry for index in sorted(group)]
        yield Finding(
            title, text, tuple(f"{one.name} ({one.species})" if len(species) > 1 else one.name for one in names)
        )


def _groups(pairs: Sequence[Match], count: int) -> list[set[int]]:
    """What is the same, directly or by way of others."""
    if not pairs:
        return []
    rows, columns = [pair.first for pair in pairs], [pair.second for pair in pairs]
    links = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    label = connected_components(links, directed=False)[1]
    return [set(np.flatnonzero(label == one).tolist()) for one in sorted({int(label[row]) for row in rows})]


def _poor_sound(measured: Sequence[Measured]) -> Iterator[Finding]:
    for rate in sorted({one.source_rate for one in measured if one.source_rate < LOW_RATE_HZ}):
        low = [one.entry.name for one in measured if one.source_rate == rate]
        text = f"{_so_many(len(low))} made at {rate / 1000:g} kHz: nothing above {rate / 2000:g} kHz was kept."
        yield Finding("Low sample rate", text, tuple(low))
    if clipped := [one for one in measured if one.clipped >= CLIPPED_SHARE]:
        text = f"{_so_many(len(clipped))} with {CLIPPED_SHARE:.1%} of the samples or more at full scale."
        yield Finding("Clipped", text, tuple(f"{one.entry.name} ({one.clipped:.1%})" for one in clipped))
    if silent := [one for one in measured if one.loudest_dbfs < SILENT_DBFS]:
        text = f"{_so_many(len(silent))} without a second louder than {SILENT_DBFS:g} dBFS."
        yield Finding("Nearly silent", text, tuple(f"{one.entry.name} ({one.loudest_dbfs:.0f} dBFS)" for one in silent))
    if long := [one for one in measured if one.length_s > LONGEST_S]:
        text = f"{_so_many(len(long))} of more than {LONGEST_S // 60} minutes, of which only the first were looked at."
        yield Finding("Long", text, tuple(f"{one.entry.name} ({one.length_s / 60:.0f} min)" for one in long))


def _one_sided(species: Species) -> Iterator[Finding]:
    if len(species.recordings) > 1 and species.biggest and species.biggest[1] >= BIG_SHARE:
        recordist, share = species.biggest
        text = (
            f"{share:.0%} of the recordings of {species.name} are by {recordist}: a network may learn the microphone."
        )
        held = tuple(one.entry.name for one in species.recordings if one.entry.recordist == recordist)
        yield Finding("One recordist", text, held)
    visits = {one.entry.session for one in species.recordings}
    if len(species.recordings) > 1 and len(visits) == 1 and visits != {""}:
        text = f"All recordings of {species.name} are of one session: nothing is left to test with."
        yield Finding("One session", text, tuple(one.entry.name for one in species.recordings))


def _few(species: Species) -> Finding:
    text = f"{_so_many(len(species.recordings))} of {species.name}: {FEW} or more are needed to learn and to test."
    return Finding("Few recordings", text, tuple(one.entry.name for one in species.recordings))


def _so_many(count: int) -> str:
    return f"{count} recording{'' if count == 1 else 's'}"

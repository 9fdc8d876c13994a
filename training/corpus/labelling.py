"""What names in tables mean: background species and the species of boxes, under the labels of the manifest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.boxes import match, read_boxes
from training.corpus.recordings import Box
from training.corpus.selection import Heard

NEAR = 0.75
"""how alike two names are, 1 being equal, that one may stand for the other"""


def masked(heard: Sequence[Heard], taxa: Mapping[str, Taxon]) -> list[Heard]:
    """`also` as labels of the manifest; other species are no output of the network and do not matter."""
    names = _names(taxa)
    known = []
    for one in heard:
        labels = {names.get(_plain(name)) for name in one.candidate.also} - {None, one.candidate.label}
        known.append(replace(one, candidate=replace(one.candidate, also=tuple(sorted(filter(None, labels))))))
    return known


def boxed(heard: list[Heard], taxa: Mapping[str, Taxon], source: Path | None) -> tuple[list[Heard], list[str]]:
    """Boxes of the tables, with scientific names, and what in the tables was not understood."""
    if source is None:
        return heard, []
    boxes, others = read_boxes(source)
    matched = match(boxes, [one.candidate.path for one in heard])
    if not matched.boxes:
        msg = f"annotations {source} fit no recording: the first is of {next(iter(boxes))}"
        raise RecordingError(msg)
    names = {name: taxa[label].scientific_name for name, label in _names(taxa).items()}
    unknown = Counter(box.scientific_name for some in matched.boxes.values() for box in some)
    notes = _strangers({name: n for name, n in unknown.items() if name and _plain(name) not in names}, taxa)
    if matched.unmatched:
        notes.append(f"{len(matched.unmatched)} recordings with annotations are not here, as {matched.unmatched[0]}")
    if others:
        notes.append(f"{len(others)} tables hold no annotations, as {others[0]}")
    named = [_with(one, matched.boxes.get(one.candidate.path), names, taxa) for one in heard]
    return named, notes


def _with(one: Heard, boxes: tuple[Box, ...] | None, names: Mapping[str, str], taxa: Mapping[str, Taxon]) -> Heard:
    """A box without a name is of the recording's own species."""
    if boxes is None:
        return one
    label = one.candidate.label
    own = taxa[label].scientific_name if label is not None else ""
    named = [
        replace(box, scientific_name=names.get(_plain(box.scientific_name), box.scientific_name or own))
        for box in boxes
    ]
    return replace(one, candidate=replace(one.candidate, boxes=(*(one.candidate.boxes or ()), *named)))


def _strangers(counts: Mapping[str, int], taxa: Mapping[str, Taxon]) -> list[str]:
    """Boxes of what is no label stay boxes of that name: they are other species, unless the name is misspelt."""
    if not counts:
        return []
    known = {name: None for taxon in taxa.values() for name in (taxon.scientific_name, taxon.common_name)}
    told = []
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        near = get_close_matches(name, [*known, *taxa], n=1, cutoff=NEAR)
        told.append(f"{name} ({count}{f', did you mean {near[0]}?' if near else ''})")
    return [f"{sum(counts.values())} boxes are of no label and taken for other species: {', '.join(told)}"]


def _names(taxa: Mapping[str, Taxon]) -> dict[str, str]:
    """Label, common and scientific name, in small letters -> label."""
    names = {}
    for label, taxon in taxa.items():
        names.update({_plain(name): label for name in (taxon.common_name, taxon.scientific_name, label)})
    return names


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())

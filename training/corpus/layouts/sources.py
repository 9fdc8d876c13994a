"""A source in whatever layout -> what it holds; several sources -> one account under one set of labels."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from monitor.errors import ConfigError
from monitor.records import Taxon
from training.corpus.layouts.birdclef import is_birdclef, read_birdclef
from training.corpus.layouts.birdset import is_saved, read_birdset
from training.corpus.layouts.fetched import is_fetched, read_fetched
from training.corpus.layouts.folders import read_folders
from training.corpus.layouts.found import Candidate, Found
from training.corpus.layouts.own import TAXA, is_own, read_own


class Layout(StrEnum):
    """How recordings lie."""

    AUTO = "auto"
    FETCHED = "fetched"
    FOLDERS = "folders"
    BIRDCLEF = "birdclef"
    BIRDSET = "birdset"
    OWN = "own"


def read_source(source: str, layout: Layout, spool: Path) -> Found:
    """What a source holds. `spool`: where audio goes that does not lie in files.

    ConfigError where the source is no folder, RecordingError where it does not have the layout.
    """
    folder = Path(source)
    if layout is not Layout.BIRDSET and not folder.is_dir():
        msg = f"source {source} is no folder; a data set of the hub needs --layout birdset"
        raise ConfigError(msg)
    match _detected(folder) if layout is Layout.AUTO else layout:
        case Layout.OWN:
            return _own(folder)
        case Layout.FETCHED:
            return read_fetched(folder)
        case Layout.BIRDCLEF:
            return read_birdclef(folder)
        case Layout.BIRDSET:
            return read_birdset(source, spool)
        case _:
            return read_folders(folder)


def united(founds: Iterable[Found]) -> Found:
    """All sources as one. A species that two of them name differently gets the label of the first."""
    taxa: dict[str, Taxon] = {}
    notes: list[str] = []
    listed = list(founds)
    candidates: list[Candidate] = []
    for found in listed:
        names = {taxon.scientific_name.casefold(): label for label, taxon in taxa.items()}
        other = {label: names.get(taxon.scientific_name.casefold(), label) for label, taxon in found.taxa.items()}
        notes += [
            f"{label} is the same species as {first} and goes by that"
            for label, first in other.items()
            if label != first
        ]
        _learn(taxa, {other[label]: taxon for label, taxon in found.taxa.items()})
        candidates += [replace(c, label=other[c.label]) if c.label is not None else c for c in found.candidates]
    return Found(
        tuple(candidates),
        taxa,
        tuple(path for found in listed for path in found.backgrounds),
        tuple(skipped for found in listed for skipped in found.skipped),
        (*(note for found in listed for note in found.notes), *notes),
    )


def _detected(folder: Path) -> Layout:
    tests = {
        Layout.OWN: is_own,
        Layout.FETCHED: is_fetched,
        Layout.BIRDCLEF: is_birdclef,
        Layout.BIRDSET: is_saved,
    }
    return next((layout for layout, is_one in tests.items() if is_one(folder)), Layout.FOLDERS)


def _own(folder: Path) -> Found:
    """The recordings of the project's own folder keep session and fold."""
    recordings, backgrounds = read_own(folder)
    candidates = tuple(
        Candidate(r.path, r.label, r.source, (r.session,), boxes=r.boxes, fold=r.fold) for r in recordings
    )
    labels = {r.label for r in recordings}
    taxa = {label: taxon for label, taxon in TAXA.items() if label in labels}
    return Found(candidates, taxa, tuple(r.path for r in backgrounds))


def _learn(taxa: dict[str, Taxon], more: Mapping[str, Taxon]) -> None:
    """A taxon with a common name is better than one without."""
    for label, taxon in more.items():
        known = taxa.get(label)
        if known is None or known.common_name == known.scientific_name:
            taxa[label] = taxon

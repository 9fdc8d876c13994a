"""What `fetch` brought: a table of recordings with recordist, place and day."""

import csv
from pathlib import Path

from monitor.records import Taxon
from training.archive.collection import TABLE, Fetched, read_collection
from training.corpus.layouts.files import without_row
from training.corpus.layouts.found import Candidate, Found
from training.corpus.layouts.kinship import Visit, visit_keys


def is_fetched(folder: Path) -> bool:
    """Whether a folder has this layout: its table has the columns that `fetch` writes."""
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as lines:
            return set(Fetched.__struct_fields__) <= set(next(csv.reader(lines), ()))
    except (OSError, UnicodeDecodeError):
        return False


def read_fetched(folder: Path) -> Found:
    """Each recording under its species; a session is one recordist, place and day. RecordingError as the table's."""
    rows = read_collection(folder)
    keys = visit_keys([Visit(row.recordist, row.latitude, row.longitude, row.locality, row.date) for row in rows])
    candidates = tuple(
        Candidate(
            path=folder / row.file,
            label=label_of(row.scientific_name),
            source=row.id,
            keys=(row.id, *own),
            also=row.also,
            recordist=row.recordist,
            licence=row.licence,
        )
        for row, own in zip(rows, keys, strict=True)
    )
    taxa = {label_of(row.scientific_name): Taxon(row.scientific_name, row.common_name) for row in rows}
    return Found(candidates, taxa, skipped=tuple(without_row(folder, (c.path for c in candidates), folder / TABLE)))


def label_of(scientific_name: str) -> str:
    """Parus major -> parus_major."""
    return "_".join(scientific_name.casefold().split())

"""The project's own data folder, which says itself what lies in which fold.

`birds/recordings.csv` (file, species, session, fold, ...), `birds/annotations.csv` (file, begin_s, end_s, label),
`negatives/recordings.csv` (file, source_id, fold, ...) and, where it exists, the audio files in `background/`.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.layouts.tables import number, read_rows
from training.corpus.recordings import AUDIO, BACKGROUND_FOLD, Box, Recording

TAXA = {
    "anas_platyrhynchos": Taxon("Anas platyrhynchos", "Mallard"),
    "athene_noctua": Taxon("Athene noctua", "Little Owl"),
    "burhinus_oedicnemus": Taxon("Burhinus oedicnemus", "Eurasian Stone-curlew"),
    "cecropis_daurica": Taxon("Cecropis daurica", "Red-rumped Swallow"),
    "corvus_corone_cornix": Taxon("Corvus cornix", "Hooded Crow"),
    "corvus_frugilegus": Taxon("Corvus frugilegus", "Rook"),
    "lophophanes_cristatus": Taxon("Lophophanes cristatus", "Crested Tit"),
    "monticola_saxatilis": Taxon("Monticola saxatilis", "Common Rock Thrush"),
    "parus_major": Taxon("Parus major", "Great Tit"),
    "sylvia_atricapilla": Taxon("Sylvia atricapilla", "Eurasian Blackcap"),
}
"""Folder name -> taxon, after the IOC World Bird List."""


def is_own(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "birds" / "recordings.csv").is_file()


def read_own(folder: Path) -> tuple[tuple[Recording, ...], tuple[Recording, ...]]:
    """Recordings, birds first, and backgrounds. RecordingError where a table or what it names is missing or wrong."""
    recordings = tuple(_birds(folder / "birds")) + tuple(_negatives(folder / "negatives"))
    if missing := [r.path for r in recordings if not r.path.is_file()]:
        msg = f"{len(missing)} recordings of {folder} are missing, the first is {missing[0]}"
        raise RecordingError(msg)
    backgrounds = tuple(
        Recording(path, None, path.name, BACKGROUND_FOLD, path.name)
        for path in sorted((folder / "background").rglob("*"))
        if path.suffix.lower() in AUDIO
    )
    return recordings, backgrounds


def _birds(folder: Path) -> Iterator[Recording]:
    boxes: dict[str, list[Box]] = {}
    annotations = folder / "annotations.csv"
    for row in read_rows(annotations, ("file", "begin_s", "end_s", "label")):
        begin_s, end_s = (number(row, column, float, annotations) for column in ("begin_s", "end_s"))
        boxes.setdefault(row["file"], []).append(Box(begin_s, end_s, row["label"]))
    table = folder / "recordings.csv"
    for row in read_rows(table, ("file", "species", "xeno_canto_id", "session", "fold", "annotated")):
        _check_species(row["species"], table)
        annotated = row["annotated"] == "1"
        yield Recording(
            path=folder / row["file"],
            label=row["species"],
            session=row["session"],
            fold=number(row, "fold", int, table),
            source=row["xeno_canto_id"] or Path(row["file"]).stem,
            boxes=tuple(boxes.get(row["file"], ())) if annotated else None,
        )


def _negatives(folder: Path) -> Iterator[Recording]:
    table = folder / "recordings.csv"
    for row in read_rows(table, ("file", "source_id", "fold")):
        fold = number(row, "fold", int, table)
        yield Recording(folder / row["file"], None, row["source_id"], fold, row["file"])


def _check_species(species: str, table: Path) -> None:
    if species not in TAXA:
        near = get_close_matches(species, TAXA, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}" if near else f"known are {', '.join(TAXA)}"
        msg = f"{table} names a species that has no taxon: {species!r}; {hint}"
        raise RecordingError(msg)

"""What is trained on: recordings with label, session, fold and boxes, and a hash over all of it.

Reads the layout of the project's data folder: `birds/recordings.csv` (file, species, session, fold, ...),
`birds/annotations.csv` (file, begin_s, end_s, label), `negatives/recordings.csv` (file, source_id,
fold, ...) and, where it exists, the audio files in `background/`.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from monitor.errors import RecordingError

TAXA = {
    "anas_platyrhynchos": ("Anas platyrhynchos", "Mallard"),
    "athene_noctua": ("Athene noctua", "Little Owl"),
    "burhinus_oedicnemus": ("Burhinus oedicnemus", "Eurasian Stone-curlew"),
    "cecropis_daurica": ("Cecropis daurica", "Red-rumped Swallow"),
    "corvus_corone_cornix": ("Corvus cornix", "Hooded Crow"),
    "corvus_frugilegus": ("Corvus frugilegus", "Rook"),
    "lophophanes_cristatus": ("Lophophanes cristatus", "Crested Tit"),
    "monticola_saxatilis": ("Monticola saxatilis", "Common Rock Thrush"),
    "parus_major": ("Parus major", "Great Tit"),
    "sylvia_atricapilla": ("Sylvia atricapilla", "Eurasian Blackcap"),
}
"""Folder name -> scientific and common name, after the IOC World Bird List."""


AUDIO = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"})
BACKGROUND_FOLD = -1
"""in no fold"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where an annotator saw a call, in seconds from the start of the recording."""

    begin_s: float
    end_s: float
    scientific_name: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. `label` is None for sounds that hold none of the species."""

    path: Path
    label: str | None
    session: str
    """recordings of one visit, or cuts of one source: they never part over folds"""
    fold: int
    source: str
    """what an attribution names: the xeno-canto number, or the file"""
    boxes: tuple[Box, ...] | None = None
    """None: nobody annotated it. Empty: somebody looked and there was nothing."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All recordings, birds first, in the order of their tables."""

    recordings: tuple[Recording, ...]
    backgrounds: tuple[Recording, ...] = ()
    """field recordings that nobody labelled: mixed into windows of any fold, never scored, never negatives"""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the network's outputs."""
        return tuple(sorted({r.label for r in self.recordings if r.label is not None}))

    @property
    def folds(self) -> tuple[int, ...]:
        """Fold numbers that occur."""
        return tuple(sorted({r.fold for r in self.recordings}))

    def fold(self, number: int) -> tuple[Recording, ...]:
        """The recordings that a network of this fold has never heard."""
        return tuple(r for r in self.recordings if r.fold == number)

    def check_fold(self, number: int) -> None:
        """RecordingError where no recording lies in this fold: nothing would be left out."""
        if number not in self.folds:
            msg = f"no recording lies in fold {number}: the folds are {', '.join(map(str, self.folds))}"
            raise RecordingError(msg)

    def without(self, number: int | None) -> tuple[Recording, ...]:
        """The recordings that a network of this fold learns from; all where `number` is None."""
        return tuple(r for r in self.recordings if r.fold != number)

    def content_hash(self) -> str:
        """SHA-256 over label, session, fold, boxes and content of each recording, backgrounds included."""
        total = hashlib.sha256()
        for recording in (*self.recordings, *self.backgrounds):
            content = hashlib.sha256(recording.path.read_bytes()).hexdigest()
            row = (recording.label, recording.session, recording.fold, recording.boxes, content)
            total.update(repr(row).encode())
        return total.hexdigest()


def read_manifest(data: Path) -> Manifest:
    """Read the data folder. RecordingError where a table or a recording that it names is missing."""
    recordings = tuple(_birds(data / "birds")) + tuple(_negatives(data / "negatives"))
    if missing := [r.path for r in recordings if not r.path.is_file()]:
        msg = f"{len(missing)} recordings of {data} are missing, the first is {missing[0]}"
        raise RecordingError(msg)
    for session in {r.session for r in recordings}:
        folds = {r.fold for r in recordings if r.session == session}
        if len(folds) > 1:
            msg = f"session {session} lies in folds {sorted(folds)}: a session must stay in one fold"
            raise RecordingError(msg)
    backgrounds = tuple(
        Recording(path, None, path.name, BACKGROUND_FOLD, path.name)
        for path in sorted((data / "background").rglob("*"))
        if path.suffix.lower() in AUDIO
    )
    return Manifest(recordings, backgrounds)


def _birds(folder: Path) -> Iterator[Recording]:
    boxes: dict[str, list[Box]] = {}
    for row in _rows(folder / "annotations.csv", ("file", "begin_s", "end_s", "label")):
        box = Box(float(row["begin_s"]), float(row["end_s"]), row["label"])
        boxes.setdefault(row["file"], []).append(box)
    table = folder / "recordings.csv"
    for row in _rows(table, ("file", "species", "xeno_canto_id", "session", "fold", "annotated")):
        _check_species(row["species"], table)
        annotated = row["annotated"] == "1"
        yield Recording(
            path=folder / row["file"],
            label=row["species"],
            session=row["session"],
            fold=int(row["fold"]),
            source=row["xeno_canto_id"] or Path(row["file"]).stem,
            boxes=tuple(boxes.get(row["file"], ())) if annotated else None,
        )


def _negatives(folder: Path) -> Iterator[Recording]:
    for row in _rows(folder / "recordings.csv", ("file", "source_id", "fold")):
        yield Recording(folder / row["file"], None, row["source_id"], int(row["fold"]), row["file"])


def _check_species(species: str, table: Path) -> None:
    if species not in TAXA:
        near = get_close_matches(species, TAXA, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}" if near else f"known are {', '.join(TAXA)}"
        msg = f"{table} names a species that has no taxon: {species!r}; {hint}"
        raise RecordingError(msg)


def _rows(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = list(reader)
    except OSError as error:
        msg = f"no table of recordings at {table}: {error.strerror}"
        raise RecordingError(msg) from error
    if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
        msg = f"{table} lacks the column {', '.join(missing)}: expected are {', '.join(columns)}"
        raise RecordingError(msg)
    return rows

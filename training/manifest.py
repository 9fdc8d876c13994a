"""What is trained on: recordings with label, session, fold and boxes, and a hash over all of it.

Reads the layout of the project's data folder: `birds/recordings.csv` (file, species, session, fold, ...),
`birds/annotations.csv` (file, begin_s, end_s, label) and `negatives/recordings.csv` (file, source_id,
fold, ...).
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
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

    def without(self, number: int | None) -> tuple[Recording, ...]:
        """The recordings that a network of this fold learns from; all where `number` is None."""
        return tuple(r for r in self.recordings if r.fold != number)

    def content_hash(self) -> str:
        """SHA-256 over label, session, fold, boxes and content of each recording."""
        total = hashlib.sha256()
        for recording in self.recordings:
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
    return Manifest(recordings)


def _birds(folder: Path) -> Iterator[Recording]:
    boxes: dict[str, list[Box]] = {}
    for row in _rows(folder / "annotations.csv"):
        box = Box(float(row["begin_s"]), float(row["end_s"]), row["label"])
        boxes.setdefault(row["file"], []).append(box)
    for row in _rows(folder / "recordings.csv"):
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
    for row in _rows(folder / "recordings.csv"):
        yield Recording(folder / row["file"], None, row["source_id"], int(row["fold"]), row["file"])


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except OSError as error:
        msg = f"no table of recordings at {table}: {error.strerror}"
        raise RecordingError(msg) from error

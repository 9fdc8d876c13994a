"""A folder a class: the folder's name is the label."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.layouts.files import audio_files
from training.corpus.layouts.found import Candidate, Found, Skipped
from training.corpus.layouts.kinship import catalogued, cut_keys
from training.corpus.layouts.own import TAXA
from training.corpus.layouts.tables import read_rows
from training.corpus.recordings import AUDIO

NEGATIVE = frozenset(
    {"negative", "negatives", "noise", "background", "backgrounds", "background_noise"}
    | {"none", "other", "others", "no_call", "nocall"}
)
"""names of folders that hold none of the species"""
LEARNT_FROM = frozenset({"train", "training", "training_set", "dev", "val", "valid", "validation", "validation_set"})
HELD_OUT = frozenset({"test", "testing", "test_set", "eval", "evaluation", "evaluation_set"})


def read_folders(folder: Path) -> Found:
    """Each audio file under the name of its class folder, as in BioDCASE-Tiny 2026.

    Where all folders are named like parts of a split (Train, Validation), their folders are the classes, and a part
    to test with is left out. RecordingError where there is no audio in class folders.
    """
    paths, skipped = audio_files(folder)
    parts, loose = _class_parts(folder, paths)
    tested = sum(part is None for part in parts.values())
    classed = {path: part for path, part in parts.items() if part is not None}
    if not classed:
        msg = (
            f"{folder} holds no audio in class folders: expected are folders named by species that hold "
            f"{', '.join(sorted(AUDIO))} files"
        )
        raise RecordingError(msg)
    keys, counters = cut_keys(list(classed))
    candidates = tuple(
        Candidate(path, label, catalogued(path.stem) or path.name, own)
        for (path, label), own in zip(labelled(classed), keys, strict=True)
    )
    skipped += [Skipped(str(path), "lies in no class folder") for path in loose]
    notes = [f"{tested} recordings of a test part of {folder} are left out"] if tested else []
    return Found(candidates, _taxa(candidates), (), tuple(skipped), (*notes, *counted(counters, folder)))


def read_negatives(folder: Path) -> Found:
    """Audio that holds none of the species. RecordingError where there is none.

    A table recordings.csv with file and source_id, if there is one, says which are cuts of one source.
    """
    paths, skipped = audio_files(folder)
    if not paths:
        msg = f"{folder} holds no audio"
        raise RecordingError(msg)
    keys, counters = cut_keys(paths)
    table = folder / "recordings.csv"
    rows = read_rows(table, ("file", "source_id")) if table.is_file() else []
    sources = {folder / row["file"]: row["source_id"] for row in rows}
    candidates = tuple(
        Candidate(path, None, path.name, (sources[path],) if sources.get(path) else own)
        for path, own in zip(paths, keys, strict=True)
    )
    return Found(candidates, skipped=tuple(skipped), notes=() if rows else counted(counters, folder))


def counted(counters: Iterable[str], folder: Path) -> tuple[str, ...]:
    """What to say of names that count files."""
    stems = list(counters)
    if not stems:
        return ()
    named = ", ".join(f"{stem}..." for stem in stems[:3])
    reading = "each is taken for a source of its own; if they are cuts of one recording, name them by it"
    return (f"files of {folder} are named {named} and numbered through: {reading}",)


def taxon_named(label: str) -> Taxon:
    """The taxon that a label alone tells of: the project's own species, or else the label as a name for both."""
    name = " ".join(label.replace("_", " ").split())
    return TAXA.get(label.casefold()) or Taxon(name[:1].upper() + name[1:], name[:1].upper() + name[1:])


def labelled(classed: dict[Path, str]) -> Iterator[tuple[Path, str | None]]:
    """Paths with their labels; None where the class is no species."""
    for path, name in classed.items():
        plain = name.strip("_- ").replace("-", "_").replace(" ", "_").casefold()
        yield path, None if plain in NEGATIVE else name


def _class_parts(folder: Path, paths: list[Path]) -> tuple[dict[Path, str | None], list[Path]]:
    """Path -> name of its class, None in a test part; and what lies in no class folder."""
    parts = {path: path.relative_to(folder).parts[:-1] for path in paths}
    tops = {above[0].casefold() for above in parts.values() if above}
    depth = 1 if tops and tops <= LEARNT_FROM | HELD_OUT else 0
    held = HELD_OUT if depth else frozenset[str]()
    classed = {
        path: None if above[0].casefold() in held else above[depth]
        for path, above in parts.items()
        if len(above) > depth
    }
    return classed, [path for path in paths if path not in classed]


def _taxa(candidates: Iterable[Candidate]) -> dict[str, Taxon]:
    return {c.label: taxon_named(c.label) for c in candidates if c.label is not None}

"""A folder in any layout, or a manifest -> one entry a recording, with all that its table says of it.

The layouts: what `fetch` wrote; a folder with a table of fewer columns, or a data folder with such a table in its
`birds/`; folders of audio without a table, each named for what its recordings hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import RecordingError
from training.archive.collection import SEPARATOR, TABLE, Fetched, read_collection
from training.corpus.layouts.files import audio_files
from training.corpus.layouts.found import Skipped
from training.corpus.layouts.kinship import Visit, cut_keys, visit_keys
from training.corpus.layouts.tables import read_rows
from training.corpus.manifest import Manifest, read_manifest
from training.corpus.recordings import AUDIO
from training.corpus.split import sessions

COLUMNS = {
    "species": ("scientific_name", "species", "label", "class"),
    "id": ("id", "xeno_canto_id"),
    "session": ("session", "source_id"),
    "sample_rate": ("sample_rate", "source_sample_rate_hz"),
    "licence": ("licence", "license"),
}
"""What the columns of a table may be called; others are called as in an entry."""
NEGATIVE = "(none of the species)"
"""what a manifest's recordings without a label are called"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording and what is said of it. An empty text: nothing."""

    path: Path
    file: str
    """relative to the folder, with / between its parts"""
    species: str
    common_name: str = ""
    id: str = ""
    session: str = ""
    """recordings of one visit"""
    recordist: str = ""
    licence: str = ""
    url: str = ""
    country: str = ""
    date: str = ""
    """YYYY-MM-DD; 00 where a part is not known"""
    time: str = ""
    """HH:MM, or anything else where it is not known"""
    quality: str = ""
    sound_type: str = ""
    also: tuple[str, ...] = ()
    """species in the background"""
    sample_rate: int | None = None
    """Hz of the file that somebody recorded, where the table says so"""
    fold: int | None = None
    """None: in none yet"""

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self.id or self.file


@dataclass(frozen=True, slots=True)
class Listing:
    """All recordings of a folder, in the order of their table or names."""

    entries: tuple[Entry, ...]
    absent: tuple[str, ...] = ()
    """files that the table names and nobody finds"""
    unlisted: tuple[str, ...] = ()
    """audio files that the table does not name"""
    passed_over: tuple[str, ...] = ()
    """what is no recording that can be read, and why"""


def read_listing(folder: Path) -> Listing:
    """List a folder's recordings, or a manifest's.

    RecordingError: no such folder, no recording in it, a table that is none, or as `read_manifest`.
    """
    if folder.is_file() or folder.suffix == ".json":
        return Listing(tuple(_of_manifest(read_manifest(folder))))
    for place in (folder, folder / "birds"):
        if (place / TABLE).is_file():
            return _by_table(place)
    paths, skipped = audio_files(folder)
    if not paths:
        msg = f"no recording in {folder}: expected are {TABLE} or audio files ({' '.join(sorted(AUDIO))})"
        raise RecordingError(msg)
    visits = _numbered(cut_keys(paths)[0])
    entries = (
        Entry(path, _relative(path, folder), _class(path, folder), session=visit)
        for path, visit in zip(paths, visits, strict=True)
    )
    return Listing(tuple(entries), passed_over=_reasons(skipped))


def _of_manifest(manifest: Manifest) -> Iterator[Entry]:
    names = {label: taxon.scientific_name for label, taxon in manifest.taxa.items()}
    for one in manifest.recordings:
        yield Entry(
            path=one.path,
            file=one.path.name,
            species=NEGATIVE if one.label is None else names[one.label],
            common_name="" if one.label is None else manifest.taxa[one.label].common_name,
            id=one.source,
            session=one.session,
            recordist=one.recordist,
            licence=one.licence,
            also=tuple(names[label] for label in one.also),
            fold=one.fold,
        )


def _by_table(folder: Path) -> Listing:
    table = folder / TABLE
    rows = read_rows(table, ("file",))
    if rows and set(Fetched.__struct_fields__) <= set(rows[0]):
        entries = _of_fetched(read_collection(folder), folder)
    else:
        entries = [_of_row(row, folder) for row in rows]
    there = tuple(entry for entry in entries if entry.path.is_file())
    if not there:
        msg = f"none of the {len(entries)} recordings that {table} names is there"
        raise RecordingError(msg)
    paths, skipped = audio_files(folder)
    named = {entry.path for entry in entries}
    return Listing(
        entries=there,
        absent=tuple(entry.file for entry in entries if not entry.path.is_file()),
        unlisted=tuple(_relative(path, folder) for path in paths if path not in named),
        passed_over=_reasons(skipped),
    )


def _of_fetched(rows: Sequence[Fetched], folder: Path) -> list[Entry]:
    """Sessions are those of `build`: the same recordist, place and day."""
    visits = [Visit(row.recordist, row.latitude, row.longitude, row.locality, row.date) for row in rows]
    return [
        Entry(
            path=folder / row.file,
            file=row.file,
            species=row.scientific_name,
            common_name=row.common_name,
            id=row.id,
            session=session,
            recordist=row.recordist,
            licence=row.licence,
            url=row.url,
            country=row.country,
            date=row.date,
            time=row.time,
            quality=row.quality,
            sound_type=row.sound_type,
            also=row.also,
            sample_rate=row.sample_rate,
        )
        for row, session in zip(rows, _numbered(visit_keys(visits)), strict=True)
    ]


def _of_row(row: Mapping[str, str], folder: Path) -> Entry:
    path = folder / row["file"]
    rate, fold = _said(row, "sample_rate"), _said(row, "fold")
    return Entry(
        path=path,
        file=row["file"],
        species=_said(row, "species") or _class(path, folder),
        common_name=_said(row, "common_name"),
        id=_said(row, "id"),
        session=_said(row, "session"),
        recordist=_said(row, "recordist"),
        licence=_said(row, "licence"),
        url=_said(row, "url"),
        country=_said(row, "country"),
        date=_said(row, "date"),
        time=_said(row, "time"),
        quality=_said(row, "quality"),
        sound_type=_said(row, "sound_type"),
        also=tuple(name for name in _said(row, "also").split(SEPARATOR) if name),
        sample_rate=int(rate) if rate.isdecimal() else None,
        fold=int(fold) if fold.isdecimal() else None,
    )


def _said(row: Mapping[str, str], field: str) -> str:
    return next((row[column] for column in COLUMNS.get(field, (field,)) if row.get(column)), "")


def _numbered(keys: Sequence[Sequence[str]]) -> list[str]:
    """A name for each session of recordings that share keys; empty where nothing is known."""
    return [f"{number}" if own else "" for number, own in zip(sessions(keys), keys, strict=True)]


def _reasons(skipped: Iterable[Skipped]) -> tuple[str, ...]:
    return tuple(f"{Path(one.path).name} {one.reason}{one.detail and f': {one.detail}'}" for one in skipped)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _class(path: Path, folder: Path) -> str:
    """The name of the uppermost folder that a recording lies in."""
    parts = path.relative_to(folder).parts if path.is_relative_to(folder) else path.parts[-2:]
    return parts[0] if len(parts) > 1 else folder.resolve().name

"""A manifest as a file: JSON that says where each recording lies and what it was when the manifest was built."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import msgspec

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.recordings import Box, Recording

VERSION = 1


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A recording, as in `Recording`."""

    file: str
    """relative to the folder of the manifest, or absolute where they have nothing but the root in common"""
    size: Annotated[int, msgspec.Meta(ge=0)]
    """bytes"""
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    label: str | None
    session: str
    fold: int
    source: str
    recordist: str = ""
    licence: str = ""
    boxes: tuple[Box, ...] | None = None
    also: tuple[str, ...] = ()


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    content_hash: str
    """`Manifest.content_hash`"""
    taxa: dict[str, Taxon]
    recordings: tuple[Entry, ...]
    backgrounds: tuple[Entry, ...] = ()


class _Dated(msgspec.Struct):
    version: int


def read_document(path: Path) -> Document:
    """The file as it stands. RecordingError where it is missing, damaged, newer than this program or knows no taxon."""
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Dated).version
        if version > VERSION:
            msg = f"{path} has version {version}, this program reads up to {VERSION}: use a newer program"
            raise RecordingError(msg)
        document = msgspec.json.decode(content, type=Document)
    except OSError as error:
        msg = f"manifest {path} cannot be read: {error.strerror or error}"
        raise RecordingError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is no manifest, or a damaged one: {error}"
        raise RecordingError(msg) from error
    _check_taxa(document, path)
    return document


def recordings_of(entries: Iterable[Entry], path: Path) -> tuple[Recording, ...]:
    """The recordings that the manifest at `path` names. RecordingError where one is missing or has another size."""
    return tuple(_recording(entry, path) for entry in entries)


def write_document(document: Document, path: Path) -> None:
    """Write a manifest, at once or not at all. RecordingError where the disk refuses."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        msg = f"manifest {path} cannot be written: {error.strerror or error}"
        raise RecordingError(msg) from error


def entry_of(recording: Recording, path: Path) -> Entry:
    """A recording of the manifest that will lie at `path`."""
    return Entry(
        file=_file(recording.path.resolve(), path.parent.resolve()),
        size=recording.path.stat().st_size,
        sha256=recording.sha256,
        label=recording.label,
        session=recording.session,
        fold=recording.fold,
        source=recording.source,
        recordist=recording.recordist,
        licence=recording.licence,
        boxes=recording.boxes,
        also=recording.also,
    )


def unknown_label(label: str, taxa: Mapping[str, Taxon]) -> str:
    """What to say of a label that no taxon has."""
    near = get_close_matches(label, taxa, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}" if near else f"known are {', '.join(taxa) or 'none'}"


def _file(recording: Path, folder: Path) -> str:
    """Relative, so that recordings and manifest can move together, unless they share nothing."""
    shared = Path(os.path.commonpath([recording, folder]))
    return str(recording) if shared == Path(shared.anchor) else Path(os.path.relpath(recording, folder)).as_posix()


def _recording(entry: Entry, path: Path) -> Recording:
    found = path.parent / entry.file
    try:
        size = found.stat().st_size
    except (OSError, ValueError) as error:
        msg = f"{found}, which {path} names, cannot be read: {getattr(error, 'strerror', None) or error}"
        raise RecordingError(msg) from error
    if size != entry.size:
        msg = (
            f"{found} is not what it was when {path} was built: it has {size} bytes, expected {entry.size}; "
            "bring the old file back or build the manifest again"
        )
        raise RecordingError(msg)
    fields = msgspec.structs.asdict(entry)
    del fields["file"], fields["size"]
    return Recording(path=found, **fields)


def _check_taxa(document: Document, path: Path) -> None:
    for entry in document.recordings:
        for label in (*((entry.label,) if entry.label is not None else ()), *entry.also):
            if label not in document.taxa:
                msg = f"{path} gives {entry.file} a label without a taxon: {label!r}; "
                raise RecordingError(msg + unknown_label(label, document.taxa))

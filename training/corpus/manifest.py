"""What is trained on: recordings with label, session, fold and boxes, and a hash over all of it.

A manifest is a file that `build` wrote (`training.corpus.stored`), or a data folder in the project's own layout.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from monitor.errors import RecordingError
from monitor.records import Taxon
from training.corpus.layouts.own import TAXA, read_own
from training.corpus.recordings import Box, Recording
from training.corpus.stored import VERSION, Document, entry_of, read_document, recordings_of, write_document

__all__ = ["Box", "Manifest", "Recording", "read_manifest", "sha256_of", "write_manifest"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All recordings, birds first, in the order of their tables."""

    recordings: tuple[Recording, ...]
    backgrounds: tuple[Recording, ...] = ()
    """field recordings that nobody labelled: mixed into windows of any fold, never scored, never negatives"""
    taxa: Mapping[str, Taxon] = field(default_factory=lambda: MappingProxyType(TAXA))
    """label -> who that is; holds at least every label"""

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
        """SHA-256 over label, session, fold, boxes and content of each recording, backgrounds included.

        The contents are read anew. RecordingError where one cannot be read, or is not what it was when the manifest
        was built. Names of taxa, recordists and licences do not count: they do not change what a network hears.
        """
        return hash_of(self, {r.path: _checked_sha256(r) for r in (*self.recordings, *self.backgrounds)})


def hash_of(manifest: Manifest, sha256: Mapping[Path, str]) -> str:
    """`Manifest.content_hash` where the hash of each file is known."""
    total = hashlib.sha256()
    for r in (*manifest.recordings, *manifest.backgrounds):
        row = (r.label, r.session, r.fold, r.boxes, sha256[r.path])
        total.update(repr((*row, r.also) if r.also else row).encode())
    return total.hexdigest()


def read_manifest(data: Path) -> Manifest:
    """Read a manifest that `build` wrote, or a data folder in the project's own layout.

    RecordingError where a table or a recording that it names is missing, or a session lies in two folds. Of a file
    also where it is damaged or newer than this program, or where a recording has another size than it had. Whether
    the contents are the same is not looked at here, that takes long: `content_hash` does.
    """
    if data.is_file() or data.suffix == ".json":
        return _read_file(data)
    manifest = Manifest(*read_own(data))
    check_sessions(manifest)
    return manifest


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest whose recordings state their SHA-256. RecordingError where the disk refuses."""
    try:
        recordings, backgrounds = (
            tuple(entry_of(recording, path) for recording in some)
            for some in (manifest.recordings, manifest.backgrounds)
        )
    except OSError as error:
        msg = f"{error.filename} cannot be read: {error.strerror or error}"
        raise RecordingError(msg) from error
    taxa = {label: manifest.taxa[label] for label in manifest.labels}
    document = Document(
        version=VERSION,
        content_hash=_stated_hash(manifest),
        taxa=taxa,
        recordings=recordings,
        backgrounds=backgrounds,
    )
    write_document(document, path)


def _read_file(path: Path) -> Manifest:
    document = read_document(path)
    recordings, backgrounds = (recordings_of(some, path) for some in (document.recordings, document.backgrounds))
    manifest = Manifest(recordings, backgrounds, MappingProxyType(document.taxa))
    check_sessions(manifest)
    if _stated_hash(manifest) != document.content_hash:
        msg = f"{path} was changed after it was built, as its content hash does not fit: build it again"
        raise RecordingError(msg)
    return manifest


def _stated_hash(manifest: Manifest) -> str:
    return hash_of(manifest, {r.path: r.sha256 for r in (*manifest.recordings, *manifest.backgrounds)})


def check_sessions(manifest: Manifest) -> None:
    """RecordingError where a session lies in two folds."""
    folds: dict[str, set[int]] = {}
    for recording in manifest.recordings:
        folds.setdefault(recording.session, set()).add(recording.fold)
    for session, numbers in folds.items():
        if len(numbers) > 1:
            msg = f"session {session} lies in folds {sorted(numbers)}: a session must stay in one fold"
            raise RecordingError(msg)


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal digits. RecordingError where it cannot be read."""
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise RecordingError(msg) from error


def _checked_sha256(recording: Recording) -> str:
    found = sha256_of(recording.path)
    if recording.sha256 and found != recording.sha256:
        msg = (
            f"{recording.path} is not what it was when the manifest was built: its SHA-256 is {found[:12]}..., "
            f"expected {recording.sha256[:12]}...; bring the old file back or build the manifest again"
        )
        raise RecordingError(msg)
    return found

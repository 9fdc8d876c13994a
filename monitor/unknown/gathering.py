"""A store or recordings -> a collection."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from monitor.batch.found import Failure, Recording, Search
from monitor.classifier import Classifier
from monitor.errors import ModelError, MonitorError, RecordingError, StoreError
from monitor.records import Samples
from monitor.sinks.unknown.shelf import FILE, Network, read_flac, read_network, read_unknowns
from monitor.sources.recordings import Reading
from monitor.unknown.cache import Cache
from monitor.unknown.collection import Collection, Integers, Origin, Windows
from monitor.unknown.cutting import Cutting
from monitor.unknown.embedding import Embedded, embed

Told = Callable[[int, int], None]
"""is told how many of how many recordings are done"""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What there is to look through, and what could not be looked at."""

    collection: Collection
    failures: Sequence[Failure] = ()


def network_of(classifier: Classifier) -> Network:
    """Whose vectors a classifier gives. ModelError where it gives none."""
    _ = classifier.embedding
    return Network(classifier.fingerprint(), classifier.contract.name, classifier.contract.sample_rate)


def is_store(path: Path) -> bool:
    """Whether a path is a file of sounds without a name, or a folder that holds one."""
    return path.suffix == ".sqlite" or (path / FILE).is_file()


def from_store(path: Path, classifier: Classifier) -> Collection:
    """What a station kept. StoreError where it cannot be read, ModelError where another network described it."""
    path = path / FILE if path.is_dir() else path
    there, here = read_network(path), network_of(classifier)
    if there.id != here.id:
        msg = (
            f"{path}: kept with the model {there.name} ({there.id}), but asked with {here.name} ({here.id}), whose "
            "vectors say nothing about those: name the same with --model"
        )
        raise ModelError(msg)
    rows = list(read_unknowns(path))
    known = [label.label for label in classifier.contract.labels]
    keys = [key for key, _sound in rows]
    sounds = [sound for _key, sound in rows]
    width = max((len(sound.vector) for sound in sounds), default=0)
    return Collection(
        network=there,
        window_s=classifier.contract.window_s,
        label_names=known,
        origins=[Origin(sound.source, sound.start_utc) for sound in sounds],
        origin=np.arange(len(rows)),
        windows=Windows(
            np.array([sound.start_s if sound.start_utc is None else 0.0 for sound in sounds]),
            np.full(len(rows), np.nan, np.float32),
            np.array([sound.standing_db for sound in sounds], np.float32),
            np.array([sound.best_score for sound in sounds], np.float32),
            np.array([known.index(sound.best_label) for sound in sounds], np.int64),
            np.array([sound.vector for sound in sounds], np.float16).reshape(len(rows), width),
        ),
        stands_for=np.array([sound.stands_for for sound in sounds], np.int64),
        read=lambda wanted: _kept(path, keys, wanted),
    )


def from_recordings(
    paths: Sequence[Path | str],
    classifier: Classifier,
    reading: Reading,
    told: Told = lambda _done, _total: None,
    *,
    remember: bool = True,
) -> Gathered:
    """What is in recordings and folders of them; where a folder is named, it is remembered there.

    RecordingError where nothing of them can be heard; ModelError where the network gives no vectors.
    """
    here = network_of(classifier)
    heard: list[tuple[Recording, Embedded]] = []
    failures: list[Failure] = []
    parts = _parts(paths, failures)
    total, done = sum(len(recordings) for _folder, recordings in parts), 0
    for folder, recordings in parts:
        with closing(_Memory(folder if remember else None, here.id)) as memory:
            for recording in recordings:
                try:
                    embedded = memory.embedded(recording, classifier, reading)
                    failures += [Failure.of(error, recording.paths) for error in embedded.errors]
                    heard.append((recording, embedded))
                except (MonitorError, OSError) as error:
                    failures.append(_failure(error, recording))
                done += 1
                told(done, total)
            memory.forget_others(recordings)
    if not heard:
        raise RecordingError(str(failures[0]) if failures else "no recordings given")
    return Gathered(_together(heard, classifier, here, reading), failures)


class _Memory:
    """The cache of a folder, or none."""

    def __init__(self, folder: Path | None, model: str) -> None:
        self._folder = folder
        self._cache = None if folder is None else Cache(folder, model)

    def embedded(self, recording: Recording, classifier: Classifier, reading: Reading) -> Embedded:
        """From the cache, or else heard now. What broke off is heard again the next time, for its reason."""
        path = self._path(recording)
        known = self._cache.find(path, recording.stamp) if self._cache else None
        if known is not None:
            return known
        embedded = embed(recording, classifier, reading)
        if self._cache and not embedded.errors:
            self._cache.keep(path, recording.stamp, embedded)
        return embedded

    def forget_others(self, recordings: Iterable[Recording]) -> None:
        """What is no longer there."""
        if self._cache:
            self._cache.forget_others(self._path(recording) for recording in recordings)

    def close(self) -> None:
        """Leave the cache."""
        if self._cache:
            self._cache.close()

    def _path(self, recording: Recording) -> str:
        """As it is called below the folder; a name need not be UTF-8, what is kept must."""
        path = recording.paths[0]
        inside = path.relative_to(self._folder) if isinstance(path, Path) and self._folder else path
        return str(inside).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _parts(paths: Sequence[Path | str], failures: list[Failure]) -> list[tuple[Path | None, list[Recording]]]:
    """Each folder with its recordings, and all else together."""
    folders = [path for path in paths if isinstance(path, Path) and path.is_dir()]
    others = [path for path in paths if path not in folders]
    groups: list[tuple[Path | None, Sequence[Path | str]]] = [(folder, [folder]) for folder in folders]
    parts: list[tuple[Path | None, list[Recording]]] = []
    for folder, searched in [*groups, *([(None, others)] if others else [])]:
        recordings, troubles = Search(searched).find()
        parts.append((folder, recordings))
        failures += troubles
    return parts


def _failure(error: MonitorError | OSError, recording: Recording) -> Failure:
    if isinstance(error, OSError):  # it vanished while it was looked at
        return Failure(str(recording.paths[0]), error.strerror or str(error))
    return Failure.of(error, recording.paths)


def _together(
    heard: Sequence[tuple[Recording, Embedded]], classifier: Classifier, network: Network, reading: Reading
) -> Collection:
    counts = [len(embedded.windows) for _recording, embedded in heard]
    windows = Windows.together([embedded.windows for _recording, embedded in heard])
    origin = np.repeat(np.arange(len(heard)), counts)
    recordings = [recording for recording, _embedded in heard]
    contract = classifier.contract
    return Collection(
        network=network,
        window_s=contract.window_s,
        label_names=[label.label for label in contract.labels],
        origins=[Origin(str(recording.paths[0]), embedded.start_utc) for recording, embedded in heard],
        origin=origin,
        windows=windows,
        stands_for=np.ones(len(windows), np.int64),
        read=Cutting(recordings, origin, windows.starts_s, contract, reading).read,
    )


def _kept(path: Path, keys: Sequence[int], rows: Integers) -> Iterator[tuple[int, Samples]]:
    """Sounds from the store; those that the station has given up since are left out."""
    for row in rows.tolist():
        try:
            samples, _rate = soundfile.read(io.BytesIO(read_flac(path, keys[row])), dtype="float32")
        except StoreError:
            continue
        yield row, samples

"""All that the networks said. Every figure follows from it, so that thresholds can be tried again without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from monitor.errors import ModelError, RecordingError
from monitor.records import Taxon
from training.corpus.layouts.kinship import cut_keys
from training.corpus.recordings import AUDIO, Recording
from training.evaluation.mixing import Mixed
from training.evaluation.scored import Scored

PLACES = ("elsewhere", "backgrounds")
PARTS = ("recordings", "strangers", *PLACES)


@dataclass(frozen=True, slots=True)
class Playlist:
    """What is listened to, each recording by the network of its fold."""

    taxa: Mapping[str, Taxon]
    """of the labels, in the order of the network's outputs"""
    recordings: tuple[Recording, ...]
    """of the manifest: those with a label, and the negatives"""
    strangers: tuple[Recording, ...] = ()
    """other birds, which must not be reported as one of the labels"""
    elsewhere: tuple[Recording, ...] = ()
    """recordings of places where none of the labels lives: every detection there is false"""
    backgrounds: tuple[Recording, ...] = ()
    """the manifest's: nobody knows what sings there, and networks heard them as noise while they learned"""

    @property
    def quiet(self) -> "Playlist":
        """What holds none of the labels."""
        negatives = tuple(recording for recording in self.recordings if recording.label is None)
        return Playlist(self.taxa, negatives, self.strangers, self.elsewhere)

    @property
    def parts(self) -> dict[str, tuple[Recording, ...]]:
        """Everything, by name."""
        return {name: getattr(self, name) for name in PARTS}


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The logits of all windows."""

    taxa: Mapping[str, Taxon]
    sample_rate: int
    """Hz"""
    window_samples: int
    method: str
    """what was heard by which networks, for people"""
    recordings: tuple[Scored, ...]
    strangers: tuple[Scored, ...] = ()
    elsewhere: tuple[Scored, ...] = ()
    backgrounds: tuple[Scored, ...] = ()
    mixed: Mapping[str, Mixed] = field(default_factory=dict)
    """one of PLACES -> calls under its noise"""

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_samples / self.sample_rate

    @property
    def folds(self) -> tuple[int, ...]:
        """Fold numbers that occur."""
        return tuple(sorted({one.recording.fold for one in self.recordings}))

    @property
    def negatives(self) -> tuple[Scored, ...]:
        """Recordings that hold none of the labels."""
        return tuple(one for one in self.recordings if one.recording.label is None)

    def without(self, fold: int) -> "Heard":
        """What decides on calibration and thresholds of a fold: all that the networks of the others heard."""
        kept: dict[str, Any] = {
            name: tuple(one for one in getattr(self, name) if one.recording.fold != fold) for name in PARTS
        }
        return replace(self, mixed={}, **kept)


def recordings_in(folder: Path, folds: Sequence[int]) -> tuple[Recording, ...]:
    """The audio files of a folder, of no label, as `in_turn` gives them to the networks.

    Files of one folder below it, such as those of one species, are one session; so are files that lie in it and are
    named as cuts of one recording, or by one recorder and day. RecordingError where there is no audio.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO)
    if not paths:
        msg = f"no audio in {folder}: expected a folder of recordings, {', '.join(sorted(AUDIO))}"
        raise RecordingError(msg)
    cuts, _ = cut_keys(paths)
    names = [next(reversed(keys), path.name) for path, keys in zip(paths, cuts, strict=True)]
    sessions = [name if path.parent == folder else path.parent.name for path, name in zip(paths, names, strict=True)]
    found = [Recording(path, None, session, 0, path.name) for path, session in zip(paths, sessions, strict=True)]
    return in_turn(found, folds)


def in_turn(recordings: Sequence[Recording], folds: Sequence[int]) -> tuple[Recording, ...]:
    """Recordings that no network has learned from, each heard by one of them, those of a session by the same one."""
    sessions = sorted({recording.session for recording in recordings})
    turn = {session: folds[index % len(folds)] for index, session in enumerate(sessions)}
    return tuple(replace(recording, fold=turn[recording.session]) for recording in recordings)


def write_scores(path: Path, heard: Heard, data_hash: str) -> None:
    """Keep all logits in one file, written at once or not at all."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "data_hash": np.array(data_hash),
        "labels": np.array(list(heard.taxa)),
        "method": np.array(heard.method),
        "window": np.array([heard.sample_rate, heard.window_samples]),
    }
    for name in PARTS:
        scored = getattr(heard, name)
        arrays[f"{name}.files"] = np.array([one.recording.path.name for one in scored], np.str_)
        arrays[f"{name}.folds"] = np.array([one.recording.fold for one in scored], np.int64)
        arrays[f"{name}.windows"] = np.array([len(one.logits) for one in scored], np.int64)
        arrays[f"{name}.last_s"] = np.array([one.last_s for one in scored], np.float64)
        logits = [np.zeros((0, len(heard.taxa)), np.float32), *(one.logits for one in scored)]
        arrays[f"{name}.logits"] = np.concatenate(logits)
    for name, mixed in heard.mixed.items():
        arrays[f"{name}.mixed_rows"] = np.array(mixed.rows, np.int64)
        arrays[f"{name}.mixed_logits"] = mixed.logits
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as content:
        np.savez_compressed(content, allow_pickle=False, **arrays)
    partial.replace(path)


def read_scores(path: Path, playlist: Playlist, data_hash: str) -> Heard:
    """Read what `write_scores` kept. ModelError where it is missing, damaged or of other recordings."""
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = dict(content)
        return _heard(path, arrays, playlist, data_hash)
    except OSError as error:
        msg = f"no scores {path}: run `dawnchorus-training evaluate` with networks first ({error.strerror or error})"
        raise ModelError(msg) from error
    except (BadZipFile, EOFError, KeyError, ValueError) as error:
        msg = f"{path} does not hold the scores of an evaluation ({type(error).__name__}): evaluate with networks again"
        raise ModelError(msg) from error


Arrays = Mapping[str, npt.NDArray[np.generic]]


def _heard(path: Path, arrays: Arrays, playlist: Playlist, data_hash: str) -> Heard:
    if (kept := str(arrays["data_hash"])) != data_hash:
        msg = f"{path} is of other recordings: their hash is {kept[:12]} there and {data_hash[:12]} here"
        raise ModelError(msg)
    scored = {name: _scored(path, name, arrays, recordings) for name, recordings in playlist.parts.items()}
    mixed = {
        name: Mixed(
            tuple(arrays[f"{name}.mixed_rows"].tolist()), np.asarray(arrays[f"{name}.mixed_logits"], np.float32)
        )
        for name in PLACES
        if f"{name}.mixed_rows" in arrays
    }
    sample_rate, window_samples = arrays["window"].tolist()
    return Heard(
        taxa=playlist.taxa,
        sample_rate=sample_rate,
        window_samples=window_samples,
        method=str(arrays["method"]),
        mixed=mixed,
        **scored,
    )


def _scored(path: Path, name: str, arrays: Arrays, recordings: Sequence[Recording]) -> tuple[Scored, ...]:
    files = arrays[f"{name}.files"].tolist() if f"{name}.files" in arrays else []
    if files != [recording.path.name for recording in recordings]:
        msg = f"{path} holds {len(files)} {name}, here are {len(recordings)} or others: evaluate with networks again"
        raise ModelError(msg)
    ends = np.cumsum(np.asarray(arrays[f"{name}.windows"], np.int64))
    pieces = np.split(np.asarray(arrays[f"{name}.logits"], np.float32), ends[:-1])
    lasts = np.asarray(arrays[f"{name}.last_s"], np.float64).tolist()
    return tuple(Scored(*row) for row in zip(recordings, pieces, lasts, strict=False))

"""BirdSet, or any data set of `datasets` with its columns: from a folder that `save_to_disk` wrote, or from the hub.

The column `detected_events` is not used: these are the finds of an energy detector, not annotations, and training
looks for the calls itself.
"""

import importlib
import importlib.util
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError, RecordingError
from monitor.records import Taxon
from training.corpus.layouts.found import Candidate, Found, Skipped
from training.corpus.layouts.kinship import Visit, catalogued, visit_keys
from training.corpus.layouts.spool import UndecodableError, write_once

NO_CALL = "no_call"
COLUMNS = ("audio", "ebird_code")

Row = Mapping[str, Any]


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_birdset(source: str, spool: Path) -> Found:
    """Each recording under its eBird code; a session is one recordist, place and, where it is known, day.

    `source`: a folder, or NAME or NAME:CONFIG on the hub; of several splits only `train` is read. The audio is
    written to the folder `spool`, once. ConfigError where `datasets` is not installed, RecordingError where the data
    set cannot be read or lacks a column, or the disk refuses.
    """
    if importlib.util.find_spec("datasets") is None:
        msg = "the layout birdset needs the package datasets: install dawnchorus[birdset]"
        raise ConfigError(msg)
    loaded = _train(_loaded(source), source)
    rows = list(_rows(loaded))
    sounds = loaded.select_columns(["audio"]).cast_column("audio", _audio_as_stored())
    keys = visit_keys([_visit(row) for row in rows])
    candidates, skipped = [], []
    for index, (row, name) in enumerate(zip(rows, _names_of_files(rows), strict=True)):
        path = spool / (row["label"] or NO_CALL) / f"{name}.flac"
        if row["label"] is None and row["also"]:
            skipped.append(Skipped(path.name, "names no main species"))
            continue
        try:
            if not path.exists():
                write_once(sounds[index]["audio"], path)
        except UndecodableError as error:
            skipped.append(Skipped(path.name, "cannot be decoded", str(error)))
            continue
        candidates.append(_candidate(row, path, keys[index]))
    return Found(tuple(candidates), _taxa(rows), skipped=tuple(skipped))


def _candidate(row: Row, path: Path, keys: tuple[str, ...]) -> Candidate:
    number = catalogued(path.stem)
    return Candidate(
        path=path,
        label=row["label"],
        source=number or path.name,
        keys=(*filter(None, (number,)), *keys),
        also=row["also"],
        recordist=row.get("recordist") or "",
        licence=row.get("license") or "",
    )


def _loaded(source: str) -> Any:  # noqa: ANN401 - datasets is untyped
    datasets = importlib.import_module("datasets")
    try:
        if is_saved(Path(source)):
            return datasets.load_from_disk(source)
        name, _, config = source.partition(":")
        return datasets.load_dataset(name, config or None)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        msg = f"data set {source} cannot be read: {reason}"
        if "scripts are no longer supported" in reason:
            msg += "; load it with datasets below 4, write it with save_to_disk and give that folder"
        raise RecordingError(msg) from error


def _train(loaded: Any, source: str) -> Any:  # noqa: ANN401
    """The split to learn from. RecordingError where it or a column is missing."""
    if isinstance(loaded, dict):
        if "train" not in loaded:
            msg = f"data set {source} has no split train: its splits are {', '.join(loaded)}"
            raise RecordingError(msg)
        loaded = loaded["train"]
    if missing := [column for column in COLUMNS if column not in loaded.column_names]:
        msg = f"data set {source} lacks the column {', '.join(missing)}: expected are {', '.join(COLUMNS)}"
        raise RecordingError(msg)
    return loaded


def _audio_as_stored() -> Any:  # noqa: ANN401
    """The audio feature that hands out bytes: decoding is soundfile's, as everywhere here."""
    return importlib.import_module("datasets").Audio(decode=False)


def _rows(loaded: Any) -> Iterator[Row]:  # noqa: ANN401
    """Every column but the audio, with `label` and `also` as text."""
    features = loaded.features
    for row in loaded.remove_columns(["audio"]):
        main = _names(row["ebird_code"], features["ebird_code"])
        others = [
            name
            for column in ("ebird_code_multilabel", "ebird_code_secondary")
            for name in _names(row.get(column), features.get(column))
        ]
        label = next((name for name in main if name != NO_CALL), None)
        also = tuple(name for name in dict.fromkeys(others) if name not in (label, NO_CALL))
        yield {**row, "label": label, "also": also}


def _names(value: object, feature: Any) -> list[str]:  # noqa: ANN401
    """Class numbers, names, or lists of either as names."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        return [name for one in value for name in _names(one, inner)]
    return [str(feature.int2str(value)) if isinstance(value, int) and hasattr(feature, "int2str") else str(value)]


def _names_of_files(rows: Sequence[Row]) -> list[str]:
    """A name for each row's file: that of its source, numbered where several rows have the same."""
    stems = [Path(str(row.get("filepath") or f"row{index}")).stem for index, row in enumerate(rows)]
    counts = Counter(stems)
    return [stem if counts[stem] == 1 else f"{stem}-{index}" for index, stem in enumerate(stems)]


def _visit(row: Row) -> Visit:
    latitude, longitude = (row.get(column) for column in ("lat", "long"))
    return Visit(row.get("recordist") or "", latitude, longitude, row.get("locality") or "", str(row.get("date") or ""))


def _taxa(rows: Sequence[Row]) -> dict[str, Taxon]:
    """Codes stand for themselves where no column names the species."""
    taxa = {}
    for row in rows:
        for code in filter(None, (row["label"],)):
            scientific = row.get("scientific_name") or code
            taxa[code] = Taxon(scientific, row.get("common_name") or scientific)
    return taxa

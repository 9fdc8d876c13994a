"""Names given to clusters -> a folder for each, which `dawnchorus-training build` reads.

The table beside the page says which windows a cluster has. Its first column is for names, too: whoever edits the table
needs no page. A window's file is called by its recording and second, so that training keeps what belongs together apart
from what it is tested with.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from monitor.errors import ConfigError
from monitor.records import Samples
from monitor.sinks.tables.whole import refusing, whole
from monitor.unknown.clusters import Clusters
from monitor.unknown.collection import Collection

COLUMNS = ("label", "cluster", "file", "start_s", "start_utc", "standing_db", "best_label", "best_score", "stands_for")
NOISE = "none"
"""what stands for the cluster of a window that belongs to none"""
_NAMES = ("cluster", "label")

Key = tuple[str, str]
"""a recording or source, and when or where in it a window begins"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of names."""

    written: Counter[str] = field(default_factory=Counter)
    """windows by label"""
    missing: int = 0
    """windows whose sound is there no longer"""


def write_table(path: Path, collection: Collection, found: Clusters) -> None:
    """Every window with its cluster, and room for a name. StoreError where it cannot be written."""
    numbered = [(str(number), cluster.rows) for number, cluster in enumerate(found.clusters, 1)]
    with whole(path) as partial, refusing(path), partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for number, rows in [*numbered, (NOISE, found.noise)]:
            table.writerows(_row(collection, number, row) for row in rows.tolist())


def read_names(labels: Path, table: Path) -> dict[Key, str]:
    """Windows that were given a name, by labels.csv of the page, or in the table itself.

    ConfigError where a file cannot be read, names a cluster that there is not, or gives no name at all.
    """
    if labels.resolve() == table.resolve():
        named: Mapping[str, str] = {}
    else:
        named = {row["cluster"].strip(): row["label"].strip() for row in _rows(labels, _NAMES) if row["label"].strip()}
    windows = _rows(table, COLUMNS)
    if strangers := sorted(set(named) - {row["cluster"] for row in windows}):
        msg = f"{labels}: names the cluster {strangers[0]!r}, which {table} does not have; is it of another page?"
        raise ConfigError(msg)
    given = {_key(row): row["label"].strip() or named.get(row["cluster"], "") for row in windows}
    if not any(given.values()):
        msg = f"{labels}: gives no cluster a name; expected lines such as 3,Troglodytes troglodytes"
        raise ConfigError(msg)
    return {key: label for key, label in given.items() if label}


def write_labelled(folder: Path, collection: Collection, names: Mapping[Key, str]) -> Labelled:
    """Each named window as FLAC in the folder of its label. StoreError where one cannot be written."""
    keys = {_key(_named(collection, row)): row for row in range(len(collection))}
    wanted = {keys[key]: label for key, label in names.items() if key in keys}
    result = Labelled(missing=len(names) - len(wanted))
    written = result.written
    for row, samples in collection.read(np.array(sorted(wanted), np.int64)) if wanted else ():
        _write(folder / _folder(wanted[row]) / _file(collection, row), samples, collection.network.sample_rate)
        written[_folder(wanted[row])] += 1
    return Labelled(written, len(names) - written.total())


def _row(collection: Collection, number: str, row: int) -> list[str | float | int]:
    windows, named = collection.windows, _named(collection, row)
    return [
        "",
        number,
        named["file"],
        named["start_s"],
        named["start_utc"],
        "" if np.isnan(windows.standings_db[row]) else round(float(windows.standings_db[row]), 1),
        collection.label_names[int(windows.labels[row])],
        round(float(windows.scores[row]), 4),
        int(collection.stands_for[row]),
    ]


def _named(collection: Collection, row: int) -> dict[str, str]:
    return {
        "file": os.fsencode(collection.name(row)).decode(errors="replace"),
        "start_s": f"{float(collection.windows.starts_s[row]):.3f}",
        "start_utc": collection.utc(row) or "",
    }


def _key(row: Mapping[str, str]) -> Key:
    return row["file"], row["start_utc"] or row["start_s"]


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, restval="")
            rows = [row for row in table if None not in row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg) from error
    if absent := [name for name in columns if name not in (table.fieldnames or ())]:
        msg = f"{path}: has no column {absent[0]}; expected {', '.join(columns)}"
        raise ConfigError(msg)
    return rows


def _folder(label: str) -> str:
    """A label as a folder is called: small letters, digits and _."""
    return re.sub(r"[^\w]+", "_", label.casefold()).strip("_") or "unnamed"


def _file(collection: Collection, row: int) -> str:
    """By recorder time where it is known and the source is live, else by the recording's name and the second."""
    name, start_s, utc = collection.name(row), float(collection.windows.starts_s[row]), collection.utc(row)
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem) or "sound"
    if Path(name).suffix == "" and utc is not None:  # a microphone's name; of a file the name says more
        return f"{stem}_{re.sub('[-:]', '', utc[:19]).replace('T', '_')}.flac"
    return f"{stem}_{start_s:.1f}s.flac"


def _write(path: Path, samples: Samples, rate: int) -> None:
    with whole(path) as partial, refusing(path):
        soundfile.write(partial, samples, rate, format="FLAC", subtype="PCM_16")

"""Sounds that nobody recorded, and a folder of them in the layout that training reads."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from monitor.records import Samples
from monitor.resample import resample
from monitor.soundscape import SONGS_S, soundscape, wind
from training.corpus.layouts.own import TAXA

RATE = 48_000
SONG_S = (2.0, 6.5)
"""when the great tit of `great_tit` sings"""
LENGTH_S = 8.0

PITCH_HZ = {"athene_noctua": 2000.0, "corvus_frugilegus": 900.0, "parus_major": 4800.0}
"""what the three species of `write_data` sound like: nothing in nature does"""
CALL_RATE = 24_000


def great_tit(sample_rate: int = RATE) -> Samples:
    """Eight seconds of the demonstration's soundscape with its first song, (n,) float32 in [-1, 1]."""
    start = round((SONGS_S[0][0] - SONG_S[0]) * RATE)
    samples = soundscape(RATE)[start : start + round(LENGTH_S * RATE)]
    return samples if sample_rate == RATE else np.clip(resample(samples, RATE, sample_rate), -1.0, 1.0)


def write_data(folder: Path) -> Path:
    """Three species of four recordings in two folds, the first of each annotated, and three negatives."""
    rng = np.random.default_rng(0)
    recordings: list[dict[str, object]] = []
    boxes: list[dict[str, object]] = []
    negatives: list[dict[str, object]] = []
    for label, pitch_hz in PITCH_HZ.items():
        for index in range(4):
            name = f"{label}{index}.wav"
            _write(folder / "birds" / name, _call(pitch_hz, index, rng))
            number = f"XC{100 * index + len(label)}" if index else ""
            recordings.append(_row(file=name, species=label, xeno_canto_id=number, session=name, fold=index % 2))
            recordings[-1]["annotated"] = int(index == 0)
        boxes.append(_row(file=f"{label}0.wav", begin_s=0.0, end_s=4.5, label=TAXA[label].scientific_name))
    for index in range(3):
        name = f"wind{index}.wav"
        _write(folder / "negatives" / name, np.float32(0.05) * wind(CALL_RATE, 5.0, rng))
        negatives.append(_row(file=name, source_id=name, fold=index % 2))
    write_table(folder / "birds" / "recordings.csv", recordings)
    write_table(folder / "birds" / "annotations.csv", boxes)
    write_table(folder / "negatives" / "recordings.csv", negatives)
    return folder


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows that have the same columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _row(**cells: object) -> dict[str, object]:
    return cells


def _call(pitch_hz: float, index: int, rng: np.random.Generator) -> Samples:
    """A tone that goes on and off, a little higher and faster with each recording."""
    time_s = np.arange(round(4.5 * CALL_RATE)) / CALL_RATE
    on = np.sin(2 * np.pi * (2 + 0.3 * index) * time_s) > 0
    tone = np.sin(2 * np.pi * pitch_hz * (1 + 0.02 * index) * time_s)
    return (0.2 * on * tone + 0.01 * rng.normal(size=len(time_s))).astype(np.float32)


def _write(path: Path, samples: Samples) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, CALL_RATE)

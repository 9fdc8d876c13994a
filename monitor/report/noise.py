"""How loud it was, by the hour of the day and the octave."""

import json
import sqlite3
from dataclasses import dataclass

import numpy as np

MOST_MINUTES = 20_000
"""that are looked at, evenly over all: the quantiles of a year are those of each of its twenty-sixth minutes"""
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Noise:
    """Levels in dBFS."""

    bands: list[str]
    """nominal centres of octaves in Hz, the lowest first"""
    levels: dict[tuple[str, int], tuple[float, float, float]]
    """by band and hour of the period's clock: of ten minutes one was quieter, half were, one was louder"""
    minutes: int
    """that were looked at"""


def read_noise(connection: sqlite3.Connection) -> Noise:
    """From the minutes of known time in which something was heard; without any there are no bands."""
    heard = "FROM listened WHERE day IS NOT NULL AND noise_dbfs <> '{}'"
    total = connection.execute(f"SELECT count(*) {heard}").fetchone()[0]
    every = max(1, -(-total // MOST_MINUTES))
    found: dict[tuple[str, int], list[float]] = {}
    minutes = 0
    for hour, text in connection.execute(f"SELECT hour, noise_dbfs {heard} AND number % ? = 0", (every,)):
        minutes += 1
        for band, level in json.loads(text).items():
            found.setdefault((band, hour), []).append(level)
    bands = sorted({band for band, _hour in found}, key=float)
    levels = {key: tuple(np.quantile(values, QUANTILES).tolist()) for key, values in found.items()}
    return Noise(bands, levels, minutes)

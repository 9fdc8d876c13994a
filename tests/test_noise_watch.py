"""The slow alarm over a store: what is said, when, and how often."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from monitor.clock import Quality, SampleClock
from monitor.records import Effort
from monitor.service.noise_watch import NoiseWatch
from monitor.sinks.accounts import Noise, minute_row
from monitor.sinks.database import FILE
from monitor.sinks.origin import Origin
from monitor.sinks.rows import insert_minutes
from monitor.sinks.store import Store

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
BANDS_HZ = ("250", "500", "1000", "2000", "4000", "8000")
EVERY_MIN = 10
"""a ledger of every tenth minute says the same about a week, in a tenth of the time"""


def keep(folder: Path, source: str, days: float, wet_from: float = 1e9) -> datetime:
    """A ledger of a place where the wind changes; a wet microphone loses 15 dB above 2 kHz. Returns its end."""
    Store(folder, "pond", 1000).close()
    rng, rows = np.random.default_rng(3), []
    origin = Origin("pond", source, SampleClock(24_000, BEGIN, Quality.NTP), "starter")
    for minute in range(0, round(days * 24 * 60), EVERY_MIN):
        levels = -50 - 3.0 * np.arange(len(BANDS_HZ)) + rng.normal(0, 1.0, len(BANDS_HZ))
        if minute >= wet_from * 24 * 60:
            levels[3:] -= 15
        start = minute * 60 * 24_000
        noise = Noise(0.0, dict(zip(BANDS_HZ, np.round(levels, 1).tolist(), strict=True)))
        rows.append(minute_row(origin, Effort(minute, start, start + 60 * 24_000, 60 * 24_000, 0, {}), noise))
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        insert_minutes(connection.cursor(), rows)
    return BEGIN + timedelta(days=days)


def test_a_wet_microphone_is_told_of_once_with_its_bands_and_the_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, "canopy", 9)
    end = keep(tmp_path, "ground", 9, wet_from=8.8)
    hours = iter(range(24, -1, -1))
    watch = NoiseWatch(tmp_path, lambda: end - timedelta(hours=next(hours)))
    for _ in range(25):
        watch.look()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert {line.split(" Hz ")[0] for line in said} == {f"noise floor of ground at {band}" for band in BANDS_HZ[3:]}
    assert all("has fallen by" in line and "wet" in line for line in said)


@pytest.mark.parametrize("days", [0.0, 0.5])
def test_a_station_without_a_week_behind_it_has_no_alarm(
    days: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    end = keep(tmp_path, "ground", days, wet_from=0.2)
    NoiseWatch(tmp_path, lambda: end).look()
    assert not caplog.records


def test_a_store_that_cannot_be_read_is_said_and_is_no_quiet_night(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    NoiseWatch(tmp_path / "none", lambda: BEGIN).look()
    assert "could not look" in caplog.text

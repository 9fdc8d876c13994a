"""A report of a year: a store with a million detections and every minute of effort -> page and tables.

page        seconds and peak memory of `dawnchorus report`, and the size of the page; bars: 60 s, 500 MB, 5 MB
tables      the same with --tables, whose Darwin Core and Camtrap DP have a line for each detection
floor       seconds that SQLite takes to read every detection and every minute once, in the same run
"""

import argparse
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.clock import rfc3339
from monitor.schedule.sun import solar_day
from monitor.sinks.database import FILE, migrate
from monitor.sinks.rows import MINUTE_COLUMNS, Minute

START = datetime(2025, 1, 1, tzinfo=UTC)
PLACE = (48.1, 11.6)
RATE = 32_000
MOST_S, MOST_MB, MOST_PAGE_MB = 60, 500, 5


def main() -> None:
    """Build the store, and report on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--species", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="folder in which the store is left")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        build(folder / FILE, asked.detections, asked.days, asked.species)
        print(f"store of {asked.detections:,} detections: {(folder / FILE).stat().st_size / 1e6:.0f} MB")
        print(f"floor   {floor(folder / FILE):6.1f} s")
        page = Path(temporary) / "report.html"
        passed = measured("page", folder, page, [])
        passed &= page.stat().st_size <= MOST_PAGE_MB * 1e6
        print(f"page    {page.stat().st_size / 1e6:6.2f} MB")
        measured("tables", folder, page, ["--tables", temporary + "/tables"])
    sys.exit(not passed)


def measured(name: str, folder: Path, page: Path, options: list[str]) -> bool:
    """Run the command; whether it stays within the bars."""
    place = [str(degrees) for degrees in PLACE]
    command = [str(Path(sys.executable).with_name("dawnchorus")), "report", str(folder), "-o", str(page)]
    begin = time.monotonic()
    subprocess.run([*command, "--at", *place, "--timezone", "Europe/Berlin", *options], check=True, capture_output=True)
    seconds = time.monotonic() - begin
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"{name:7} {seconds:6.1f} s  {peak_mb:5.0f} MB at most so far")
    return seconds <= MOST_S and peak_mb <= MOST_MB


def floor(path: Path) -> float:
    """Seconds to read everything once."""
    begin = time.monotonic()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT sum(length(onset_utc)), sum(confidence) FROM detections").fetchall()
        connection.execute("SELECT sum(heard), sum(length(noise_dbfs)) FROM minutes").fetchall()
    return time.monotonic() - begin


def build(path: Path, detections: int, days: int, species: int) -> None:
    """A store as a station leaves it after so many days."""
    path.unlink(missing_ok=True)
    chance = random.Random(7)  # noqa: S311 - no secret
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        migrate(connection)
        connection.execute("BEGIN")
        places = ", ".join("?" * len(MINUTE_COLUMNS))
        insert = f"INSERT INTO minutes ({', '.join(MINUTE_COLUMNS)}) VALUES ({places})"  # noqa: S608
        connection.executemany(insert, (astuple(minute) for minute in minutes(chance, days)))
        connection.executemany(
            "INSERT INTO detections (sequence, id, recording, label, scientific_name, common_name, confidence, onset_s,"
            " offset_s, onset_utc, offset_utc, clock_quality, clock_error_s, model)"
            " VALUES (?, ?, 'canopy', ?, ?, ?, ?, ?, ?, ?, ?, 'ntp', 0.02, 'starter')",
            songs(chance, detections, days, species),
        )
        connection.execute("COMMIT")


def minutes(chance: random.Random, days: int) -> Iterator[Minute]:
    """All but a broken week, with lost minutes here and there."""
    for number in range(days * 1440):
        start = START + timedelta(minutes=number)
        if 0.4 < number / (days * 1440) < 0.42:
            continue
        lost = 60 * RATE if chance.random() < 0.01 else 0
        bands = {name: round(chance.gauss(level, 4), 1) for name, level in zip(BANDS, LEVELS, strict=True)}
        yield Minute(
            recording="canopy",
            model="starter",
            clock_quality="ntp",
            clock_error_s=0.02,
            boot=None,
            start_utc=str(rfc3339(start)),
            end_utc=str(rfc3339(start + timedelta(minutes=1))),
            start_monotonic=None,
            end_monotonic=None,
            start_s=number * 60.0,
            sample_rate=RATE,
            elapsed=60 * RATE,
            heard=60 * RATE - lost,
            paused=0,
            withheld=0,
            lost_device=lost,
            lost_overrun=0,
            lost_overload=0,
            lost_damaged=0,
            lost_unknown=0,
            clipped_s=0.0,
            noise_dbfs=str(bands).replace("'", '"'),
        )  # type: ignore[arg-type]


BANDS = ("63", "125", "250", "500", "1000", "2000", "4000", "8000")
LEVELS = (-52, -55, -60, -64, -66, -62, -58, -70)


def songs(chance: random.Random, detections: int, days: int, species: int) -> Iterator[tuple[object, ...]]:
    """Each species has a season of its own, and sings around sunrise, some also around sunset."""
    suns = [solar_day(*PLACE, (START + timedelta(days=day)).date()) for day in range(days)]
    middles = [chance.uniform(0.15, 0.8) * days for _ in range(species)]
    found = []
    for _ in range(detections):
        kind = min(species - 1, int(chance.expovariate(8 / species)))
        day = round(chance.gauss(middles[kind], days / 8)) % days
        sun = suns[day].sunset if kind % 5 == 4 or chance.random() < 0.15 else suns[day].sunrise
        onset = sun + timedelta(minutes=chance.gauss(40, 70 + 10 * (kind % 7)))
        if START <= onset < START + timedelta(days=days):
            found.append((onset, kind))
    for sequence, (onset, kind) in enumerate(sorted(found)):
        begun = (onset - START).total_seconds()
        label, times = f"species {kind:03d}", (str(rfc3339(one)) for one in (onset, onset + timedelta(seconds=3)))
        confidence = round(1 - min(0.5, chance.expovariate(9)), 4)
        song_id = f"{chance.getrandbits(128):032x}"
        yield sequence + 1, song_id, label, f"Avis {label}", f"Bird {kind}", confidence, begun, begun + 3, *times


if __name__ == "__main__":
    main()

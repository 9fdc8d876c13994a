"""A day of audio through the daemon: resident memory from the first hour to the last, and what it writes.

One recording as long as asked, played as fast as it can be analysed, by the command as it is installed. Bars: memory
grows by less than 2 MB after the first hour; every minute is in the ledger. `--hours 24` takes 3 GB of disk and
some minutes.
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import soundfile
import yaml

from monitor.resample import resample
from monitor.sinks.database import FILE
from monitor.soundscape import SOUNDSCAPE_S, soundscape

RATE = 16_000
LOOK_S = 0.5
HOUR_S = 3600


def write_recording(path: Path, hours: float) -> None:
    """The soundscape over and over, each time a little louder or softer."""
    once, rng = np.clip(resample(soundscape(), 48_000, RATE), -1, 1), np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(round(hours * HOUR_S / SOUNDSCAPE_S)):
            file.write(once * np.float32(rng.uniform(0.5, 1.0)))


def minutes_kept(store: Path) -> int:
    """How many minutes are in the ledger."""
    if not (store / FILE).exists():
        return 0
    try:
        with closing(sqlite3.connect(store / FILE, timeout=10)) as connection:
            return int(connection.execute("SELECT count(*) FROM minutes").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def watched(daemon: psutil.Process, store: Path) -> Iterator[tuple[int, float, float]]:
    """Each time that an hour is in the ledger: the hour, resident memory in MB, and MB written to the disk so far."""
    told = 0
    while daemon.is_running() and daemon.status() != psutil.STATUS_ZOMBIE:
        hours = minutes_kept(store) // 60
        if hours > told:
            told = hours
            yield hours, daemon.memory_info().rss / 1e6, daemon.io_counters().write_bytes / 1e6
        time.sleep(LOOK_S)


def main() -> None:
    """Print a line an hour, and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--folder", help="where the recording and the store go for the time being")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_recording(folder / "day.w64", options.hours)
        config = {
            "source": {"kind": "recordings", "paths": [str(folder / "day.w64")]},
            "store": {"directory": str(folder / "store")},
            "mqtt": {"host": "127.0.0.1", "port": 9},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        begin = time.monotonic()
        command = [sys.executable, "-m", "monitor", "run", "--config", str(folder / "config.yaml")]
        with psutil.Popen(command, stderr=subprocess.DEVNULL) as daemon:
            memory = []
            for hour, resident, written in watched(daemon, folder / "store"):
                memory.append(resident)
                print(f"hour {hour:2d}: {resident:6.1f} MB resident, {written:6.2f} MB written", flush=True)
        speed = options.hours * HOUR_S / (time.monotonic() - begin)
        kept = minutes_kept(folder / "store")
        print(f"{kept} of {options.hours * 60:.0f} minutes in the ledger, {speed:.0f} times real time")
        if len(memory) > 1:
            print(f"after the first hour memory grew by {max(memory[1:]) - memory[0]:+.2f} MB; bar: less than 2 MB")


if __name__ == "__main__":
    main()

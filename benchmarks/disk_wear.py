"""What a detection costs a memory card, by the settings of SQLite, and what each setting loses in a power cut.

    bytes   written to the block device of an ext4 of its own, journal included, for each detection: it is stored,
            published, acknowledged and forgotten by the outbox, in a database that holds many already
    cuts    the image behind the file system is copied at random instants while a process writes; each copy is mounted,
            which replays the journal of ext4, and opened, which replays that of SQLite. It must pass integrity_check
            and hold every detection of which `Store.add` had returned

Needs root, for the loop device.
"""

import argparse
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sample import detection

from monitor.messages import DetectionMessage
from monitor.sinks import rows
from monitor.sinks.database import FILE, connect
from monitor.sinks.outbox import Outbox
from monitor.sinks.store import Store

SECTOR_BYTES = 512
IMAGE_MB = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a connection, and of a new database."""

    page_bytes: int
    synchronous: str
    checkpoint_pages: int
    """that the write-ahead log may have before it is taken into the database"""

    def __str__(self) -> str:
        return f"page {self.page_bytes:4d}, {self.synchronous:6s}, log of {self.checkpoint_pages:5d} pages"

    def apply(self, connection: sqlite3.Connection) -> None:
        """All but the size of a page, which is given at birth."""
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {self.checkpoint_pages}")


CANDIDATES = [
    Settings(page_bytes, synchronous, checkpoint_pages)
    for page_bytes in (1024, 2048, 4096)
    for synchronous in ("FULL", "NORMAL")
    for checkpoint_pages in (1000, 4000)
]


def build(sequence: int) -> DetectionMessage:
    """A detection with an id as random as real ones."""
    return detection(str(uuid.uuid4()), sequence)


MOMENTS = rows.Moments("0d6a3f8e-2f0c-4c0e-9a0b-4c0e9a0b0d6a", 1000.0, 1003.0)


def new_store(folder: Path, settings: Settings, before: int) -> Store:
    """A store that holds so many detections already."""
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.execute(f"PRAGMA page_size = {settings.page_bytes}")
        connection.execute("CREATE TABLE born (x)")
        connection.execute("DROP TABLE born")
    Store(folder, "valley", 1_000_000).close()
    with closing(connect(folder / FILE)) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        for number in range(-before, 0):
            rows.insert(cursor, build(number), MOMENTS)
        cursor.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store = Store(folder, "valley", 1_000_000)
    settings.apply(store._connection)  # noqa: SLF001
    return store


def live(store: Store, settings: Settings) -> Iterator[int]:
    """Store detections and forget them when they are acknowledged, for ever; yields how many were stored."""
    with closing(Outbox(store.path)) as outbox:
        outbox._connection.execute(f"PRAGMA wal_autocheckpoint = {settings.checkpoint_pages}")  # noqa: SLF001
        number = 0
        while True:
            store.add(build, MOMENTS)
            number += 1
            yield number
            outbox.settle([outbox.last_sequence()], {}, 0.0)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[str]:
    """The file system of an image; yields the name of its device."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop,noatime", str(image), str(folder)], check=True)
    try:
        source = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(folder)], check=True, capture_output=True, text=True
        ).stdout
        yield source.strip().rpartition("/")[2]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def new_disk() -> Iterator[tuple[Path, Path, str]]:
    """An ext4 of its own: its image, its folder, its device."""
    with tempfile.TemporaryDirectory() as name:
        image = Path(name) / "image"
        with image.open("wb") as file:
            file.truncate(IMAGE_MB * 1_000_000)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)], check=True)
        with mounted(image, Path(name) / "disk") as device:
            yield image, Path(name) / "disk", device


def written(device: str, folder: Path) -> int:
    """Bytes that a device was sent so far."""
    subprocess.run(["sync", "-f", str(folder)], check=True)
    return int(Path(f"/sys/block/{device}/stat").read_text(encoding="ascii").split()[6]) * SECTOR_BYTES


def wear(settings: Settings, before: int, count: int) -> float:
    """Bytes a detection."""
    with new_disk() as (_, folder, device):
        store = new_store(folder / "store", settings, before)
        begin = written(device, folder)
        for number in live(store, settings):
            if number == count:
                break
        store.close()
        return (written(device, folder) - begin) / count


def write(folder: Path, progress: Path, settings: Settings) -> None:
    """What the process does whose power is cut: write, and note outside of the disk how much it has written."""
    store = new_store(folder, settings, 0)
    with progress.open("r+b", buffering=0) as notes:
        for number in live(store, settings):
            notes.seek(0)
            notes.write(number.to_bytes(8, "big"))


def cut(settings: Settings, cuts: int, chance: random.Random) -> Iterator[tuple[str, int]]:
    """What integrity_check says of each copy, and how many detections it lacks."""
    with new_disk() as (image, folder, _):
        progress, copy = image.with_name("progress"), image.with_name("copy")
        progress.write_bytes(bytes(8))
        options = [str(settings.page_bytes), settings.synchronous, str(settings.checkpoint_pages)]
        command = [sys.executable, __file__, "--write", str(folder / "store"), str(progress), *options]
        with subprocess.Popen(command) as writer:
            while progress.read_bytes() == bytes(8):
                time.sleep(0.1)
            for _ in range(cuts):
                time.sleep(chance.uniform(0.05, 0.5))
                writer.send_signal(signal.SIGSTOP)
                promised = int.from_bytes(progress.read_bytes(), "big")
                shutil.copyfile(image, copy)
                writer.send_signal(signal.SIGCONT)
                with mounted(copy, image.with_name("after")):
                    yield after(image.with_name("after") / "store" / FILE, promised)
            writer.kill()


def after(path: Path, promised: int) -> tuple[str, int]:
    """What is found when the power is back."""
    with closing(sqlite3.connect(path)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        (found,) = connection.execute("SELECT count(*) FROM detections").fetchone()
    return said, max(promised - found, 0)


def main() -> None:
    """Print a line for each candidate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=2000)
    parser.add_argument("--before", type=int, default=50_000)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--write", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        folder, progress, page_bytes, synchronous, checkpoint_pages = options.write
        write(Path(folder), Path(progress), Settings(int(page_bytes), synchronous, int(checkpoint_pages)))
    for settings in CANDIDATES:
        per_detection = wear(settings, options.before, options.detections)
        found = list(cut(settings, options.cuts, random.Random(1)))  # noqa: S311
        sound = sum(said == "ok" for said, _ in found)
        lost = [lacking for _, lacking in found]
        print(
            f"{settings}: {per_detection / 1000:5.1f} kB a detection; "
            f"{sound} of {len(found)} copies sound, detections lost {max(lost, default=0)} at most",
            flush=True,
        )


if __name__ == "__main__":
    main()

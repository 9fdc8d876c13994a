"""Where the station writes: how fast, for how many days, and who may read it."""

import os
import shutil
import stat
import statistics
import tempfile
import time
from pathlib import Path

from monitor.config.settings import Config, state_directory
from monitor.doctor.finding import Finding, amber, green, red

WRITES = 20
SLOW_S, STUCK_S = 0.1, 1.0
"""a write that must survive a power cut; a good card needs 5 to 30 ms"""
STORE_BYTES_A_DAY = 5_000_000
"""detections and effort of a busy day"""
CLIP_BYTES = 300_000
"""FLAC of some seconds"""
CLIP_SPECIES = 20
FEW_DAYS, SCARCE_DAYS, YEAR_DAYS = 3, 30, 365


def storage(config: Config) -> list[Finding]:
    """Whether the store, and the clips if they are kept, can be written, how fast and for how long."""
    folders = {"store.directory": state_directory(config)}
    if config.clips:
        folders["clips.directory"] = Path(config.clips.directory)
    day = STORE_BYTES_A_DAY
    if config.clips:
        day += config.clips.at_most_per_species_and_day * CLIP_SPECIES * CLIP_BYTES
    return [finding for key, folder in folders.items() for finding in _folder(key, folder, day)]


def _folder(key: str, folder: Path, bytes_a_day: int) -> list[Finding]:
    """Whether it can be written; where it is yet to be made, the folder that it would be made in."""
    advice = f"Free some space, mend its permissions, or choose another folder with {key}."
    try:
        place = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
        slow_s = _write_s(place)
        free = shutil.disk_usage(place).free
    except OSError as error:
        return [red("disk", f"{folder} cannot be written: {error.strerror or error}.", advice)]
    return [_speed(folder, slow_s), _space(folder, free, bytes_a_day, advice)]


def _write_s(folder: Path) -> float:
    """Seconds that a small write needs until it would survive a power cut: the slowest but one."""
    seconds = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(WRITES):
            begin = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - begin)
    return statistics.quantiles(seconds, n=WRITES)[-1]


def _speed(folder: Path, slow_s: float) -> Finding:
    found = f"A safe write to {folder} takes up to {1000 * slow_s:.1f} ms."
    if slow_s < SLOW_S:
        return green("disk speed", found)
    light = red if slow_s >= STUCK_S else amber
    return light("disk speed", found, "Use another card: a slow one is often a worn or a false one.")


def _space(folder: Path, free: int, bytes_a_day: int, advice: str) -> Finding:
    days = free // bytes_a_day
    lasting = f"{days} days" if days < YEAR_DAYS else "more than a year"
    found = f"{free / 1e9:.2f} GB are free in {folder}: {lasting} of at most {bytes_a_day / 1e6:.0f} MB."
    if days >= SCARCE_DAYS:
        return green("disk space", found)
    return (red if days < FEW_DAYS else amber)("disk space", found, advice)


def access(config: Config, path: Path | None) -> list[Finding]:
    """Whether others may change what the station believes, or read its password."""
    findings = []
    if (folder := state_directory(config)).exists():
        findings.append(_closed(folder, "state directory", stat.S_IWOTH))
    if path is not None:
        findings.append(_closed(path, "configuration", stat.S_IWOTH))
    for server in config.mqtt.servers:
        for file, what in ((server.password_file, "password file"), (server.key_file, "private key")):
            if file is not None:
                findings.append(_closed(Path(file), what, stat.S_IRWXO | stat.S_IWGRP))
    return findings or [green("access", "There is nothing yet that others could read or change.")]


def _closed(path: Path, what: str, forbidden: int) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        readable = os.access(path, os.R_OK)
    except OSError as error:
        return red("access", f"Could not look: {what} {path}: {error.strerror}.", "Create it, or name another.")
    found = f"The {what} {path} has the mode {mode:04o}"
    if not readable:
        return red("access", f"{found}, which this user may not read.", "Run the doctor as the service's user.")
    if mode & forbidden:
        return amber("access", f"{found}: too many may use it.", f"chmod o-rwx,g-w {path}")
    return green("access", f"{found}.")


def privacy(config: Config) -> list[Finding]:
    """What becomes of the sound."""
    if config.clips is None:
        return [green("privacy", "No sound is kept or sent: only detections and levels leave the memory.")]
    found = (
        f"The sound around detections is kept in {config.clips.directory}, except where a voice detector finds "
        f"speech; no sound is sent."
    )
    folder = Path(config.clips.directory)
    if folder.exists() and folder.stat().st_mode & stat.S_IRWXO:
        return [amber("privacy", f"{found} Everybody on this machine may look into that folder.", f"chmod o= {folder}")]
    return [green("privacy", found)]

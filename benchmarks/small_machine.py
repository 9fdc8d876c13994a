"""The daemon on a machine as small as a Pi Zero 2 W: a cgroup with 256 MB and a quarter of a core, at real time.

The model is `small`, the larger of the family, built with random weights (they do not change the time) and quantized as
a release is. It listens to a pipe that gives the soundscape at the pace of a microphone. Bars: all that was given is
heard, none of it was given up. Beside it: the start, and what is installed. Needs root and cgroup v1.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import distribution, requires
from pathlib import Path

import msgspec
import numpy as np
import onnx
import yaml
from family import member
from packaging.requirements import Requirement

from monitor.classifier import STARTER
from monitor.contract import KEY
from monitor.sinks.database import FILE
from monitor.soundscape import soundscape
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.network import FAMILY

CGROUPS = Path("/sys/fs/cgroup")
MEMORY_MB, CORE_SHARE, PERIOD_US = 256, 0.25, 100_000
RATE, PIECE_S = 48_000, 0.1


def write_model(folder: Path, name: str) -> Path:
    """A network of the family with the contract of the bundled one, whose parity is not its own, and no thresholds."""
    frames = SPEC.n_frames(WINDOW_SAMPLES)
    rng = np.random.default_rng(0)
    windows = [rng.normal(0, 1, (len(SPEC.channels), SPEC.n_mels, frames)).astype(np.float32) for _ in range(16)]
    built = onnx.load(member(name, folder, windows).int8_path)
    text = next(entry.value for entry in onnx.load(STARTER).metadata_props if entry.key == KEY)
    terms = msgspec.json.decode(text)
    labels = [label | {"threshold": 1.0} for label in terms["labels"]]
    contract = terms | {"name": name, "parity": None, "labels": labels}
    built.metadata_props.add(key=KEY, value=msgspec.json.encode(contract).decode())
    onnx.save(built, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


@contextmanager
def cgroup() -> Iterator[dict[str, Path]]:
    """What a process is put into."""
    name = f"dawnchorus-{os.getpid()}"
    groups = {kind: CGROUPS / kind / name for kind in ("memory", "cpu", "cpuacct")}
    for group in groups.values():
        group.mkdir(exist_ok=True)
    try:
        (groups["memory"] / "memory.limit_in_bytes").write_text(f"{MEMORY_MB}M", encoding="ascii")
        (groups["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
        (groups["cpu"] / "cpu.cfs_quota_us").write_text(str(round(CORE_SHARE * PERIOD_US)), encoding="ascii")
        yield groups
    finally:
        for group in groups.values():
            with suppress(OSError):
                group.rmdir()


def number(path: Path) -> int:
    """What a file of a cgroup says."""
    return int(path.read_text(encoding="ascii"))


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def feed(daemon: "subprocess.Popen[bytes]", seconds: float) -> None:
    """The soundscape, as fast as a microphone gives it."""
    pcm = (np.clip(soundscape(RATE), -1, 1) * 32_767).astype("<i2").tobytes()
    size, began = 2 * round(PIECE_S * RATE), time.monotonic()
    assert daemon.stdin is not None  # noqa: S101 - for the type checker
    for count in range(round(seconds / PIECE_S)):
        time.sleep(max(0.0, began + count * PIECE_S - time.monotonic()))
        start = count * size % (len(pcm) - size)
        daemon.stdin.write(pcm[start : start + size])
        daemon.stdin.flush()


def listen(folder: Path, model: Path, seconds: float, groups: dict[str, Path]) -> None:
    """Let it listen, and print what that took."""
    config = {
        "source": {"kind": "pipe"},
        "model": str(model),
        "store": {"directory": str(folder / "store")},
        "mqtt": {"host": "127.0.0.1", "port": 9},
        "clock": {"gpsd_host": None},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    enter = "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups.values())
    command = f"{enter} exec {sys.executable} -m monitor run --config {folder}/config.yaml"
    began = time.monotonic()
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stderr=log) as daemon,
    ):
        while not (folder / "store" / FILE).exists():
            time.sleep(0.05)
        print(f"start, to the store opened: {time.monotonic() - began:.1f} s of wall time")
        used, started = number(groups["cpuacct"] / "cpuacct.usage"), time.monotonic()
        feed(daemon, seconds)
        share = (number(groups["cpuacct"] / "cpuacct.usage") - used) / 1e9 / (time.monotonic() - started)
        resident = resident_mb(daemon.pid)
        daemon.stdin.close()
        daemon.wait(120)
    most = number(groups["memory"] / "memory.max_usage_in_bytes") / 1e6
    print(
        f"{model.stem}: {100 * share:.1f} % of a core, {resident:.0f} MB resident, {most:.0f} MB with its files at most"
    )
    told = [line for line in (folder / "log").read_text(encoding="utf-8").splitlines() if "cannot keep up" in line]
    heard_s, lost_s = account(folder / "store")
    print(f"{heard_s:.1f} of {seconds:.1f} s heard, {lost_s:.1f} s lost; it could not keep up {len(told)} times")


def account(store: Path) -> tuple[float, float]:
    """Seconds heard, and lost while something was there to hear."""
    with closing(sqlite3.connect(store / FILE)) as connection:
        heard, overload = connection.execute(
            "SELECT sum(1.0 * heard / sample_rate), sum(1.0 * (lost_overload + lost_overrun) / sample_rate) "
            "FROM minutes"
        ).fetchone()
    return heard, overload


def installed() -> None:
    """What the device needs, by package, from the largest."""
    sizes, waiting = dict[str, float](), ["dawnchorus"]
    while waiting:
        name = waiting.pop()
        files = distribution(name).files or [] if name != "dawnchorus" else []
        sizes[name] = sum(p.stat().st_size for f in files if (p := Path(str(f.locate()))).is_file()) / 1e6
        for text in requires(name) or []:
            needed = Requirement(text)
            if (needed.marker is None or needed.marker.evaluate({"extra": ""})) and needed.name not in sizes:
                waiting.append(needed.name)
    print(", ".join(f"{name} {size:.1f}" for name, size in sorted(sizes.items(), key=lambda one: -one[1])[:12]))
    print(f"installed: {sum(sizes.values()):.0f} MB in {len(sizes)} packages")


def import_s() -> None:
    """Processor time of the imports, by what the daemon and the quick commands need."""
    for name in ("monitor.cli", "monitor.service.serve"):
        code = f"import time; b = time.process_time(); import {name}; print(time.process_time() - b)"
        taken = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3))
        print(f"import {name}: {taken:.2f} s of processor time")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    installed()
    import_s()
    with tempfile.TemporaryDirectory() as name:
        for model in FAMILY:
            folder = Path(name) / model
            folder.mkdir()
            path = write_model(folder, model)
            with cgroup() as groups:
                listen(folder, path, options.seconds, groups)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

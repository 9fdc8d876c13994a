"""The service on a system that has no package of ours: units, user and folders, as systemd wants them.

The files are those of the folder systemd/, with the path of this program in the place of the package's.
"""

import os
import shutil
import subprocess
from pathlib import Path

from monitor.config.reading import SYSTEM_FILE
from monitor.config.template import TEMPLATE
from monitor.errors import MonitorError

UNITS = Path("etc/systemd/system")
STATIONS = ("dawnchorus.service", "dawnchorus@.service")
UPKEEP = ("dawnchorus-upkeep.service", "dawnchorus-upkeep@.service")
TIMERS = ("dawnchorus-upkeep.timer", "dawnchorus-upkeep@.timer")
STARTED = ("dawnchorus.service", "dawnchorus-upkeep.timer")
PACKAGED_PROGRAM = "/opt/dawnchorus/bin/dawnchorus"
TARGETS = {
    **{name: [UNITS / name] for name in (*STATIONS, *UPKEEP, *TIMERS)},
    "station.conf": [UNITS / f"{name}.d" / "10-station.conf" for name in STATIONS],
    "upkeep.conf": [UNITS / f"{name}.d" / "10-upkeep.conf" for name in UPKEEP],
    "sysusers.conf": [Path("etc/sysusers.d/dawnchorus.conf")],
    "tmpfiles.conf": [Path("etc/tmpfiles.d/dawnchorus.conf")],
}
"""file of the folder systemd/ -> where it goes, below the root of the system"""


def install(root: Path, program: Path) -> list[Path]:
    """Write all files for `program` below `root`, and a configuration if there is none; return what was written.

    Where `root` is this system's, make the user and the folders, and start the service now and at each boot.
    Raises MonitorError where a file cannot be written, the program cannot be run by others, or systemd refuses.
    """
    _check(program)
    written = [_written(root / target, _text(name, program)) for name, targets in TARGETS.items() for target in targets]
    config = root / SYSTEM_FILE.relative_to("/")
    if not config.exists():
        written.append(_written(config, TEMPLATE, mode=0o640))
    if root == Path("/"):
        _call("systemd-sysusers", "dawnchorus.conf")
        _call("systemd-tmpfiles", "--create", "dawnchorus.conf")
        shutil.chown(config, group="dawnchorus")
        _call("systemctl", "daemon-reload")
        _call("systemctl", "enable", "--now", *STARTED)
    return written


def remove(root: Path) -> list[Path]:
    """Stop the service, take its files away and return them; configuration, user and what was heard stay."""
    if root == Path("/"):
        _call("systemctl", "disable", "--now", *STARTED)
    removed = [root / target for targets in TARGETS.values() for target in targets if (root / target).exists()]
    for path in removed:
        path.unlink()
    if root == Path("/"):
        _call("systemctl", "daemon-reload")
    return removed


def _check(program: Path) -> None:
    """The service's user has no home and may not enter those of others."""
    real = program.resolve()
    for home in (Path("/home"), Path("/root"), Path("/tmp")):  # noqa: S108 where it must not be
        if real.is_relative_to(home):
            msg = f"{real} lies below {home}, which the service may not enter: install it into /opt or /usr/local"
            raise MonitorError(msg)
    if not os.access(real, os.X_OK):
        msg = f"{real} cannot be run: the program dawnchorus expected"
        raise MonitorError(msg)


def _text(name: str, program: Path) -> str:
    return (_folder() / name).read_text(encoding="utf-8").replace(PACKAGED_PROGRAM, str(program))


def _folder() -> Path:
    """In the installed program beside this file, in a checkout beside its folder."""
    here = Path(__file__).parent
    return here / "systemd" if (here / "systemd").exists() else here.parent / "systemd"


def _written(path: Path, text: str, mode: int = 0o644) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise MonitorError(msg) from error
    return path


def _call(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 ours
    except FileNotFoundError as error:
        msg = f"{words[0]} is not on this system: the service needs systemd"
        raise MonitorError(msg) from error
    if done.returncode:
        msg = f"{' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}"
        raise MonitorError(msg)

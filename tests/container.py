"""A booted systemd over a copy of this very system, in which nothing that is done stays."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from rigs import need_root, required, until

SOUND = "unix:/run/wall.socket"
PULSE = """\
load-module module-native-protocol-unix auth-anonymous=1 socket=/run/wall.socket
load-module module-null-sink sink_name=wall format=s16le rate=48000 channels=1
"""
ALSA = f"""\
pcm.mic {{ type pulse server "{SOUND}" device "wall.monitor" hint {{ show on description "test mic" }} }}
"""

Result = subprocess.CompletedProcess[str]


class Container:
    """It shares network and clock with this system; what it writes lies in memory."""

    def __init__(self, root: Path, leader: int) -> None:
        self.root, self._leader = root, leader

    def run(self, *words: str, check: bool = True) -> Result:
        """A command inside, as root. Its output is one text."""
        command = [required("nsenter"), "-t", str(self._leader), "-a", *words]
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False
        )
        assert not check or result.returncode == 0, f"{' '.join(words)}: {result.stdout}"
        return result

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def said(self, unit: str) -> str:
        """The journal of a unit."""
        return self.run("journalctl", "--no-pager", "--output=cat", "-u", unit).stdout

    def start_sound(self) -> None:
        """A sound server with a wall, and a microphone `mic` before it."""
        (self.root / "run/sound").mkdir(mode=0o755, exist_ok=True)
        (self.root / "srv/default.pa").write_text(PULSE, encoding="utf-8")
        (self.root / "etc/asound.conf").write_text(ALSA, encoding="utf-8")
        own = [f"--setenv={name}=/run/sound" for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH")]
        options = ["--daemonize=no", "-n", "-F", "/srv/default.pa", "--exit-idle-time=-1", "--realtime=no"]
        self.run("mkdir", "-p", "-m", "755", "/run/sound")  # of its own /run, which hides ours
        self.run("systemd-run", "--quiet", "--unit=sound", *own, "pulseaudio", *options)
        until(lambda: self.run("test", "-S", "/run/wall.socket", check=False).returncode == 0, "the sound server")
        drain = ["parec", "-d", "wall.monitor", "--latency-msec=50", "--raw", "/dev/null"]
        self.run("systemd-run", "--quiet", "--unit=drain", f"--setenv=PULSE_SERVER={SOUND}", *drain)

    def is_up(self) -> bool:
        """Whether all that is to start has started."""
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def play(self, path: str, *, wait: bool = False) -> None:
        """Play a recording against the wall, and perhaps wait until it ends."""
        command = ["paplay", "--device=wall", path]
        options = ["--quiet", "--collect", *(["--wait"] if wait else [])]
        self.run("systemd-run", *options, f"--setenv=PULSE_SERVER={SOUND}", *command)


@contextmanager
def booted(folder: Path) -> Iterator[Container]:
    """Boot it; afterwards nothing of it is left."""
    need_root()
    program, root, told = required("systemd-nspawn"), folder / "root", folder.with_suffix(".log")
    folder.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "tmpfs", str(folder))
    try:
        for name in ("root", "upper", "work"):
            (folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        if _run("mount", "-t", "overlay", "overlay", "-o", layers, str(root), check=False):
            pytest.skip("not on this system: the right to mount an overlay")
        with told.open("wb") as log:
            # nothing of what this system serves: only what the tests start
            options = ["--register=no", "--keep-unit", "--quiet", "--console=pipe", "-D", str(root)]
            command = [program, *options, "--boot", "systemd.unit=basic.target"]
            host = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield until(lambda: _up(host.pid, root), f"systemd is up; see {told}", 60)
            finally:
                _end(host)
    finally:
        _run("umount", "--recursive", "--lazy", str(folder), check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _up(host: int, root: Path) -> Container | None:
    """The container, once systemd runs in it. At first there is another process, which still has our namespaces."""
    for child in psutil.Process(host).children():
        container = Container(root, child.pid)
        with suppress(OSError):  # it has ended just now
            if _namespace(child.pid) != _namespace(os.getpid()) and container.is_up():
                return container
    return None


def _namespace(pid: int) -> Path:
    return Path(f"/proc/{pid}/ns/pid").readlink()


def _end(host: "subprocess.Popen[bytes]") -> None:
    """SIGTERM is a request to power off."""
    host.terminate()
    try:
        host.wait(20)
    except subprocess.TimeoutExpired:
        host.kill()
        host.wait()
    time.sleep(0.2)


def _run(*words: str, check: bool = True) -> int:
    return subprocess.run(words, check=check, capture_output=True).returncode

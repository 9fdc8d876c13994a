"""The service as a device runs it: its sandbox, its package, and a real systemd that boots, kills and upgrades it."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from command import BIN
from container import Container, booted
from rigs import Broker, Subscriber, required, song, until

from monitor.sinks.database import FILE

ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "systemd"
EXPOSURE = 15
"""tenths: what `systemd-analyze security` may find at most"""
pytestmark = pytest.mark.timeout(400)  # the package is built, and a system booted, for the first of them

UNIT = "dawnchorus.service"
MOST_AWAY_S = 1.0
"""from its death to its next start: with a second for imports and the model it is back within two"""


@pytest.fixture(params=[UNIT, "dawnchorus@.service"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with all that is common to both, where its program is."""
    path = tmp_path / request.param
    parts = [(UNITS / name).read_text(encoding="utf-8") for name in (request.param, "station.conf")]
    path.write_text("\n".join(parts).replace("/opt/dawnchorus/bin", str(BIN)), encoding="utf-8")
    return path


def analysed(*words: str) -> "subprocess.CompletedProcess[str]":
    """What systemd-analyze thinks."""
    return subprocess.run([required("systemd-analyze"), *words], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_the_units(unit: Path) -> None:
    verified = analysed("verify", "--recursive-errors=yes", str(unit).replace("@.", "@meadow."))
    assert verified.stderr == ""
    assert verified.returncode == 0


def test_the_sandbox_leaves_little_exposed(unit: Path) -> None:
    judged = analysed("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit))
    assert judged.returncode == 0, judged.stdout[-300:]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package as `make deb` builds it, only not compressed."""
    required("dpkg-deb")
    folder = tmp_path_factory.mktemp("package")
    environment = {**os.environ, "DEB_COMPRESSION": "-Znone"}
    built = subprocess.run(
        ["sh", "scripts/deb", str(folder)], cwd=ROOT, check=False, capture_output=True, text=True, env=environment
    )
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.deb"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker that the station publishes to."""
    started = Broker(tmp_path_factory.mktemp("broker") / "mosquitto").start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def device(package: Path, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A device with a microphone, on which the package was just installed, with a configuration that was there."""
    with booted(tmp_path_factory.mktemp("device") / "mounted") as container:
        container.start_sound()
        song(container.root / "srv/song.wav")
        shutil.copy(package, container.root / "srv/dawnchorus.deb")
        settings = {
            "station": "valley",
            "source": {"kind": "microphone", "device": "mic"},
            "mqtt": {"host": "127.0.0.1", "port": broker.port, "password_file": None},
        }
        (container.root / "etc/dawnchorus").mkdir()
        (container.root / "etc/dawnchorus/config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        # as an administrator does who brings a configuration along
        container.run("dpkg", "--force-confold", "-i", "/srv/dawnchorus.deb")
        yield container


@pytest.fixture
def listening(device: Container, new_subscriber: Callable[..., Subscriber], broker: Broker) -> Subscriber:
    """Who is told what the device hears, once it listens."""
    subscriber = new_subscriber(broker.port)
    device.run("systemctl", "start", UNIT)
    listens(device)
    return subscriber


def listens(device: Container) -> None:
    """Wait until systemd shows that audio is analysed."""
    try:
        until(lambda: device.shown(UNIT, "StatusText").startswith("listening to mic"), "the station listens", 90)
    except AssertionError as error:
        error.add_note(device.said(UNIT)[-3000:])
        raise


def detections(subscriber: Subscriber) -> list[dict[str, object]]:
    """What was detected so far."""
    return [message.content for message in subscriber.received() if message.level == "detections"]


def test_one_command_installs_a_service_that_listens_and_publishes(device: Container, listening: Subscriber) -> None:
    assert device.shown(UNIT, "ActiveState") == "active"
    assert device.shown(UNIT, "UnitFileState") == "enabled"
    device.play("/srv/song.wav")
    heard = until(lambda: detections(listening), "a detection", 60)
    assert heard[0]["scientific_name"] == "Parus major"
    state = device.run("stat", "--format=%U %a", "/var/lib/dawnchorus", "/etc/dawnchorus/config.yaml").stdout
    assert state.split("\n")[:2] == ["dawnchorus 750", "root 640"]


def test_killed_it_is_back_at_once(device: Container, listening: Subscriber) -> None:
    del listening
    before = device.shown(UNIT, "MainPID")
    device.run("kill", "-9", before)
    until(lambda: device.shown(UNIT, "MainPID") not in ("0", before), "another process", 30)
    until(lambda: device.shown(UNIT, "ActiveState") == "active", "it is ready", 60)
    assert float(device.shown(UNIT, "RestartUSec").removesuffix("s")) <= MOST_AWAY_S


def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_is_back(device: Container, listening: Subscriber) -> None:
    del listening
    hurry = device.root / f"etc/systemd/system/{UNIT}.d/hurry.conf"
    hurry.parent.mkdir(exist_ok=True)
    hurry.write_text("[Service]\nWatchdogSec=8\n", encoding="utf-8")
    device.run("systemctl", "daemon-reload")
    device.run("systemctl", "restart", UNIT)
    before = device.shown(UNIT, "MainPID")
    device.run("kill", "-STOP", before)
    until(lambda: device.shown(UNIT, "MainPID") not in ("0", before), "another process", 60)
    until(lambda: device.shown(UNIT, "ActiveState") == "active", "it is ready", 60)
    assert "watchdog" in device.said(UNIT).lower()
    hurry.unlink()
    device.run("systemctl", "daemon-reload")


def test_a_sound_server_that_freezes_costs_only_the_time_that_it_is_frozen(
    device: Container, listening: Subscriber
) -> None:
    before = device.shown(UNIT, "MainPID")
    server = device.shown("sound.service", "MainPID")
    device.run("kill", "-STOP", server)
    until(lambda: not device.shown(UNIT, "StatusText").startswith("listening to mic"), "it notices", 60)
    device.run("kill", "-CONT", server)
    listens(device)
    heard = len(detections(listening))
    device.play("/srv/song.wav")
    until(lambda: len(detections(listening)) > heard, "a detection", 60)
    assert device.shown(UNIT, "MainPID") == before


def test_a_stop_is_clean_and_says_offline(device: Container, listening: Subscriber) -> None:
    device.run("systemctl", "stop", UNIT)
    assert device.shown(UNIT, "Result") == "success"
    assert device.shown(UNIT, "ExecMainStatus") == "0"
    until(lambda: listening.states()[-1:] == ["offline"], "offline")


def test_an_upgrade_keeps_settings_and_data_and_starts_the_new_program(
    device: Container, listening: Subscriber, package: Path, tmp_path: Path
) -> None:
    del listening
    kept, before = rows(device), device.shown(UNIT, "MainPID")
    settings = (device.root / "etc/dawnchorus/config.yaml").read_text(encoding="utf-8")
    device.run("dpkg", "-i", str(newer(package, device.root / "srv", tmp_path)))
    until(lambda: device.shown(UNIT, "MainPID") not in ("0", before), "the new program", 60)
    listens(device)
    assert (device.root / "etc/dawnchorus/config.yaml").read_text(encoding="utf-8") == settings
    assert rows(device)[: len(kept)] == kept
    assert len(kept) > 0


def test_two_stations_of_one_device_keep_apart(device: Container, broker: Broker) -> None:
    settings = {
        "station": "meadow",
        "source": {"kind": "recordings", "paths": ["/srv/song.wav"], "speed": 1},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
    }
    (device.root / "etc/dawnchorus/meadow.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    device.run("chgrp", "dawnchorus", "/etc/dawnchorus/meadow.yaml")
    device.run("systemctl", "start", "dawnchorus@meadow.service")
    until((device.root / "var/lib/dawnchorus/meadow" / FILE).exists, "a store of its own", 60)
    device.run("systemctl", "stop", "dawnchorus@meadow.service")


def test_removal_leaves_what_was_heard_and_a_purge_takes_it(device: Container) -> None:
    device.run("dpkg", "--remove", "dawnchorus")
    assert device.shown(UNIT, "LoadState") == "not-found"
    assert rows(device)
    device.run("dpkg", "--purge", "dawnchorus")
    for path in ("var/lib/dawnchorus", "etc/dawnchorus", "opt/dawnchorus"):
        assert not (device.root / path).exists(), path


def rows(device: Container) -> list[tuple[object, ...]]:
    """The detections that the device keeps, in the order in which they were written."""
    with closing(sqlite3.connect(device.root / "var/lib/dawnchorus" / FILE, timeout=10)) as connection:
        return connection.execute("SELECT id, onset_utc, confidence FROM detections ORDER BY rowid").fetchall()


def newer(package: Path, folder: Path, scratch: Path) -> Path:
    """The same package with a higher version."""
    unpacked = scratch / "unpacked"
    subprocess.run(["dpkg-deb", "-R", str(package), str(unpacked)], check=True)
    control = unpacked / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99.0", text), encoding="utf-8")
    subprocess.run(
        ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(unpacked), str(folder / "newer.deb")],
        check=True,
        capture_output=True,
    )
    return Path("/srv/newer.deb")

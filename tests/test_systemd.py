"""The service as a device runs it: its sandbox, its package, and a real systemd that boots, kills and upgrades it."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from command import BIN
from container import Container, booted
from rigs import Broker, Subscriber, required, song, until

from monitor.clock import rfc3339
from monitor.sinks.database import FILE

ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "systemd"
EXPOSURE = 15
"""tenths: what `systemd-analyze security` may find at most"""
pytestmark = pytest.mark.timeout(400)  # the package is built, and a system booted, for the first of them

UNIT = "dawnchorus.service"
UPKEEP = "dawnchorus-upkeep"
CONFIG = "etc/dawnchorus/config.yaml"
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


def commands(name: str) -> str:
    """What the shell runs at a point of the service's life, as systemd hands it on."""
    text = (UNITS / "station.conf").read_text(encoding="utf-8").replace("\\\n", "")
    (found,) = re.findall(rf"(?m)^{name}=-sh -c '(.*)'$", text)
    return found.replace("$$", "$")


def waits(folder: Path) -> float:
    """How long a start would wait."""
    said = subprocess.run(
        ["sh", "-c", commands("ExecStartPre").replace("exec sleep", "echo")],
        env={**os.environ, "RUNTIME_DIRECTORY": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(said.stdout)


def ended(folder: Path, result: str) -> None:
    """The service ends so."""
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder), "SERVICE_RESULT": result}
    subprocess.run(["sh", "-c", commands("ExecStopPost")], env=environment, check=True)


def test_starts_that_fail_wait_longer_each_time_and_never_more_than_a_minute(tmp_path: Path) -> None:
    found = [waits(tmp_path)]
    for _ in range(10):
        ended(tmp_path, "exit-code")
        found.append(waits(tmp_path))
    assert found == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    ended(tmp_path, "success")
    assert waits(tmp_path) == 0


def test_a_service_that_was_ready_starts_again_without_waiting(tmp_path: Path) -> None:
    for _ in range(5):
        ended(tmp_path, "timeout")
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
    subprocess.run(["sh", "-c", commands("ExecStartPost")], env=environment, check=True)
    ended(tmp_path, "signal")
    assert waits(tmp_path) == 0


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
        (container.root / CONFIG).write_text(yaml.safe_dump(settings), encoding="utf-8")
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


@contextmanager
def configured(device: Container, **settings: object) -> Iterator[None]:
    """With these settings in its configuration for a while; the service is not told of it."""
    path = device.root / CONFIG
    before = path.read_text(encoding="utf-8")
    path.write_text(yaml.safe_dump(yaml.safe_load(before) | settings), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def says(device: Container, unit: str, text: str) -> None:
    """Wait until its journal has a text."""
    until(lambda: text in device.said(unit), f"{unit} says: {text}", 60)


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


def test_a_start_that_fails_is_tried_again_for_ever_and_ever_less_often(
    device: Container, listening: Subscriber
) -> None:
    del listening
    with configured(device, store={"directory": "/srv/nowhere"}):
        device.run("systemctl", "restart", "--no-block", UNIT)
        until(lambda: device.run("cat", "/run/dawnchorus/wait_s", check=False).stdout == "2\n", "it waits longer", 90)
        assert "store in /srv/nowhere cannot be written" in device.said(UNIT)
        assert int(device.shown(UNIT, "NRestarts")) <= 4
    device.run("systemctl", "restart", UNIT)
    listens(device)
    assert device.run("ls", "/run/dawnchorus").stdout == ""


def test_a_reload_changes_at_once_what_can_and_names_what_needs_a_restart(
    device: Container, listening: Subscriber
) -> None:
    before, heard = device.shown(UNIT, "MainPID"), len(detections(listening))
    with configured(device, detection={"threshold": 1.0}, store={"outbox_rows": 12345}):
        device.run("systemctl", "reload", UNIT)
        says(device, UNIT, "from now on: detection.threshold")
        assert "these wait for a restart: store.outbox_rows" in device.said(UNIT)
        device.play("/srv/song.wav", wait=True)
    device.run("systemctl", "reload", UNIT)
    until(lambda: device.said(UNIT).count("from now on: detection.threshold") == 2, "it was reloaded again", 60)
    again = rfc3339(datetime.now(UTC))
    device.play("/srv/song.wav")
    new = until(lambda: detections(listening)[heard:], "a detection", 60)
    assert [str(one["onset_utc"]) > str(again) for one in new] == [True]
    assert device.shown(UNIT, "MainPID") == before


def test_a_reload_refuses_a_wrong_configuration_and_keeps_the_running_one(
    device: Container, listening: Subscriber
) -> None:
    before, heard = device.shown(UNIT, "MainPID"), len(detections(listening))
    with configured(device, detection={"threshold": 7}):
        device.run("systemctl", "reload", UNIT)
        says(device, UNIT, "not reloaded, all stays as it was")
    assert (device.shown(UNIT, "MainPID"), device.shown(UNIT, "ActiveState")) == (before, "active")
    device.play("/srv/song.wav")
    until(lambda: detections(listening)[heard:], "a detection", 60)


def test_the_brokers_password_is_a_credential_that_systemd_hands_over(
    device: Container, tmp_path: Path, new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber]
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run([required("mosquitto_passwd"), "-b", "-c", str(passwords), "valley", "s3cret"], check=True)
    guarded = new_broker("allow_anonymous false", f"password_file {passwords}")
    store = device.root / "etc/credstore/dawnchorus.mqtt-password"
    store.parent.mkdir(mode=0o700, exist_ok=True)
    store.write_text("s3cret\n", encoding="utf-8")
    store.chmod(0o600)
    mqtt = {"host": "127.0.0.1", "port": guarded.port, "username": "valley", "password_credential": "mqtt-password"}
    with configured(device, mqtt=mqtt):
        device.run("systemctl", "restart", UNIT)
        subscriber = new_subscriber(guarded.port, "-u", "valley", "-P", "s3cret")
        told = until(lambda: [m for m in subscriber.received() if m.level == "status"], "the station's status", 60)
        assert told[-1].content["state"] == "online"
    assert "s3cret" not in device.said(UNIT)
    device.run("systemctl", "restart", UNIT)


def test_its_store_is_looked_after_once_a_day_in_a_sandbox_of_its_own(device: Container, listening: Subscriber) -> None:
    del listening
    assert device.shown(f"{UPKEEP}.timer", "ActiveState") == "active"
    assert f"{UPKEEP}.service" in device.run("systemctl", "list-timers", "--no-pager", "--full").stdout
    device.run("systemctl", "start", f"{UPKEEP}.service")
    assert device.shown(f"{UPKEEP}.service", "Result") == "success"
    assert "the store is sound" in device.said(f"{UPKEEP}.service")


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


def test_an_upgrade_keeps_settings_and_data_and_starts_the_new_program_and_so_does_the_way_back(
    device: Container, listening: Subscriber, package: Path, tmp_path: Path
) -> None:
    kept, before = rows(device), device.shown(UNIT, "MainPID")
    settings = (device.root / CONFIG).read_text(encoding="utf-8")
    device.run("dpkg", "-i", str(newer(package, device.root / "srv", tmp_path)))
    until(lambda: device.shown(UNIT, "MainPID") not in ("0", before), "the new program", 60)
    listens(device)
    upgraded = device.shown(UNIT, "MainPID")
    with closing(sqlite3.connect(device.root / "var/lib/dawnchorus" / FILE, timeout=10)) as connection, connection:
        connection.execute("CREATE TABLE whales (song TEXT NOT NULL) STRICT")  # as a newer program might add one
        connection.execute("UPDATE made SET version = 99, program = '99.0'")
    device.run("dpkg", "-i", "/srv/dawnchorus.deb")
    until(lambda: device.shown(UNIT, "MainPID") not in ("0", upgraded), "the program from before", 60)
    listens(device)
    assert (device.root / CONFIG).read_text(encoding="utf-8") == settings
    assert rows(device)[: len(kept)] == kept
    assert len(kept) > 0
    heard = len(detections(listening))
    device.play("/srv/song.wav")
    until(lambda: len(detections(listening)) > heard, "a detection", 60)
    assert len(rows(device)) > len(kept)


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
    assert device.shown(f"{UPKEEP}@meadow.timer", "ActiveState") == "active"
    device.run("systemctl", "start", f"{UPKEEP}@meadow.service")
    assert "the store is sound" in device.said(f"{UPKEEP}@meadow.service")
    device.run("systemctl", "stop", "dawnchorus@meadow.service")
    assert device.shown(f"{UPKEEP}@meadow.timer", "ActiveState") == "inactive"


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

"""The daemon's life: what it tells systemd, how it refuses to start, how it ends."""

import configparser
import json
import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest
import soundfile
from rigs import (
    COMMAND,
    LONGEST_STOP_S,
    RATE,
    ROOT,
    Broker,
    Daemon,
    Subscriber,
    Supervisor,
    configure,
    free_port,
    kept,
    recordings,
    required,
    run,
    song,
    until,
)

from monitor.classifier import Classifier
from monitor.cli.options import EX_CONFIG, FAILED
from monitor.soundscape import soundscape


def test_systemd_is_told_of_readiness_every_window_and_the_end(
    broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav", 0, 12)), broker.port)
    with Daemon(config, supervisor.environment) as daemon:
        assert daemon.ended() == 0, daemon.said()
    until(lambda: supervisor.heard("STOPPING=1"), "the last word")
    first, *between, last = supervisor.told()
    assert first == "READY=1\nSTATUS=waiting for audio"
    assert last == "STOPPING=1"
    assert len(between) == 13 - Classifier().contract.window_s, "windows, one a second, in 12 s"
    name = tmp_path / "song.wav"
    assert all(told.startswith(f"WATCHDOG=1\nSTATUS=listening to {name}; ") for told in between)
    assert between[0].endswith("; 0 detections, last: nothing yet")
    assert between[-1].endswith("; 0 detections, last: nothing yet")


def test_the_status_names_the_last_detection(broker: Broker, supervisor: Supervisor, tmp_path: Path) -> None:
    playing = song(tmp_path / "20260501T041200Z.wav", 0, 16)
    with Daemon(configure(tmp_path, recordings(playing), broker.port), supervisor.environment) as daemon:
        assert daemon.ended() == 0, daemon.said()
    assert supervisor.heard("; 1 detections, last: Great Tit at 2026-05-01T04:12:0") > 0


def test_a_signal_while_it_listens_is_announced_before_the_end(
    broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    playing = recordings(song(tmp_path / "song.wav"), speed=1.0)
    with Daemon(configure(tmp_path, playing, broker.port), supervisor.environment) as daemon:
        until(lambda: supervisor.heard("READY=1"), "it is ready")
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    until(lambda: supervisor.told()[-1] == "STOPPING=1", "the last word")


def test_a_socket_in_the_abstract_namespace_is_told_too(broker: Broker, tmp_path: Path) -> None:
    supervisor = Supervisor(f"@dawnchorus-{uuid.uuid4()}")
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav")), broker.port)
    with Daemon(config, supervisor.environment) as daemon:
        assert daemon.ended() == 0, daemon.said()
    until(lambda: supervisor.heard("STOPPING=1"), "the last word")
    assert supervisor.told()[0].startswith("READY=1\n")
    supervisor.close()


def test_a_supervisor_that_has_gone_does_not_stop_the_daemon(broker: Broker, tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav")), broker.port)
    with Daemon(config, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}) as daemon:
        assert daemon.ended() == 0, daemon.said()
    assert len(kept(tmp_path / "store")["detections"]) == 1


def test_damaged_recordings_are_named_and_all_that_can_be_heard_is(broker: Broker, tmp_path: Path) -> None:
    names = ["first.wav", "garbage.wav", "empty.wav", "broken.flac", "last.wav"]
    first, garbage, empty, broken, last = (tmp_path / name for name in names)
    song(first)
    garbage.write_bytes(b"garbage" * 1000)
    empty.write_bytes(b"")
    soundfile.write(broken, soundscape(RATE)[4 * RATE :], RATE)
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    song(last)
    with Daemon(configure(tmp_path, recordings(first, garbage, empty, broken, last), broker.port)) as daemon:
        assert daemon.ended() == FAILED
    tables = kept(tmp_path / "store")
    heard = [row["recording"] for row in tables["detections"]]
    assert heard[0] == str(first)
    assert str(broken) in heard, "what was decoded before it broke off"
    assert heard[-1] == str(last)
    assert set(heard) == {str(first), str(broken), str(last)}
    assert tables["outbox"] == []
    for path, problem in ((garbage, "cannot be read as audio"), (empty, "cannot be"), (broken, "decoding broke off")):
        assert f"ERROR monitor.service.session: {path}: {problem}" in daemon.said()


def test_a_recording_whose_name_is_not_unicode_is_heard_and_published(
    broker: Broker, subscriber: Subscriber, supervisor: Supervisor, tmp_path: Path
) -> None:
    folder = tmp_path / "card"
    song(folder / "song.wav").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))
    with Daemon(configure(tmp_path, recordings(folder), broker.port), supervisor.environment) as daemon:
        assert daemon.ended() == 0, daemon.said()
    assert [row["recording"] for row in kept(tmp_path / "store")["detections"]] == [f"{folder}/caf\ufffd.wav"]
    until(lambda: len(subscriber.records()) == 2, "both messages")
    assert supervisor.heard("listening to") > 0


WRONG = {
    "an unknown key": ({"stations": "valley"}, "unknown key 'stations': did you mean 'station'?"),
    "a wrong value": ({"log": "loud"}, "log: Invalid enum value 'loud', expected one of debug, info, warning, error"),
    "an unknown species": ({"detection": {"thresholds": {"Dodo": 0.5}}}, "detection.thresholds names 'Dodo'"),
    "an unknown time zone": ({"source": {"kind": "recordings", "paths": [__file__], "timezone": "Moon"}}, "'Moon'"),
}


@pytest.mark.parametrize(("settings", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_stops_the_start_for_good(
    settings: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    playing = recordings(song(tmp_path / "song.wav"))
    ended = run("run", "--config", configure(tmp_path, playing, free_port(), **settings))
    assert ended.returncode == EX_CONFIG
    assert sentence in ended.stderr
    assert_one_sentence(ended.stderr)


def test_a_configuration_that_is_not_there_stops_the_start_for_good(tmp_path: Path) -> None:
    ended = run("run", "--config", tmp_path / "config.yaml")
    assert ended.returncode == EX_CONFIG
    assert_one_sentence(ended.stderr)


MISSING = {
    "recording": {"source": {"kind": "recordings", "paths": ["{}"]}},
    "model": {"model": "{}"},
    "password": {"mqtt": {"host": "127.0.0.1", "username": "station", "password_file": "{}"}},
}


@pytest.mark.parametrize("what", MISSING)
def test_a_file_that_is_not_there_stops_this_start(what: str, tmp_path: Path) -> None:
    missing = str(tmp_path / f"missing {what}")
    settings = json.loads(json.dumps(MISSING[what]).replace("{}", missing))
    playing = recordings(song(tmp_path / "song.wav"))
    ended = run("run", "--config", configure(tmp_path, playing, free_port(), **settings))
    assert ended.returncode == FAILED
    assert missing in ended.stderr
    assert_one_sentence(ended.stderr)


def test_a_store_that_cannot_be_written_stops_this_start(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder", encoding="utf-8")
    ended = run("run", "--config", configure(tmp_path, recordings(song(tmp_path / "song.wav")), free_port()))
    assert ended.returncode == FAILED
    assert "File exists" in ended.stderr
    assert_one_sentence(ended.stderr)


def assert_one_sentence(text: str) -> None:
    """Fail unless a command said one sentence and no more."""
    assert text.startswith("dawnchorus: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")


UNIT = ROOT / "systemd" / "dawnchorus.service"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = re.compile(r"^ExecStart=(\S+)", re.MULTILINE)
    text = UNIT.read_text(encoding="utf-8")
    found = program.search(text)
    assert found is not None
    if not Path(found[1]).exists():  # where it will be installed, not where this test runs
        text = program.sub(f"ExecStart={COMMAND}", text)
    unit.write_text(text, encoding="utf-8")
    verified = subprocess.run(
        [required("systemd-analyze"), "verify", "--recursive-errors=yes", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.stderr == ""
    assert verified.returncode == 0


def test_the_unit_starts_what_there_is_and_gives_up_only_on_a_wrong_configuration() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT, encoding="utf-8")
    service = unit["Service"]
    assert service["ExecStart"].endswith("dawnchorus run")
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == str(EX_CONFIG)
    assert int(service["TimeoutStopSec"]) > LONGEST_STOP_S

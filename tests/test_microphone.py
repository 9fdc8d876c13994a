"""A microphone without hardware: what is played against PulseAudio's wall, PortAudio hears through ALSA."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from rigs import (
    LONGEST_STOP_S,
    RATE,
    Broker,
    Daemon,
    SoundServer,
    Subscriber,
    Supervisor,
    configure,
    kept,
    need_root,
    run,
    short_folder,
    song,
    until,
)

from monitor.classifier import Classifier
from monitor.errors import MicrophoneError
from monitor.sources.microphone import Device, choose_device

MICROPHONE = {"kind": "microphone", "device": "mic", "sample_rate": RATE}


@contextmanager
def without_sound_server(asoundrc: str = "") -> Iterator[dict[str, str]]:
    """The environment of a user who has no sound server, only what ALSA is told."""
    with short_folder() as folder:
        (folder / ".asoundrc").write_text(asoundrc, encoding="utf-8")
        yield {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{folder}/nobody"}


def account(tables: dict[str, list[dict[str, Any]]], column: str) -> float:
    """Seconds of the whole run."""
    return sum(row[column] for row in tables["effort"])


def time_of(text: str) -> datetime:
    """A time as it is kept."""
    return datetime.fromisoformat(text)


def test_the_daemon_hears_a_song_when_the_microphone_was_unplugged_and_is_back_and_knows_when_it_was(
    sound_server: SoundServer, broker: Broker, subscriber: Subscriber, supervisor: Supervisor, tmp_path: Path
) -> None:
    tit = song(tmp_path / "song.wav", 4, 8.5)
    # Where windows begin in the song is chance, and the model's own threshold a cautious one.
    config = configure(tmp_path, MICROPHONE, broker.port, detection={"threshold": 0.5})
    with Daemon(config, sound_server.environment | supervisor.environment) as daemon:
        until(lambda: supervisor.heard("STATUS=listening to mic"), "the first window")
        begin = time.monotonic() - 3  # what a window takes
        sound_server.unplug()
        until(lambda: "no samples for 5 s" in daemon.said(), "the daemon notices")
        until(lambda: supervisor.heard("WATCHDOG=1\nSTATUS=no audio: "), "systemd is told")
        windows = supervisor.heard("STATUS=listening to mic")
        sound_server.plug()
        until(lambda: supervisor.heard("STATUS=listening to mic") > windows, "a window from it again")
        played = datetime.now(UTC)
        assert sound_server.play(tit).wait(20) == 0
        lasted_s = time.monotonic() - begin
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()

    tables = kept(tmp_path / "store")
    assert [row["common_name"] for row in tables["detections"]] == ["Great Tit"]
    assert account(tables, "heard_s") > 7
    assert account(tables, "lost_device_s") >= 5
    assert account(tables, "heard_s") + account(tables, "lost_s") == pytest.approx(lasted_s, abs=3)
    (heard,) = tables["detections"]
    assert heard["recording"] == "mic"
    assert abs((time_of(heard["onset_utc"]) - played).total_seconds()) < 3.5, (
        "a window, and what playing takes to begin"
    )
    assert tables["outbox"] == []
    until(lambda: len(subscriber.records()) == 1 + len(tables["effort"]), "all messages")


def test_the_daemon_survives_a_sound_server_that_freezes_and_ends_in_time_meanwhile(
    sound_server: SoundServer, broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    config = configure(tmp_path, MICROPHONE, broker.port)
    with Daemon(config, sound_server.environment | supervisor.environment) as daemon:
        until(lambda: supervisor.heard("STATUS=listening to mic"), "the first window")
        sound_server.freeze()
        until(lambda: supervisor.heard("STATUS=no audio: microphone 'mic': no samples for 5 s"), "systemd is told")
        assert daemon.said().count("no samples for 5 s; looking for it again and again") == 1
        time.sleep(1)  # it asks the frozen server by now
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert account(tables, "heard_s") >= Classifier().contract.window_s
    assert account(tables, "lost_device_s") >= 5


def test_a_sound_server_that_is_frozen_from_the_start_is_named(sound_server: SoundServer) -> None:
    sound_server.freeze()
    ended = run("devices", environment=sound_server.environment)
    assert ended.returncode == 1
    assert ended.stderr == "dawnchorus: the sound server does not answer\n"


def test_devices_lists_the_microphone_with_what_to_write_into_the_configuration(sound_server: SoundServer) -> None:
    ended = run("devices", environment=sound_server.environment)
    assert ended.returncode == 0
    written = [yaml.safe_load(line)["source"] for line in ended.stdout.splitlines() if line.startswith("    source:")]
    assert {"kind": "microphone", "device": "mic"} in written


def test_without_any_device_the_command_says_so_and_the_daemon_waits(
    sound_server: SoundServer, broker: Broker, subscriber: Subscriber, supervisor: Supervisor, tmp_path: Path
) -> None:
    del sound_server  # only to know that PortAudio is there
    if any(Path("/dev/snd").glob("pcm*c")):
        pytest.skip("not on this system: the lack of a sound card")
    with without_sound_server() as environment:
        ended = run("devices", environment=environment)
        assert ended.returncode == 1
        assert ended.stderr == "no sound input on this machine: plug one in, or look at the sound server\n"

        config = configure(tmp_path, {"kind": "microphone"}, broker.port)
        with Daemon(config, environment | supervisor.environment) as daemon:
            until(
                lambda: supervisor.heard("WATCHDOG=1\nSTATUS=no audio: no microphone; inputs: none at all") >= 2, "2x"
            )
            assert subscriber.states() == ["online"]
            assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
        assert daemon.said().count("no microphone; inputs: none at all; looking for it again and again") == 1
    tables = kept(tmp_path / "store")
    assert tables["detections"] == []
    assert account(tables, "heard_s") == 0
    assert account(tables, "lost_device_s") > 1
    until(lambda: len(subscriber.records()) == len(tables["effort"]), "the account is published")


def test_without_portaudio_the_command_says_what_to_install(sound_server: SoundServer) -> None:
    del sound_server  # only to know that PortAudio is there, so that it can be hidden
    need_root()
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    library = next(line.split(" => ")[1] for line in cache.splitlines() if "libportaudio.so.2" in line)
    command = 'mount --bind /dev/null "$0" && exec "$@"'
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, library, sys.executable, "-m", "monitor", "devices"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "dawnchorus: no PortAudio library on this system: install it, on Debian with `apt-get install libportaudio2`\n"
    )


def device(index: int, name: str, *, default: bool = False) -> Device:
    """An input."""
    return Device(index, name, "ALSA", 1, RATE, default)


INPUTS = [device(0, "USB Audio: #0"), device(3, "USB Audio"), device(4, "AudioMoth"), device(7, "pulse", default=True)]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("", 7), ("AudioMoth", 4), ("moth", 4), ("USB Audio", 3), ("#0", 0), ("pulse", 7)],
    ids=["the default", "by name", "by part of it", "the exact one", "by the part that differs", "by case"],
)
def test_an_input_is_chosen_by_its_name_or_a_part_of_it(wanted: str, index: int) -> None:
    assert choose_device(INPUTS, wanted).index == index


def test_the_only_input_is_the_default_where_the_system_names_none() -> None:
    assert choose_device([device(2, "AudioMoth"), device(5, "other")], "").index == 2


@pytest.mark.parametrize(
    ("inputs", "wanted", "sentence"),
    [
        (INPUTS, "audio", "microphone 'audio': 3 inputs fit; there are: 'USB Audio: #0', 'USB Audio', 'AudioMoth'"),
        (INPUTS, "Zoom", "microphone 'Zoom': no input fits; there are: 'USB Audio: #0', 'USB Audio', 'AudioMoth', "),
        ([], "Zoom", "microphone 'Zoom': no input fits; there are: none at all"),
        ([], "", "no microphone; inputs: none at all"),
        ([device(0, "twin"), device(1, "twin")], "twin", "microphone 'twin': 2 inputs fit; there are: 'twin', 'twin'"),
    ],
)
def test_an_input_that_is_not_there_or_not_the_only_one_is_an_error_that_lists_them(
    inputs: list[Any], wanted: str, sentence: str
) -> None:
    with pytest.raises(MicrophoneError) as caught:
        choose_device(inputs, wanted)
    assert str(caught.value).startswith(sentence)

"""A microphone without hardware: what is played against PulseAudio's wall, PortAudio hears through ALSA."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
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
    noise,
    run,
    short_folder,
    song,
    until,
)

from monitor.errors import MicrophoneError
from monitor.records import Samples
from monitor.sources.microphone import Device, choose_device

MICROPHONE = {"kind": "microphone", "device": "mic", "sample_rate": RATE}

RECORD = """
import sys, threading
import numpy as np
from monitor.errors import MicrophoneError
from monitor.sources.microphone import open_microphone

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
heard, error, position = [], "", 0
try:
    stream = open_microphone("mic", 48_000, stop)
    print("listening to", stream.name, "at", stream.sample_rate, flush=True)
    for block in stream.blocks:
        assert block.start_sample == position, (block.start_sample, position)
        position = block.end_sample
        heard.append(block.samples)
except MicrophoneError as broken:
    error = str(broken)
np.save(sys.argv[1], np.concatenate(heard) if heard else np.zeros(0, np.float32))
print(error, flush=True)
"""


class Recorder:
    """A process that records the microphone, for PortAudio reads its environment once in a process."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._path = folder / "heard.npy"
        self._process = subprocess.Popen(
            [sys.executable, "-c", RECORD, str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def announced(self) -> str:
        """What it says first."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def error(self) -> str:
        """What broke the recording off; empty where nothing did."""
        said, _ = self._process.communicate(timeout=30)
        return said.strip()

    def heard(self) -> Samples:
        """All samples, when it has ended."""
        return np.load(self._path)

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def recording(folder: Path, environment: dict[str, str]) -> Iterator[Recorder]:
    """A recorder at work."""
    recorder = Recorder(folder, environment)
    try:
        yield recorder
    finally:
        recorder.close()


@contextmanager
def without_sound_server(asoundrc: str = "") -> Iterator[dict[str, str]]:
    """The environment of a user who has no sound server, only what ALSA is told."""
    with short_folder() as folder:
        (folder / ".asoundrc").write_text(asoundrc, encoding="utf-8")
        yield {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{folder}/nobody"}


def time_of(text: str) -> datetime:
    """A time as it is kept."""
    return datetime.fromisoformat(text)


def test_what_is_played_is_what_is_recorded_sample_by_sample(sound_server: SoundServer, tmp_path: Path) -> None:
    played = noise(tmp_path / "noise.wav")
    with recording(tmp_path, sound_server.environment) as recorder:
        assert recorder.announced() == f"listening to mic at {RATE}"
        assert sound_server.play(tmp_path / "noise.wav").wait(20) == 0
        assert recorder.error() == ""
        heard = recorder.heard()
    begins = np.flatnonzero((heard[:-1] == played[0]) & (heard[1:] == played[1]))
    assert len(begins) == 1
    np.testing.assert_array_equal(heard[begins[0] : begins[0] + len(played)], played)


def test_a_microphone_that_is_unplugged_is_an_error_and_what_was_heard_stays(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    with recording(tmp_path, sound_server.environment) as recorder:
        recorder.announced()
        sound_server.unplug()
        # it ends by itself: its standard input stays open
        assert recorder.announced() == "microphone 'mic': no samples for 5 s"
        assert len(recorder.heard()) > 0


def test_a_device_that_is_faster_than_sound_is_no_microphone(sound_server: SoundServer, tmp_path: Path) -> None:
    del sound_server  # only to know that PortAudio is there
    with (
        without_sound_server("pcm.mic { type null hint { show on description nothing } }") as environment,
        recording(tmp_path, environment) as recorder,
    ):
        recorder.announced()
        assert recorder.announced().endswith("at 48000 Hz: this is no microphone")


def test_the_daemon_hears_a_song_before_and_after_the_microphone_was_unplugged(
    sound_server: SoundServer, broker: Broker, subscriber: Subscriber, supervisor: Supervisor, tmp_path: Path
) -> None:
    tit = song(tmp_path / "song.wav", 4, 8.5)
    # Where windows begin in the song is chance, and the model's own threshold a cautious one.
    config = configure(tmp_path, MICROPHONE, broker.port, detection={"threshold": 0.5})
    with Daemon(config, sound_server.environment | supervisor.environment) as daemon:
        until(lambda: supervisor.heard("listening to mic"), "the first window")
        assert sound_server.play(tit).wait(20) == 0
        sound_server.unplug()
        until(lambda: "no samples for 5 s" in daemon.said(), "the daemon notices")
        until(lambda: supervisor.heard("WATCHDOG=1\nSTATUS=no audio: "), "systemd is told")
        windows = supervisor.heard("listening to mic")
        sound_server.plug()
        until(lambda: supervisor.heard("listening to mic") > windows, "a window from the microphone that came back")
        assert sound_server.play(tit).wait(20) == 0
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()

    tables = kept(tmp_path / "store")
    assert [row["common_name"] for row in tables["detections"]] == ["Great Tit", "Great Tit"]
    before, outage, after = sorted(tables["effort"], key=lambda row: str(row["start_utc"]))
    assert before["heard_s"] > 4
    assert (outage["heard_s"], outage["start_s"], outage["end_s"]) == (0, 0, outage["lost_s"])
    assert outage["lost_s"] >= 5
    assert after["heard_s"] > 4
    for earlier, later in ((before, outage), (outage, after)):
        between = time_of(later["start_utc"]) - time_of(earlier["end_utc"])
        assert abs(between.total_seconds()) < 2, "every second is accounted for"
    first, second = (time_of(row["onset_utc"]) for row in tables["detections"])
    assert first < time_of(outage["start_utc"]) < time_of(outage["end_utc"]) < second
    assert tables["outbox"] == []
    until(lambda: len(subscriber.records()) == 5, "all messages")


def test_a_microphone_that_comes_after_the_daemon_is_found(
    sound_server: SoundServer, broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    sound_server.stop()
    config = configure(tmp_path, MICROPHONE, broker.port)
    with Daemon(config, sound_server.environment | supervisor.environment) as daemon:
        until(lambda: supervisor.heard("STATUS=no audio: microphone 'mic': no input fits"), "it looks in vain")
        sound_server.start()
        until(lambda: supervisor.heard("listening to mic"), "the first window")
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    outage, after = sorted(kept(tmp_path / "store")["effort"], key=lambda row: str(row["start_utc"]))
    assert (outage["heard_s"], after["lost_s"]) == (0, 0)
    assert after["heard_s"] >= 3


def test_the_daemon_survives_a_sound_server_that_freezes_and_ends_in_time_while_it_is_frozen(
    sound_server: SoundServer, broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    config = configure(tmp_path, MICROPHONE, broker.port)
    with Daemon(config, sound_server.environment | supervisor.environment) as daemon:
        until(lambda: supervisor.heard("listening to mic"), "the first window")
        sound_server.freeze()
        until(lambda: supervisor.heard("STATUS=no audio: the sound server does not answer"), "systemd is told")
        assert "ERROR monitor.service.session: the sound server does not answer" in daemon.said()
        windows = supervisor.heard("listening to mic")
        sound_server.thaw()
        until(lambda: supervisor.heard("listening to mic") > windows, "a window from the microphone that came back")
        sound_server.freeze()
        assert daemon.stop(LONGEST_STOP_S) == 0, daemon.said()
    assert [row["lost_s"] >= 5 for row in kept(tmp_path / "store")["effort"]] == [False, True, False]


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
    (outage,) = tables["effort"]
    assert outage["heard_s"] == 0
    assert outage["lost_s"] > 0
    until(lambda: len(subscriber.records()) == 1, "the account is published")


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

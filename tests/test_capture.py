"""The fault table: a sound card that is lost in every way, and what comes of it, with a real sound server."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from rigs import RATE, SoundServer, noise, short_folder, until
from test_capture_streams import Listener, listening

from monitor.config.source import MicrophoneSource
from monitor.records import Cause, Gap
from monitor.sources.live import open_streams, opening

MICROPHONE = MicrophoneSource(device="mic", sample_rate=RATE)


@pytest.fixture
def wall(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    """A sound server that this process hears."""
    for name, value in sound_server.environment.items():
        monkeypatch.setenv(name, value)
    return sound_server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that takes its decisions sooner, so that a test is short."""
    monkeypatch.setattr("monitor.sources.liveness.DEAD_S", 1.5)
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.5)


def holders() -> list[psutil.Process]:
    """The processes that hold a sound card for this one."""
    return [child for child in psutil.Process().children() if "sound_card" in " ".join(child.cmdline())]


def hears(listener: Listener) -> None:
    """Wait for more audio."""
    before = listener.seconds()
    until(lambda: listener.seconds() > before, "audio again", 10)


def accounted_for(listener: Listener) -> None:
    """Fail unless the stream is as long as the clock says."""
    elapsed_s = listener.elapsed_s()
    assert listener.end()[-1].end_sample / listener.capture.sample_rate == pytest.approx(elapsed_s, abs=0.7)


def test_what_is_played_is_what_is_heard_sample_by_sample(wall: SoundServer, tmp_path: Path) -> None:
    played = noise(tmp_path / "noise.wav")
    with listening(opening([MICROPHONE]), RATE) as listener:
        hears(listener)
        assert wall.play(tmp_path / "noise.wav").wait(20) == 0
        assert listener.gaps() == {Cause.DEVICE}, "the moment until the card is open, and nothing else"
        accounted_for(listener)
    heard = listener.samples()
    begins = np.flatnonzero((heard[:-1] == played[0]) & (heard[1:] == played[1]))
    assert len(begins) == 1
    np.testing.assert_array_equal(heard[begins[0] : begins[0] + len(played)], played)


@pytest.mark.usefixtures("impatient")
def test_a_card_that_is_unplugged_frozen_or_killed_with_its_server_is_heard_again_and_all_is_accounted_for(
    wall: SoundServer,
) -> None:
    with listening(opening([MICROPHONE]), RATE) as listener:
        for lose, bring_back in ((wall.unplug, wall.plug), (wall.freeze, wall.thaw), (wall.stop, wall.start)):
            hears(listener)
            lose()
            until(lambda: listener.capture.trouble is not None, "the loss is noticed", 10)
            bring_back()
            hears(listener)
            assert listener.capture.trouble is None
        assert listener.gaps() == {Cause.DEVICE}
        accounted_for(listener)
    assert holders() == []


def test_a_source_that_is_moved_loses_samples_that_nobody_tells_of_and_they_are_a_gap(wall: SoundServer) -> None:
    with listening(opening([MICROPHONE]), RATE) as listener:
        hears(listener)
        wall.control("load-module", "module-null-sink", "sink_name=other", "format=s16le", f"rate={RATE}", "channels=1")
        outputs = wall.control("list", "source-outputs").split("Source Output #")
        number = next(text.split("\n")[0] for text in outputs if "ALSA plug-in" in text)
        wall.control("move-source-output", number, "other.monitor")
        until(lambda: Cause.OVERRUN in listener.gaps(), "the hole is noticed", 15)
        (hole,) = [p for p in listener.pieces if isinstance(p, Gap) and p.cause == Cause.OVERRUN]
        assert 0.5 < (hole.end_sample - hole.start_sample) / RATE < 4
        hears(listener)
        assert listener.capture.outages == 0
        accounted_for(listener)


def test_a_process_that_is_held_up_for_a_moment_loses_nothing_and_one_that_hangs_is_replaced(
    wall: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del wall
    monkeypatch.setattr("monitor.sources.liveness.DEAD_S", 2.5)
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.5)
    with listening(opening([MICROPHONE]), RATE) as listener:
        hears(listener)
        (first,) = holders()
        first.suspend()
        time.sleep(1)
        first.resume()
        hears(listener)
        assert listener.gaps() == {Cause.DEVICE}
        assert listener.capture.outages == 0
        first.suspend()
        until(lambda: listener.capture.trouble is not None, "it is noticed", 10)
        hears(listener)
        (second,) = holders()
        assert second.pid != first.pid
        assert not first.is_running()
        accounted_for(listener)


@pytest.mark.usefixtures("wall")
def test_thirty_deaths_leave_no_file_no_thread_and_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.continuity.PROBATION_S", 0.05)
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.05)
    process = psutil.Process()
    with listening(opening([MICROPHONE]), RATE) as listener:
        hears(listener)
        before = process.num_fds(), threading.active_count(), len(process.children())
        for _ in range(30):
            (holder,) = holders()
            holder.send_signal(signal.SIGKILL)
            until(lambda: listener.capture.trouble is not None, "the death is noticed", 10)
            hears(listener)
        assert (process.num_fds(), threading.active_count(), len(process.children())) == before
        assert listener.capture.outages == 30
        accounted_for(listener)


@pytest.fixture
def nobody(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without a sound server, whose .asoundrc a test may write."""
    del sound_server  # only to know that PortAudio is there
    with short_folder() as folder:
        for name, value in {"HOME": folder, "XDG_RUNTIME_DIR": folder, "PULSE_SERVER": f"unix:{folder}/nobody"}.items():
            monkeypatch.setenv(name, str(value))
        yield folder / ".asoundrc"


@pytest.mark.usefixtures("impatient")
def test_a_device_that_is_faster_than_sound_is_never_heard(nobody: Path) -> None:
    nobody.write_text("pcm.mic { type null hint { show on description nothing } }", encoding="utf-8")
    with listening(opening([MICROPHONE]), RATE) as listener:
        until(lambda: "faster than sound does: this is no microphone" in str(listener.capture.trouble), "noticed", 10)
        assert listener.seconds() == 0
        accounted_for(listener)


@pytest.mark.usefixtures("impatient")
def test_a_stream_begins_without_a_microphone_and_has_its_samples_at_the_wished_rate_when_one_comes(
    wall: SoundServer, tmp_path: Path
) -> None:
    """The microphone that comes has 48 kHz; the stream promised 32 kHz, and so it stays."""
    del tmp_path
    wall.stop()
    with listening(opening([MicrophoneSource(device="mic")]), 32_000) as listener:
        assert re.match("microphone 'mic': no input fits", str(listener.capture.trouble))
        wall.start()
        hears(listener)
        assert listener.capture.sample_rate == 32_000
        accounted_for(listener)


@pytest.mark.usefixtures("wall")
def test_a_channel_that_a_card_does_not_have_is_named() -> None:
    group = [MicrophoneSource(device="mic", channel=1000)]
    with listening(opening(group)) as listener:
        assert re.fullmatch(
            r"microphone 'mic' has \d+ channels: there is no channel 1000", str(listener.capture.trouble)
        )


def test_two_channels_of_one_card_are_two_streams_of_a_device_that_is_opened_once(wall: SoundServer) -> None:
    wall.control("load-module", "module-null-sink", "sink_name=stereo", "format=s16le", f"rate={RATE}", "channels=2")
    asoundrc = 'pcm.pair { type pulse device "stereo.monitor" hint { show on description "test pair" } }\n'
    (wall.folder / "home" / ".asoundrc").write_text(asoundrc, encoding="utf-8")
    group = [MicrophoneSource(device="pair", name=name, channel=n) for n, name in ((1, "canopy"), (2, "ground"))]
    stop = threading.Event()
    streams = open_streams(group, stop, lambda _error: None)
    try:
        assert [stream.name for stream in streams] == ["canopy", "ground"]
        assert len(holders()) == 1
        for stream in streams:
            assert any(not isinstance(piece, Gap) for _, piece in zip(range(30), stream.blocks, strict=False))
    finally:
        stop.set()
        for stream in streams:
            list(stream.blocks)
    assert holders() == []


LISTEN = """
import threading, time
from monitor.config.source import MicrophoneSource
from monitor.sources.live import open_streams
(stream,) = open_streams([MicrophoneSource(device="mic")], threading.Event(), print)
next(piece for piece in stream.blocks if hasattr(piece, "samples"))
print("hears", flush=True)
time.sleep(60)
"""


@pytest.mark.usefixtures("wall")
def test_the_process_that_holds_the_card_ends_with_the_daemon_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "hears\n"
            (holder,) = psutil.Process(parent.pid).children()
        finally:
            parent.kill()
    assert psutil.wait_procs([holder], timeout=10)[0] == [holder]

"""Audio on a pipe and on a network: real pipes, real programs."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rigs import COMMAND, RATE, Broker, configure, free_port, kept, recordings, required, song, until

from monitor.config.source import NetworkSource
from monitor.errors import MicrophoneError
from monitor.records import Cause, Gap, Samples
from monitor.sources.capture import Capture, Opening
from monitor.sources.feed import Frames, Piece
from monitor.sources.live import opening
from monitor.sources.network import without_password
from monitor.sources.pcm import Encoding, Form
from monitor.sources.pipe import Pipe

S16 = Form(RATE, Encoding.S16LE, 1)


class Listener:
    """Takes all that a capture gives, until it ends or is stopped."""

    def __init__(self, opens: Opening, sample_rate: int | None = None) -> None:
        self.stop = threading.Event()
        self.capture = Capture(opens, self.stop, sample_rate=sample_rate)
        (self._ring,) = self.capture.start()
        self.pieces: list[Piece] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        self.pieces.extend(self._ring.pieces(threading.Event()))

    def samples(self) -> Samples:
        """All audio so far, shape (n,)."""
        heard = [piece.samples[:, 0] for piece in self.pieces.copy() if isinstance(piece, Frames)]
        return np.concatenate([np.zeros(0, np.float32), *heard])

    def seconds(self) -> float:
        """How much audio has come."""
        return len(self.samples()) / self.capture.sample_rate

    def gaps(self) -> set[Cause]:
        """Why audio is missing."""
        return {piece.cause for piece in self.pieces.copy() if isinstance(piece, Gap)}

    def end(self) -> list[Piece]:
        """Stop, and return all: each piece begins where the last ended, and all together last as long as it took."""
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.capture.join()
        assert self.pieces[0].start_sample == 0
        assert all(before.end_sample == after.start_sample for before, after in pairwise(self.pieces))
        return self.pieces

    def elapsed_s(self) -> float:
        """How long it has been listening."""
        return time.monotonic() - self.capture.began


@contextmanager
def listening(opens: Opening, sample_rate: int | None = None) -> Iterator[Listener]:
    """A listener at work."""
    listener = Listener(opens, sample_rate)
    try:
        yield listener
    finally:
        listener.end()


def ramp(seconds: float) -> Samples:
    """Samples of 16 bits that all differ from the one before, shape (n,)."""
    return (np.arange(round(seconds * RATE)) % 30_011 / 32_768).astype(np.float32)


def as_s16(samples: Samples) -> bytes:
    """As arecord writes them."""
    return (samples * 32_768).astype("<i2").tobytes()


def write(descriptor: int, samples: Samples) -> None:
    """Write all of it at once, and close the pipe."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(as_s16(samples))


def test_a_recording_in_a_pipe_is_heard_as_slowly_as_it_lasts_sample_by_sample_and_ends_with_it() -> None:
    reading, writing = os.pipe()
    samples = ramp(2.5)
    writer = threading.Thread(target=write, args=(writing, samples))
    writer.start()
    with listening(Pipe(S16, reading).open) as listener:
        listener._thread.join(20)
        took_s, heard = listener.elapsed_s(), listener.samples()
    writer.join()
    os.close(reading)
    assert len(heard) > 0.98 * len(samples), "what lay in the pipe before we listened was not heard now"
    np.testing.assert_array_equal(heard, samples[len(samples) - len(heard) :])
    assert took_s > 0.95 * len(samples) / RATE, "not faster than a microphone"


def test_a_pipe_that_says_nothing_for_a_while_is_a_gap_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.liveness.DEAD_S", 1.0)
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.1)
    reading, writing = os.pipe()
    samples = ramp(3.0)

    def speak() -> None:
        for part in np.split(samples, 2):
            begin = time.monotonic()  # as a sound card does: what comes later and later is missing something
            for index, tenth in enumerate(np.split(part, 15)):
                time.sleep(max(0.0, begin + 0.1 * index - time.monotonic()))
                os.write(writing, as_s16(tenth))
            time.sleep(1.5)
        os.close(writing)

    speaker = threading.Thread(target=speak)
    speaker.start()
    with listening(Pipe(S16, reading).open) as listener:
        listener._thread.join(20)
        pauses = [piece for piece in listener.pieces if isinstance(piece, Gap) and piece.cause == Cause.DEVICE]
        stretches = [piece.samples[:, 0] for piece in listener.pieces if isinstance(piece, Frames)]
        # On a busy machine a block may come too late and be a gap of its own, but what is heard is what was said.
        assert all(np.isin(np.round(np.diff(one) * 32_768), (1, -30_010)).all() for one in stretches)
        assert listener.seconds() > 2.0
        assert sum(gap.end_sample - gap.start_sample for gap in pauses) > 0.9 * RATE
        assert listener.pieces[-1].end_sample / RATE == pytest.approx(listener.elapsed_s(), abs=2.0)
    speaker.join()
    os.close(reading)


def test_a_pipe_that_says_the_same_over_and_over_is_stuck_until_it_says_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.sources.capture.STUCK_S", 0.5)
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.1)
    reading, writing = os.pipe()
    stuck = np.full(4 * RATE, 0.25, np.float32)
    writer = threading.Thread(target=write, args=(writing, np.concatenate([ramp(1.5), stuck, ramp(1.5)])))
    writer.start()
    with listening(Pipe(S16, reading).open) as listener:
        until(lambda: "the same samples over and over" in str(listener.capture.trouble), "it is noticed", 10)
        until(lambda: listener.capture.trouble is None, "audio again", 10)
        listener._thread.join(20)
        heard, gaps = listener.samples(), listener.gaps()
        last = [piece.samples[:, 0] for piece in listener.pieces if isinstance(piece, Frames)][-1]
    writer.join()
    os.close(reading)
    assert Cause.DEVICE in gaps
    assert gaps <= {Cause.DEVICE, Cause.OVERRUN}  # a busy machine loses audio of its own
    assert np.count_nonzero(heard == 0.25) < 3 * RATE, "what came while it was known to be stuck was not heard"
    assert np.isin(np.round(np.diff(last) * 32_768), (1, -30_010)).all(), "then what is said is heard again"


def test_the_daemon_hears_two_channels_of_a_wav_on_its_standard_input_apart_and_ends_with_it(
    broker: Broker, tmp_path: Path
) -> None:
    """Great tit on the right only; 32 kHz and 24 bits, as the WAV says itself."""
    song(tmp_path / "song.wav", 4, 9)
    wav = tmp_path / "stereo.wav"
    samples, _ = soundfile.read(tmp_path / "song.wav", dtype="float32")
    left = 0.01 * np.random.default_rng(3).standard_normal(len(samples)).astype(np.float32)
    soundfile.write(tmp_path / "both.wav", np.stack([left, samples], axis=1), RATE, subtype="PCM_24")
    convert = [required("ffmpeg"), "-v", "error", "-i", str(tmp_path / "both.wav"), "-ar", "32000", "-c:a", "pcm_s24le"]
    subprocess.run([*convert, str(wav)], check=True)
    pair = [{"kind": "pipe", "name": name, "channel": n} for n, name in ((1, "canopy"), (2, "ground"))]
    config = configure(tmp_path, {"kind": "microphone"}, broker.port, sources=pair)
    with wav.open("rb") as file:
        command = [str(COMMAND), "run", "--config", str(config)]
        ended = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False, timeout=45)
    assert ended.returncode == 0, ended.stderr
    tables = kept(tmp_path / "store")
    assert [(row["common_name"], row["recording"]) for row in tables["detections"]] == [("Great Tit", "ground")]
    heard_s = {row["recording"]: row["heard_s"] for row in tables["effort"]}
    assert heard_s == {"canopy": pytest.approx(5, abs=0.2), "ground": pytest.approx(5, abs=0.2)}


def test_the_command_listens_to_raw_samples_on_its_standard_input(broker: Broker, tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(), broker.port)
    command = [str(COMMAND), "run", "--config", str(config), "--source", "-", "--rate", "16000", "--channels", "2"]
    raw = as_s16(np.repeat(ramp(1.0)[:24_000], 2))
    ended = subprocess.run(command, input=raw, capture_output=True, check=False, timeout=45)
    assert ended.returncode == 0, ended.stderr
    (account,) = kept(tmp_path / "store")["effort"]
    assert account["recording"] == "pipe"
    assert account["heard_s"] == pytest.approx(1.5, abs=0.1)


def test_a_channel_that_a_pipe_does_not_have_is_named_and_nothing_is_heard() -> None:
    reading, writing = os.pipe()
    os.write(writing, as_s16(ramp(0.1)))
    with listening(Pipe(S16, reading, needed=2).open) as listener:
        assert str(listener.capture.trouble) == "standard input has 1 channels: there is no channel 2"
    for end in (reading, writing):
        os.close(end)
    assert listener.samples().size == 0


def test_a_source_that_is_not_possible_is_refused_in_one_sentence(tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(), free_port())
    command = [str(COMMAND), "run", "--config", str(config), "--source", "-", "--encoding", "mp3"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=45)
    assert ended.returncode == 2
    assert "mp3" in ended.stderr


class Server:
    """ffmpeg as a server that plays a recording in real time to the first who connects."""

    def __init__(self, path: Path, port: int) -> None:
        source = ["-v", "error", "-re", "-i", str(path), "-c:a", "pcm_s16le", "-f", "wav"]
        self._process = subprocess.Popen([required("ffmpeg"), *source, f"tcp://127.0.0.1:{port}?listen=1"])

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def test_a_network_stream_is_heard_sample_by_sample_and_again_when_its_server_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources.capture.LONGEST_RETRY_S", 0.1)
    port, path = free_port(), tmp_path / "ramp.wav"
    samples = ramp(3.5)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    source = NetworkSource(url=f"tcp://127.0.0.1:{port}")
    with listening(opening([source])) as listener:
        assert isinstance(listener.capture.trouble, MicrophoneError)
        assert "Connection refused" in str(listener.capture.trouble)
        for times in (1, 2):
            server = Server(path, port)
            until(lambda times=times: listener.seconds() >= times * 3.5, "all of the recording", 20)
            server.end()
            until(lambda: listener.capture.trouble is not None, "the end is noticed", 20)
        elapsed_s = listener.elapsed_s()
    heard = listener.samples()
    np.testing.assert_array_equal(heard[: len(samples)], samples)
    np.testing.assert_array_equal(heard[len(samples) :], samples)
    assert listener.gaps() == {Cause.DEVICE}
    assert listener.pieces[-1].end_sample / RATE == pytest.approx(elapsed_s, abs=0.5)


def test_no_message_shows_the_password_of_an_address() -> None:
    port = free_port()
    with listening(opening([NetworkSource(url=f"rtsp://warden:s3cret@127.0.0.1:{port}/nest")])) as listener:
        assert f"rtsp://warden:***@127.0.0.1:{port}/nest" in str(listener.capture.trouble)
        assert "s3cret" not in str(listener.capture.trouble)
    assert without_password("rtsp://camera/nest") == "rtsp://camera/nest"

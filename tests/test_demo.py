"""The demonstration, with each of its brokers: what it plays is recognised, published and shown."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import soundfile
from command import dawnchorus, sentence
from rigs import program
from synthetic import RATE, SONG_S, great_tit

from monitor.demo import Stage, demonstrate
from monitor.messages import DetectionMessage, EffortMessage, StatusMessage

BEGIN_S, LENGTH_S = 1.0, 5.5


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A few seconds of a singing great tit: the demonstration plays them as long as they are."""
    path = tmp_path / "garden [1].wav"
    soundfile.write(path, great_tit()[round(BEGIN_S * RATE) : round((BEGIN_S + LENGTH_S) * RATE)], RATE)
    return path


def test_the_demo_shows_the_species_and_the_effort_with_mosquitto(wav: Path) -> None:
    if program("mosquitto") is None:
        pytest.skip("not on this system: mosquitto")
    result = dawnchorus("demo", "--audio", wav)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^broker +mosquitto on 127\.0\.0\.1:\d+$", result.stdout, re.MULTILINE)
    assert f"listening to {wav}" in result.stdout
    assert re.search(
        r"^ .*Great Tit \(Parus major\) +confidence [01]\.\d\d +\d+\.\d to +\d+\.\d s$", result.stdout, re.MULTILINE
    )
    assert f"Effort: {LENGTH_S:.1f} s heard, 0.0 s lost" in result.stdout
    assert "Heard: Great Tit" in result.stdout


def test_without_mosquitto_an_embedded_broker_carries_the_same(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("amqtt") is None:
        pytest.skip("not installed: amqtt, of the extra `demo`")

    def nowhere(_program: str, path: str | None = None) -> None:
        del path

    monkeypatch.setattr(shutil, "which", nowhere)
    stage, *messages = demonstrate(wav, microphone=False, model=None)
    assert isinstance(stage, Stage)
    assert "amqtt" in stage.broker
    assert (stage.source, stage.speed) == (str(wav), 1.0)
    states = [message.state for message in messages if isinstance(message, StatusMessage)]
    assert (states[0], states[-1]) == ("online", "offline")
    songs = [m for m in messages if isinstance(m, DetectionMessage) and m.scientific_name == "Parus major"]
    assert songs
    assert all(song.offset_s > SONG_S[0] - BEGIN_S for song in songs)
    effort = [message for message in messages if isinstance(message, EffortMessage)]
    assert sum(message.heard_s + message.lost_s for message in effort) == pytest.approx(LENGTH_S, abs=0.01)
    sequence = sorted(m.sequence for m in messages if not isinstance(m, Stage | StatusMessage))
    assert sequence == list(range(1, len(sequence) + 1))


def test_audio_that_cannot_be_played_is_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio\n", encoding="utf-8")
    assert str(text) in sentence(dawnchorus("demo", "--audio", text), 1)
    assert "nowhere.wav" in sentence(dawnchorus("demo", "--audio", tmp_path / "nowhere.wav"), 1)


def test_a_daemon_that_cannot_start_says_why_and_ends_the_demo(wav: Path, tmp_path: Path) -> None:
    if program("mosquitto") is None:
        pytest.skip("not on this system: mosquitto")
    result = dawnchorus("demo", "--audio", wav, "--model", tmp_path / "nowhere.onnx")
    assert result.returncode == 1
    assert "nowhere.onnx: no such file" in result.stderr
    assert "the daemon ended with exit code 1" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Heard" not in result.stdout

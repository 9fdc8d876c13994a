"""What onlookers are shown while it happens: by whom it is computed, whom it never shows, and who is not waited for."""

import base64
import csv
import json
import socket
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rigs import Daemon, configure, free_port, short_folder, until
from voice import voice

from monitor.clock import SampleClock
from monitor.clock.times import Quality
from monitor.config.privacy import Privacy
from monitor.config.web import Web
from monitor.contract import Label
from monitor.contract.terms import Calibration
from monitor.features import mel_power
from monitor.messages import HealthMessage
from monitor.records import Detection, Samples, Taxon, Window
from monitor.resample import resample
from monitor.service.broadcast import BUFFER_BYTES, MOST_LISTENERS, Broadcast
from monitor.service.onlookers import LiveSound, Onlookers
from monitor.service.picture import BANDS, FLOOR_DB, STEP_DB, Canvas, quantised, spec_for
from monitor.sinks.origin import Origin
from monitor.soundscape import soundscape

RATE = 32_000
LABELS = [Label("parus_major", "Parus major", "Great Tit", "species", 0.5, Calibration())]


class Listener:
    """Somebody who looks, line by line."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def next(self, *kinds: str) -> dict[str, Any]:
        """The next line of one of the kinds."""
        while line := self._lines.readline():
            said = json.loads(line)
            if said["kind"] in kinds:
                return dict(said)
        raise AssertionError(kinds)

    def close(self) -> None:
        """Look no more."""
        self._lines.close()
        self._socket.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path fits into the address of a socket."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def onlookers(folder: Path) -> Iterator[Onlookers]:
    """Whom a daemon tells."""
    told = Onlookers(Web(), Privacy(), folder, "valley")
    yield told
    told.close()


def sound_of(onlookers: Onlookers, *, drawn: bool = True) -> LiveSound:
    """The view of one stream."""
    origin = Origin("valley", "mic", SampleClock(RATE, None, Quality.UNKNOWN), "test")
    return LiveSound(onlookers, origin, LABELS, drawn=drawn)


def play(sound: LiveSound, samples: Samples, score: float = 0.5) -> None:
    """Show all windows of a stream, two seconds long, one a second; as fast as it is drawn."""
    for start in range(0, len(samples) - 2 * RATE + 1, RATE):
        sound.heard(Window(start, start + 2 * RATE, samples[start : start + 2 * RATE]), np.array([score], np.float32))
        time.sleep(0.12)  # the queue is short on purpose


def pictures(listener: Listener, until_s: float) -> tuple[Any, Any]:
    """Levels (n, BANDS) and which columns are withheld (n,), of a stream from its start; what is lacking is 0."""
    levels = np.zeros((round(until_s * 40), BANDS), np.uint8)
    withheld = np.zeros(len(levels), bool)
    while True:
        said = listener.next("picture")
        first = round(said["start_s"] * 40)
        part = np.frombuffer(base64.b64decode(said["levels"]), np.uint8).reshape(-1, BANDS)
        end = min(first + len(part), len(levels))
        levels[first:end] = part[: end - first]
        if said["withheld"]:
            withheld[first:end] = np.array(said["withheld"], bool)[: end - first]
        if end == len(levels):
            return levels, withheld


@pytest.mark.parametrize("rate", [8_000, 32_000, 48_000])
@pytest.mark.parametrize("cut", [1, 997, 16_000])
def test_a_picture_is_the_same_however_the_sound_is_cut(rate: int, cut: int) -> None:
    samples = np.random.default_rng(3).normal(0, 0.1, min(cut * 600, rate)).astype(np.float32)
    whole = Canvas(rate).add(0, samples)
    canvas = Canvas(rate)
    parts = [canvas.add(start, samples[start : start + cut]) for start in range(0, len(samples), cut)]
    assert np.array_equal(np.concatenate([part.levels for part in parts]), whole.levels)
    assert [part.first for part in parts if len(part.levels)][:1] == [0][: len(whole.levels)]


def test_a_sine_at_full_scale_is_at_0_db_and_in_its_band_and_silence_is_at_the_floor() -> None:
    spec = spec_for(RATE)
    sine = np.sin(2 * np.pi * 4000 * np.arange(RATE) / RATE).astype(np.float32)
    level = quantised(mel_power(sine, spec), spec).max() * STEP_DB + FLOOR_DB
    assert level == pytest.approx(min(0.0, 255 * STEP_DB + FLOOR_DB), abs=3)
    assert quantised(mel_power(np.zeros(RATE, np.float32), spec), spec).max() == 0


def test_after_a_gap_the_picture_goes_on_at_its_place() -> None:
    canvas = Canvas(RATE)
    canvas.add(0, np.zeros(RATE, np.float32))
    assert canvas.add(5 * RATE + 3, np.zeros(RATE, np.float32)).first == 5 * 40 + 1


def test_while_nobody_looks_nothing_is_drawn_and_no_thread_runs(onlookers: Onlookers) -> None:
    sound = sound_of(onlookers)
    play(sound, np.zeros(4 * RATE, np.float32))
    assert sound._painter is None


def test_who_looks_sees_what_is_heard_with_its_scores_and_when_he_goes_it_ends(
    onlookers: Onlookers, folder: Path
) -> None:
    sound = sound_of(onlookers)
    listener = Listener(folder / "live.sock")
    assert listener.next("hello")["station"] == "valley"
    until(lambda: onlookers.there, "somebody who looks")
    song = soundscape(RATE)[4 * RATE : 12 * RATE]
    play(sound, song, 0.7)
    assert listener.next("scores")["scores"] == [["parus_major", "Great Tit", 0.7]]
    levels, withheld = pictures(listener, 5.0)
    assert not withheld.any()
    assert np.array_equal(levels, Canvas(RATE).add(0, song).levels[:200])
    listener.close()
    until(lambda: not onlookers.there, "that he went")
    play(sound, song[: 3 * RATE])
    assert sound._painter is None


def test_of_two_models_one_draws(onlookers: Onlookers, folder: Path) -> None:
    with closing(Listener(folder / "live.sock")) as listener:
        until(lambda: onlookers.there, "somebody who looks")
        play(sound_of(onlookers, drawn=False), np.zeros(6 * RATE, np.float32))
        onlookers.tell({"kind": "end"})
        assert listener.next("picture", "end")["kind"] == "end"


def test_what_is_not_complete_is_shown_until_it_is(onlookers: Onlookers, folder: Path) -> None:
    sound = sound_of(onlookers)
    heard = Detection(str(uuid.uuid4()), "parus_major", Taxon("Parus major", "Great Tit"), 0, RATE, 0.9)
    with closing(Listener(folder / "live.sock")) as listener:
        until(lambda: onlookers.there, "somebody who looks")
        for detections in ([], [heard], [], []):
            sound.lasting(detections)
        onlookers.tell({"kind": "end"})
        kinds = [listener.next("lasting", "end") for _ in range(3)]
    assert [[one["id"] for one in said.get("detections", [])] for said in kinds] == [[heard.id], [], []]
    assert kinds[-1]["kind"] == "end"


def test_scores_that_are_no_numbers_are_left_out(onlookers: Onlookers, folder: Path) -> None:
    with closing(Listener(folder / "live.sock")) as listener:
        until(lambda: onlookers.there, "somebody who looks")
        play(sound_of(onlookers, drawn=False), np.zeros(2 * RATE, np.float32), float("nan"))
        assert listener.next("scores")["scores"] == []


def test_who_comes_is_told_how_the_station_fares(onlookers: Onlookers, folder: Path) -> None:
    onlookers.health(health(uptime_s=7.0))
    with closing(Listener(folder / "live.sock")) as listener:
        assert listener.next("health")["health"]["uptime_s"] == 7.0


def test_speech_is_not_in_the_picture_nor_what_lies_beside_it(onlookers: Onlookers, folder: Path) -> None:
    quiet = np.random.default_rng(1).normal(0, 0.002, 8 * RATE).astype(np.float32)
    spoken = voice(RATE, 4.0).astype(np.float32)
    levels, withheld = seen(onlookers, folder, np.concatenate([quiet, spoken, quiet]))
    assert not levels[withheld].any(), "a withheld column is empty"
    begin, end = 8 * 40, 12 * 40
    assert withheld[begin - 20 : end].all(), "what comes before is held back until it is known what follows"
    assert not withheld[: begin - 120].any()
    assert levels[: begin - 120].any()


def test_of_read_texts_nothing_but_a_syllable_is_in_the_picture(
    onlookers: Onlookers, folder: Path, real_recordings: Path
) -> None:
    """The same gate as of clips: what it finds of a recording, and a second around it, is not drawn."""
    with (real_recordings / "negatives" / "recordings.csv").open(encoding="utf-8") as table:
        name = next(row["file"] for row in csv.DictReader(table) if row["class"] == "speech")
    samples, rate = soundfile.read(real_recordings / "negatives" / name, dtype="float32", always_2d=True)
    spoken = resample(samples.mean(axis=1), rate, RATE)[: 12 * RATE]
    levels, withheld = seen(onlookers, folder, np.concatenate([spoken, np.zeros(6 * RATE, np.float32)]))
    assert not levels[withheld].any()
    assert withheld[: len(spoken) * 40 // RATE].mean() > 0.9


def seen(onlookers: Onlookers, folder: Path, samples: Samples) -> tuple[Any, Any]:
    """What a listener is shown of a stream, but for its last seconds."""
    with closing(Listener(folder / "live.sock")) as listener:
        until(lambda: onlookers.there, "somebody who looks")
        play(sound_of(onlookers), samples)
        return pictures(listener, len(samples) / RATE - 4)


def test_who_reads_too_slowly_is_dropped_and_nobody_waits(folder: Path) -> None:
    broadcast = Broadcast(folder / "b.sock")
    with closing(Listener(folder / "b.sock")), closing(Listener(folder / "b.sock")) as awake:
        until(lambda: len(broadcast._listeners) == 2, "both")
        line = {"kind": "noise", "text": "x" * 10_000}
        for _ in range(4 * BUFFER_BYTES // 10_000):
            broadcast.tell(line)
            assert awake.next("noise") == line
        until(lambda: len(broadcast._listeners) == 1, "the end of who sleeps")
    until(lambda: not broadcast.heard, "that all went")
    broadcast.close()
    assert not (folder / "b.sock").exists()


def test_only_so_many_are_let_in(folder: Path) -> None:
    broadcast = Broadcast(folder / "b.sock")
    listeners = [Listener(folder / "b.sock") for _ in range(MOST_LISTENERS + 3)]
    until(lambda: len(broadcast._listeners) == MOST_LISTENERS, "those who found room")
    with pytest.raises((AssertionError, ConnectionError)):
        listeners[-1].next("anything")
    broadcast.close()
    for listener in listeners:
        listener.close()


def test_the_socket_is_for_the_user_and_the_group(folder: Path) -> None:
    broadcast = Broadcast(folder / "b.sock")
    assert stat.S_IMODE((folder / "b.sock").stat().st_mode) == 0o660
    broadcast.close()


def leave_socket(path: Path) -> None:
    """As a run that was killed does."""
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))


def test_a_socket_that_an_earlier_run_left_is_taken_over(folder: Path) -> None:
    leave_socket(folder / "live.sock")
    told = Onlookers(Web(), Privacy(), folder, "valley")
    with closing(Listener(folder / "live.sock")) as listener:
        assert listener.next("hello")["station"] == "valley"
    told.close()


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("mine"), lambda path: path.mkdir()])
def test_what_is_no_socket_stays_and_the_daemon_goes_on_without_one(
    folder: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
) -> None:
    spoil(folder / "live.sock")
    told = Onlookers(Web(), Privacy(), folder, "valley")
    assert "no live picture for `dawnchorus web`" in caplog.text
    assert (folder / "live.sock").exists()
    play(sound_of(told), np.zeros(2 * RATE, np.float32))
    told.close()


def test_a_path_that_is_too_long_for_a_socket_is_told_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    Onlookers(Web(), Privacy(), deep, "valley").close()
    assert "AF_UNIX path too long" in caplog.text


def test_with_live_off_there_is_no_socket(folder: Path) -> None:
    Onlookers(Web(live=False), Privacy(), folder, "valley").close()
    assert list(folder.iterdir()) == []


def test_the_daemon_tells_what_it_hears_and_ends_although_somebody_looks(folder: Path) -> None:
    """Real time, a recording in the microphone's place."""
    samples = np.concatenate([soundscape(48_000)] * 4)
    soundfile.write(folder / "long.wav", samples, 48_000, subtype="PCM_16")
    source = {"kind": "recordings", "paths": [str(folder / "long.wav")], "speed": 1.0}
    config = configure(folder, source, free_port())
    with Daemon(config) as daemon:
        until((folder / "store" / "live.sock").exists, "the socket")
        with closing(Listener(folder / "store" / "live.sock")) as listener:
            first, second = listener.next("picture"), listener.next("picture")
            assert second["start_s"] > first["start_s"]
            assert listener.next("scores")["model"].startswith("dawnchorus")
            assert daemon.stop(20) == 0
    assert not (folder / "store" / "live.sock").exists()


def health(**fields: Any) -> HealthMessage:  # noqa: ANN401
    """How a station fares that knows nothing."""
    unknown = dict.fromkeys(HealthMessage.__struct_fields__)
    return HealthMessage(**(unknown | {"station": "valley", "sources": [], "models": []} | fields))  # type: ignore[arg-type]

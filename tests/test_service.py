"""The daemon's life: what it tells systemd, how it refuses to start, how it ends."""

import configparser
import json
import os
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
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
from test_pipeline import CONTRACT, MODEL_RATE, WINDOW

from monitor import pipeline
from monitor.cli.options import EX_CONFIG, FAILED
from monitor.clock import Quality, SampleClock
from monitor.effort import Minutes
from monitor.features import Floats
from monitor.records import Block, Cause, Gap, Window
from monitor.service.heartbeat import Heartbeat
from monitor.service.progress import Listening, Progress, State
from monitor.service.today import Today
from monitor.service.watchdog import SURE_S, Watchdog
from monitor.soundscape import soundscape
from monitor.sources import Stream
from monitor.tracker import Rules, Tracker

if TYPE_CHECKING:
    from monitor.classifier import Classifier


def test_systemd_is_told_of_readiness_with_the_first_window_and_how_it_goes_on(
    broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav", 0, 12), speed=4.0), broker.port)
    with Daemon(config, supervisor.environment) as daemon:
        assert daemon.ended() == 0, daemon.said()
    until(lambda: supervisor.heard("STOPPING=1"), "the last word")
    told = supervisor.told()
    name, found = tmp_path / "song.wav", "detections, last: Great Tit at 4 s"
    (ready,) = [index for index, one in enumerate(told) if "READY=1" in one]
    assert told[ready] == f"READY=1\nWATCHDOG=1\nSTATUS=listening to {name}; 0 detections, last: nothing yet"
    assert set(told[:ready]) <= {
        "WATCHDOG=1\nSTATUS=waiting for audio",
        f"WATCHDOG=1\nSTATUS=listening to {name}; 0 detections, last: nothing yet",
    }
    assert told[-2:] == [f"WATCHDOG=1\nSTATUS={name} has ended; 1 {found}", "STOPPING=1"]


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
    assert supervisor.heard("READY=1\n") == 1
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
    assert supervisor.heard(f"{folder}/caf\ufffd.wav") > 0


class Row:
    """A row that analyses audio at 50 x, with the real stages in a thread of its own, and can be made to hang."""

    def __init__(self, stirred: threading.Event, name: str) -> None:
        self.progress = Progress(stirred.set)
        self.go, self.stop = threading.Event(), threading.Event()
        self.go.set()
        minutes = Minutes(MODEL_RATE, lambda sample: sample + 60 * MODEL_RATE)
        tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=WINDOW), uuid.UUID(int=7))
        heartbeat = Heartbeat(self.progress, TODAY, SampleClock(MODEL_RATE, None, Quality.UNKNOWN))
        chain = pipeline.Chain(cast("Classifier", self), tracker, WINDOW, [heartbeat])
        stream = Stream(uuid.UUID(int=7), name, MODEL_RATE, None, Quality.UNKNOWN, self._audio())
        self.progress.begin(name, Listening(stream, minutes, [chain]))
        self.thread = threading.Thread(target=pipeline.run, args=(stream.blocks, MODEL_RATE, [chain]))
        self.thread.start()

    contract = CONTRACT

    def score(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        """Find nothing; hang while told to."""
        for window in windows:
            self.go.wait()
            yield window, np.zeros(2, np.float32)

    def end(self) -> None:
        """End the thread."""
        self.stop.set()
        self.go.set()
        self.thread.join()

    def _audio(self) -> Iterator[Block | Gap]:
        position = 0
        while not self.stop.wait(0.002):
            yield self._piece(position)
            position += 80

    def _piece(self, position: int) -> Block | Gap:
        return Block(position, np.zeros(80, np.float32))


class LostRow(Row):
    """A row whose source is gone, and looked for."""

    cause = Cause.DEVICE

    def _piece(self, position: int) -> Gap:
        return Gap(position, position + 80, self.cause)


class PausedRow(LostRow):
    """A row that nobody wants to listen to now."""

    cause = Cause.SCHEDULE


TODAY = Today(UTC, lambda: None, lambda _since: 0)
PATIENCE_S = 0.4


@contextmanager
def watched(kinds: Sequence[type[Row]]) -> Iterator[list[Row]]:
    """Rows under a watchdog that has little patience and looks often."""
    stirred = threading.Event()
    rows = [kind(stirred, f"mic{number}") for number, kind in enumerate(kinds)]
    try:
        with Watchdog([row.progress for row in rows], stirred, PATIENCE_S):
            yield rows
    finally:
        for row in rows:
            row.end()


@pytest.fixture
def told(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """What systemd would listen with, as this process knows it."""
    monkeypatch.setenv("NOTIFY_SOCKET", supervisor.environment["NOTIFY_SOCKET"])
    monkeypatch.setenv("WATCHDOG_USEC", "150000")
    return supervisor


@pytest.mark.parametrize("beside", [Row, LostRow, PausedRow])
def test_one_source_that_hangs_starves_the_watchdog_whatever_the_other_does_and_is_named(
    beside: type[Row], told: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    with watched([Row, beside]) as (hanging, other):
        until(lambda: told.heard("WATCHDOG=1") > 3, "both advance")
        hanging.go.clear()
        until(lambda: "WATCHDOG=1" not in told.told()[-1], "it starves")
        fed = told.heard("WATCHDOG=1")
        before = other.progress.advanced_at
        until(lambda: len([one for one in told.told() if one.startswith("STATUS=")]) > 5, "it says how they fare")
        assert other.progress.advanced_at > before, "the other one goes on"
        assert told.heard("WATCHDOG=1") == fed
        hanging.go.set()
        until(lambda: told.heard("WATCHDOG=1") > fed, "it is fed again")
    assert [r.getMessage() for r in caplog.records if r.name == "monitor.service.watchdog"] == [
        "mic0: no audio was analysed for 0.4 s"
    ]


@pytest.mark.parametrize("kind", [LostRow, PausedRow])
def test_a_source_that_is_looked_for_or_paused_feeds_the_watchdog_until_that_hangs_too(
    kind: type[Row], told: Supervisor
) -> None:
    with watched([kind]) as (row,):
        time.sleep(2 * PATIENCE_S)
        assert not [one for one in told.told() if "WATCHDOG=1" not in one]
        row.stop.set()  # nothing says that the search goes on
        until(lambda: "WATCHDOG=1" not in told.told()[-1], "it starves")


def test_the_status_says_in_one_line_how_all_sources_fare(told: Supervisor) -> None:
    rows = [Progress(lambda: None) for _ in range(4)]
    for row, name, state in zip(rows, ("canopy", "ground", "nest", "pond"), list(State)[1:], strict=True):
        row.name, row.state = name, state
    Watchdog(rows, threading.Event()).look()
    until(told.told, "the status")
    assert told.told()[0].partition("STATUS=")[2] == (
        "listening to canopy; 0 detections, last: nothing yet | "
        "not listening to ground because of the schedule; 0 detections, last: nothing yet | "
        "no audio from nest: nothing but digital silence comes | "
        "pond has ended; 0 detections, last: nothing yet"
    )


@pytest.mark.parametrize(
    ("states", "seconds", "ready"),
    [
        ([State.LISTENING], 0, True),
        ([State.LISTENING, State.WAITING], 0, False),
        ([State.PAUSED, State.ENDED], 0, True),
        ([State.LOST], SURE_S - 1, False),
        ([State.LOST], SURE_S + 1, True),
        ([State.LOST, State.WAITING], SURE_S + 1, False),
        ([State.WAITING], 10 * SURE_S, False),
    ],
)
def test_it_is_ready_when_each_source_has_given_a_window_or_it_is_known_why_not(
    states: Sequence[State], seconds: float, *, ready: bool, told: Supervisor
) -> None:
    now = 1000.0
    rows = [Progress(lambda: None, lambda: now) for _ in states]
    for row, state in zip(rows, states, strict=True):
        row.state = state
    watchdog = Watchdog(rows, threading.Event(), monotonic=lambda: now)
    now += seconds
    watchdog.look()
    until(told.told, "a word")
    assert bool(told.heard("READY=1")) == ready
    for row in rows:
        row.heard()
    watchdog.look()
    watchdog.look()
    until(lambda: len(told.told()) == 3, "three words")
    assert told.heard("READY=1") == 1


def test_a_row_whose_audio_comes_in_pieces_too_short_to_analyse_is_late() -> None:
    now = 0.0
    row = Progress(lambda: None, lambda: now)
    for second in range(60):
        now = float(second)
        row.lost(Gap(1, 2, Cause.OVERRUN))
    assert row.late(30)
    for cause in (Cause.DEVICE, Cause.SCHEDULE, Cause.OVERLOAD):
        row.advanced_at = 0.0
        row.lost(Gap(1, 2, cause))
        assert not row.late(30)


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
    unit.read([UNIT, UNIT.with_name("station.conf")], encoding="utf-8")
    service = unit["Service"]
    assert "/dawnchorus run " in service["ExecStart"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == str(EX_CONFIG)
    assert int(service["TimeoutStopSec"]) > LONGEST_STOP_S

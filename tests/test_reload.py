"""SIGHUP: what changes at once, what waits for a restart, and what is refused while all goes on."""

import logging
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rigs import Broker, Daemon, Supervisor, configure, kept, recordings, song, until

from monitor.classifier import STARTER
from monitor.clock import Quality, SampleClock
from monitor.config.place import Place
from monitor.config.reading import load
from monitor.config.schedule import Scheduling
from monitor.recogniser import open_models, recognisers
from monitor.records import Block, Gap, Window
from monitor.schedule import Revisable, Schedule, scheduled
from monitor.service.reload import Reload
from monitor.service.session import Session
from monitor.tracker import Thresholds

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
RATE = 8000


class Station:
    """A daemon without its thread pool: a session, its configuration file, and the reload."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._path = configure(folder, {"kind": "pipe"}, 9, clock={"gpsd_host": None}, **settings)
        config = load(self._path)
        self.recogniser = recognisers(open_models(config.model), config.detection, config.species, config.place)[0]
        self.session = Session(config, [self.recogniser], threading.Event())
        self.session.publisher.start()
        self._reload = Reload(self.session, lambda: load(self._path), threading.Event(), lambda: False)

    def reload(self, **settings: Any) -> None:  # noqa: ANN401 - whatever YAML takes
        """With these settings changed in the file."""
        before = yaml.safe_load(self._path.read_text(encoding="utf-8"))
        self._path.write_text(yaml.safe_dump(before | settings), encoding="utf-8")
        self._reload.look()

    def threshold(self) -> float:
        """Of the first label."""
        return float(self.recogniser.thresholds.values[0])

    def reported(self) -> int:
        """How many labels a running chain may report."""
        contract = self.recogniser.classifier.contract
        window = Window(0, contract.window_samples, np.zeros(contract.window_samples, np.float32))
        chain = self.recogniser.chain(_ID, _clock(), [])
        scores = np.ones(len(contract.labels), np.float32)
        return int(np.isfinite(chain.narrowed(window, scores)).sum())


_ID = uuid.UUID(int=1)


def _clock() -> SampleClock:
    return SampleClock(RATE, NOON, Quality.NTP)


@pytest.fixture
def new_station(tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Make one, with some settings."""
    level, made = logging.getLogger().level, list[Station]()

    def make(**settings: Any) -> Station:  # noqa: ANN401
        made.append(Station(tmp_path, settings))
        return made[-1]

    yield make
    for station in made:
        station.session.stop.set()
        station.session.close()
    logging.getLogger().setLevel(level)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the reload logged."""
    return [record.getMessage() for record in caplog.records if record.name == "monitor.service.reload"]


def test_thresholds_species_schedule_clips_and_log_change_at_once(
    new_station: Callable[..., Station], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    station = new_station(clips={"directory": str(tmp_path / "clips")})
    assert (station.reported(), station.session.schedule.at(NOON).wanted) == (10, True)
    station.reload(
        detection={"threshold": 0.123},
        species={"include": ["Parus major"]},
        schedule={"windows": ["04:00-05:00"]},
        clips={"directory": str(tmp_path / "others"), "before_s": 1.0},
        log="debug",
    )
    assert (station.threshold(), station.reported(), station.session.schedule.at(NOON).wanted) == (0.123, 1, False)
    assert station.session.clips is not None
    assert station.session.clips.settings.before_s == 1.0
    assert logging.getLogger().level == logging.DEBUG
    (line,) = said(caplog)
    assert line.removeprefix("reloaded; from now on: ").split(", ") == [
        "species.include",
        "detection.threshold",
        "schedule.windows",
        "clips.directory",
        "clips.before_s",
        "log",
    ]


def test_what_needs_a_restart_is_named_each_time_and_all_else_is_done(
    new_station: Callable[..., Station], caplog: pytest.LogCaptureFixture
) -> None:
    station = new_station()
    for _ in range(2):
        station.reload(mqtt={"host": "broker.example"}, detection={"threshold": 0.2, "step_s": 0.5}, clips=None)
    assert station.threshold() == 0.2
    waiting = "these wait for a restart: detection.step_s, mqtt.host, mqtt.port"
    assert [line for line in said(caplog) if "restart" in line] == [waiting, waiting]
    assert said(caplog)[-1] == "reloaded; from now on: as before"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"log": "loud"}, "log: Invalid enum value"),
        ({"detection": {"threshold": 0.3, "thresholds": {"Parus mayor": 0.5}}}, "did you mean 'Parus major'"),
        ({"detection": {"threshold": 0.3}, "model": "/nowhere/model.onnx"}, "/nowhere/model.onnx"),
        ({"detection": {"threshold": 0.3}, "schedule": {"windows": ["sunrise to 09:00"]}}, "place.latitude"),
        ({"detection": {"threshold": 0.3}, "place": {"timezone": "Europe/Berlim"}}, "time zone 'Europe/Berlim'"),
        ({"detection": {"threshold": 0.3}, "clips": {"directory": "/proc/clips"}}, "clips in /proc/clips cannot be"),
        (
            {"detection": {"threshold": 0.3}, "source": {"kind": "recordings", "paths": ["/nowhere.wav"]}},
            "/nowhere.wav",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_in_a_sentence_and_nothing_of_it_is_done(
    wrong: dict[str, Any],
    sentence: str,
    new_station: Callable[..., Station],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    station = new_station(clips={"directory": str(tmp_path / "clips")})
    before = station.threshold()
    station.reload(**wrong)
    assert station.threshold() == before
    (line,) = said(caplog)
    assert line.startswith("not reloaded, all stays as it was: ")
    assert sentence in line


def test_a_model_file_that_changed_waits_for_a_restart_and_a_damaged_one_is_refused(
    new_station: Callable[..., Station], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(STARTER, model)
    station = new_station(model=str(model))
    before, content = station.threshold(), model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    station.reload(detection={"threshold": 0.2})
    assert "not reloaded" in said(caplog)[-1]
    model.write_bytes(content)
    station.reload(log="debug")
    assert said(caplog)[-2:] == [
        "these wait for a restart: detection.threshold, the file of a model",
        "reloaded; from now on: log",
    ]
    assert station.threshold() == before  # it was checked with the other model


def test_a_threshold_that_was_ordered_stays_until_the_order_is_taken_back(new_station: Callable[..., Station]) -> None:
    station = new_station()
    first = station.recogniser.classifier.contract.labels[0].label
    station.recogniser.set_threshold(first, 0.9)
    station.reload(detection={"threshold": 0.2})
    assert station.threshold() == 0.9
    station.recogniser.set_threshold(first, None)
    assert station.threshold() == 0.2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("change"), st.integers(0, 3), st.none() | st.floats(0, 1)),
            st.tuples(st.just("configure"), st.lists(st.floats(0, 1), min_size=4, max_size=4)),
        )
    )
)
def test_a_threshold_is_what_was_ordered_or_else_what_is_configured(steps: list[tuple[Any, ...]]) -> None:
    thresholds, configured, ordered = Thresholds([0.5] * 4), [0.5] * 4, dict[int, float]()
    held = thresholds.values
    for step in steps:
        if step[0] == "configure":
            configured = step[1]
            thresholds.configure(configured)
        else:
            ordered[step[1]] = step[2]
            thresholds.change([step[1]], step[2])
    assert held.tolist() == [configured[n] if ordered.get(n) is None else ordered[n] for n in range(4)]


def test_another_schedule_holds_within_a_minute_of_audio() -> None:
    always, night = (Schedule.of(Scheduling(windows=w), Place(), UTC) for w in ([], ["00:00-01:00"]))
    plan = Revisable(always)
    audio = (Block(start, np.zeros(RATE, np.float32)) for start in range(0, 180 * RATE, RATE))
    heard = 0
    for piece in scheduled(audio, _clock(), plan):
        if isinstance(piece, Gap):
            break
        heard += piece.end_sample - piece.start_sample
        if heard == 30 * RATE:
            plan.plan = night
    assert heard == 60 * RATE


@given(st.integers(0, 10_000), st.integers(0, 59))
def test_a_schedule_that_nobody_revises_says_what_it_says(minutes: int, second: int) -> None:
    plan = Schedule.of(Scheduling(windows=["04:30-09:00"], on_s=90, off_s=45), Place(), UTC)
    utc = NOON + timedelta(minutes=minutes, seconds=second)
    said, revisable = plan.at(utc), Revisable(plan).at(utc)
    assert revisable.wanted == said.wanted
    assert revisable.until is not None
    assert utc < revisable.until <= utc + timedelta(minutes=1)


def test_a_daemon_that_is_told_to_reload_reports_what_it_did_not_before_and_tells_systemd(
    broker: Broker, supervisor: Supervisor, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav")
    source = recordings(*[song(tmp_path / f"song{n}.wav") for n in range(6)], path, speed=2)
    config = configure(tmp_path, source, broker.port, detection={"threshold": 1.0})
    with Daemon(config, supervisor.environment) as daemon:
        until(lambda: supervisor.heard("READY=1"), "it listens")
        configure(tmp_path, source, broker.port, detection={"threshold": 0.3})
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: supervisor.heard("READY=1") == 2, "it has read its configuration again")
        assert supervisor.heard("RELOADING=1\nMONOTONIC_USEC=") == 1
        until(lambda: kept(tmp_path / "store")["detections"], "a detection")
        config.write_text("station: [", encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "not reloaded, all stays as it was: configuration" in daemon.said(), "it refuses nonsense")
        assert daemon.process.poll() is None
        assert daemon.stop(20) == 0

"""How the station fares: what is told, when, and what becomes of a part of it that cannot be found out."""

import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import psutil
import pytest
from rigs import (
    STATION,
    Broker,
    Daemon,
    Subscriber,
    configure,
    free_port,
    recordings,
    song,
    until,
)
from test_capture_streams import Server
from test_clock_live import NOON, World
from test_pipeline import CONTRACT, MODEL_RATE, STEP, WINDOW
from test_store import built, opened

from monitor import hardware
from monitor.clock import Quality
from monitor.effort import Minutes
from monitor.errors import StoreError
from monitor.messages import HealthMessage
from monitor.pipeline import Chain
from monitor.records import Block, Cause, Gap
from monitor.service.progress import Listening, Progress, State
from monitor.service.today import Today
from monitor.service.vitals import EVERY_S, SOONEST_S, Instruments, Vitals
from monitor.sinks.database import FILE, connect
from monitor.sinks.outbox import Outbox
from monitor.sinks.reading import count_detections
from monitor.sinks.rows import Minute
from monitor.sinks.store import RETRY_S
from monitor.sources import Condition, Stream
from monitor.tracker import Rules, Tracker

if TYPE_CHECKING:
    from monitor.classifier import Classifier


MINUTE = Minute("mic", "fake", None, None, "unknown", None, None, None, None, 0, 800, *(0,) * 9, 0, "{}")


class Station:
    """A station of one source, whose clock and whose ailments are in the hands of a test."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world, self.store, self.told = world, opened(folder), list[HealthMessage]()
        self.condition, self.fullness = Condition(), 0.0
        self.row = Progress(lambda: None)
        self.minutes = Minutes(MODEL_RATE, lambda sample: (sample // (60 * MODEL_RATE) + 1) * 60 * MODEL_RATE)
        tracker = Tracker(CONTRACT.labels, Rules.of(CONTRACT.labels, max_samples=WINDOW), uuid.UUID(int=7))
        classifier = cast("Classifier", _Idle())
        self.chain = Chain(classifier, tracker, STEP, []).relieved(lambda: self.fullness)
        stream = Stream(uuid.UUID(int=7), "mic", MODEL_RATE, None, Quality.UNKNOWN, iter(()), condition=self._condition)
        self.row.begin("mic", Listening(stream, self.minutes, [self.chain]))
        clock = world.station()
        today = Today(UTC, lambda: clock.at(world.monotonic).utc, lambda _since: 0)
        instruments = Instruments(STATION, self.store, Outbox(self.store.path), clock, today)
        self.vitals = Vitals(instruments, [self.row], [self.told.append], lambda: world.monotonic)

    def _condition(self) -> Condition:
        return self.condition

    def after(self, seconds: float) -> int:
        """How many messages were told when it is looked after so long."""
        self.world.monotonic += seconds
        before = len(self.told)
        self.vitals.look()
        return len(self.told) - before

    def hears(self, *pieces: Block | Gap) -> None:
        """Let its source give something."""
        for piece in self.minutes.watched(pieces):
            if isinstance(piece, Gap):
                self.row.lost(piece)
            else:
                self.row.heard()


class _Idle:
    """Nothing is asked of it but its contract."""

    contract = CONTRACT


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """A station that has told how it fares a moment ago."""
    made = Station(tmp_path, World())
    made.hears(Block(0, np.zeros(80, np.float32)))
    assert made.after(0) == 1
    return made


def test_it_is_told_once_a_minute_and_not_more_often_while_nothing_gets_worse(station: Station) -> None:
    assert [station.after(EVERY_S / 4) for _ in range(8)] == [0, 0, 0, 1, 0, 0, 0, 1]


def lose(station: Station) -> None:
    """Take the source away."""
    station.condition = Condition("no microphone", outages=1)
    station.hears(Gap(80, 160, Cause.DEVICE))


def overload(station: Station) -> None:
    """Let audio wait for its analysis."""
    station.fullness = 0.5
    relief = station.chain.relief
    assert relief is not None
    relief._adapt()


def fail(station: Station) -> None:
    """Let the disk refuse to write."""
    with closing(connect(station.store.path)) as other:
        other.execute("DROP TABLE minutes")
        station.store.add_minutes(lambda: [MINUTE])


@pytest.mark.parametrize("worsen", [lose, overload, fail])
def test_something_worse_is_told_at_once_but_not_again_before_a_minute_has_passed(
    worsen: Callable[[Station], None], station: Station
) -> None:
    worsen(station)
    assert station.after(SOONEST_S - 1) == 0, "a loose plug must not flood the broker"
    assert station.after(1) == 1
    assert [station.after(EVERY_S / 4) for _ in range(4)] == [0, 0, 0, 1]


def test_a_source_that_is_there_again_is_told_of_in_time_and_at_once_when_it_is_lost_again(station: Station) -> None:
    lose(station)
    assert station.after(SOONEST_S) == 1
    station.condition = Condition(outages=1)
    station.hears(Block(160, np.zeros(80, np.float32)))
    assert [station.after(EVERY_S / 2) for _ in range(2)] == [0, 1]
    lose(station)
    assert station.after(SOONEST_S) == 1
    states = [message.sources[0].state for message in station.told]
    assert states == ["listening", "lost", "listening", "lost"]


def test_the_counters_of_source_and_model_are_in_the_message(station: Station) -> None:
    station.condition = Condition("no microphone", outages=3, dropped_s=1.5, overrun_s=0.25)
    overload(station)
    assert station.vitals.examined().sources[0].trouble is None, "the source is heard"
    station.hears(Gap(80, 160, Cause.DEVICE))
    message = station.vitals.examined()
    (source,), (model,) = message.sources, message.models
    assert (source.name, source.state, source.trouble) == ("mic", "lost", "no microphone")
    assert (source.outages, source.dropped_s, source.overrun_s) == (3, 1.5, 0.25)
    assert (model.model, model.source, model.changes, model.windows_left_out) == ("fake", "mic", 1, 0)
    assert model.measure > 0
    assert (message.memory_bytes or 0) > 0
    assert (message.free_disk_bytes or 0) > 0


def test_levels_are_those_of_the_last_full_minute_and_null_where_nothing_was_heard_in_it(station: Station) -> None:
    minute = 60 * MODEL_RATE
    tone = 0.5 * np.sin(2 * np.pi * 125 * np.arange(minute - 80) / MODEL_RATE)
    station.hears(Block(80, tone.astype(np.float32)))
    (source,) = station.vitals.examined().sources
    assert (source.level_dbfs, source.clipped_s, source.noise_dbfs) == (None, None, {}), "it is not over"
    station.hears(Block(minute, np.ones(80, np.float32)))
    (source,) = station.vitals.examined().sources
    assert source.level_dbfs == pytest.approx(-9.0, abs=0.1)
    assert source.clipped_s == 0.0
    assert source.noise_dbfs["125"] == pytest.approx(-9.0, abs=0.2)
    station.hears(Gap(minute + 80, 3 * minute, Cause.DEVICE), Block(3 * minute, np.ones(80, np.float32)))
    (source,) = station.vitals.examined().sources
    assert (source.level_dbfs, source.noise_dbfs) == (None, {})


def test_the_state_follows_what_the_source_gives_and_a_wait_for_its_first_sound_is_no_loss() -> None:
    row = Progress(lambda: None)
    given = [
        (Cause.DEVICE, State.WAITING),
        (None, State.LISTENING),
        (Cause.OVERRUN, State.LISTENING),
        (Cause.DEVICE, State.LOST),
        (Cause.SCHEDULE, State.PAUSED),
        (Cause.OVERLOAD, State.PAUSED),
        (None, State.LISTENING),
    ]
    found = []
    for cause, _ in given:
        if cause is None:
            row.heard()
        else:
            row.lost(Gap(0, 80, cause))
        found.append(row.state)
    assert found == [state for _, state in given]
    row.end()
    assert row.state is State.ENDED
    assert not row.late(0)


def test_what_the_computer_does_not_say_is_null(tmp_path: Path) -> None:
    zones = tmp_path / "sys/class/thermal"
    for index, text in enumerate(("41250", "asleep", "39000")):
        (zones / f"thermal_zone{index}").mkdir(parents=True)
        (zones / f"thermal_zone{index}" / "temp").write_text(text, encoding="ascii")
    (zones / "thermal_zone3/temp").mkdir(parents=True)
    assert hardware.temperature_c(tmp_path) == 41.25
    assert hardware.temperature_c(tmp_path / "elsewhere") is None
    assert hardware.resident_bytes(tmp_path) is None
    assert hardware.free_bytes(tmp_path / "nowhere") is None


def test_a_station_without_a_clock_a_disk_or_an_outbox_still_says_how_it_fares(tmp_path: Path) -> None:
    world = World()
    world.wrong_s = -1e9
    station = Station(tmp_path / "store", world)
    shutil.move(tmp_path / "store", tmp_path / "gone")
    with closing(connect(tmp_path / "gone" / FILE)) as other:
        other.execute("DROP TABLE outbox")
    assert station.after(0) == 1
    (message,) = station.told
    assert (message.at_utc, message.clock_quality) == (None, "unsynced")
    assert (message.outbox, message.free_disk_bytes) == (None, None)
    assert msgspec.json.decode(msgspec.json.encode(message), type=HealthMessage) == message


def test_how_long_the_disk_has_refused_is_told_however_often_it_was_tried_again(station: Station) -> None:
    fail(station)
    since = station.store.failing_s
    assert since is not None
    station.store.retry(time.monotonic() + 2 * RETRY_S)
    later = station.vitals.examined().store_failing_s
    assert since - 0.001 <= (later or 0)


class Day:
    """A clock on a wall, and what a store has kept."""

    def __init__(self, zone: str, now: str) -> None:
        self.now: datetime | None = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
        self.asked: list[datetime] = []
        self.kept = 0
        self.fails = False
        self.today = Today(ZoneInfo(zone), lambda: self.now, self._held)

    def _held(self, since: datetime) -> int:
        if self.fails:
            msg = "the store cannot be read"
            raise StoreError(msg)
        self.asked.append(since)
        return self.kept

    def passes(self, **hours: float) -> None:
        """So much time does, on the clock of the sun."""
        assert self.now is not None
        self.now = (self.now.astimezone(UTC) + timedelta(**hours)).astimezone(self.now.tzinfo)


@pytest.mark.parametrize("date", ["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-07-01"])
def test_detections_are_counted_from_midnight_at_the_station_also_when_its_clock_is_put_forward_or_back(
    date: str,
) -> None:
    day = Day("Europe/Berlin", f"{date}T22:00")
    day.kept = 5
    assert day.today.detections() == 5, "of an earlier run"
    midnight = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert day.asked == [midnight]
    day.today.detected()
    day.passes(hours=1.9)
    assert day.today.detections() == 6
    day.passes(hours=0.2)
    assert day.today.detections() == 0
    day.today.detected()
    day.passes(hours=21)
    assert day.today.detections() == 1
    assert len(day.asked) == 1


def test_where_the_store_cannot_say_the_number_is_unknown_and_not_zero() -> None:
    day = Day("UTC", "2026-05-01T12:00")
    day.fails = True
    day.today.detected()
    assert day.today.detections() is None
    day.fails, day.kept = False, 3
    assert day.today.detections() == 3, "the one that was counted is among them"
    day.today.detected()
    assert day.today.detections() == 4


def test_while_nobody_knows_the_time_all_are_counted() -> None:
    day = Day("UTC", "2026-05-01T12:00")
    now, day.now = day.now, None
    day.today.detected()
    assert day.today.detections() == 1
    day.now, day.kept = now, 1
    assert day.today.detections() == 1


def test_the_store_counts_what_began_since_a_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number in range(3):
        store.add(built(number))
    store.close()
    first = datetime.fromisoformat("2000-01-01T00:00+00:00")
    assert count_detections(tmp_path, first) == 3
    assert count_detections(tmp_path, datetime.fromtimestamp(NOON, UTC)) == 0
    with pytest.raises(StoreError):
        count_detections(tmp_path / "nowhere", first)


def told(subscriber: Subscriber) -> list[HealthMessage]:
    """How the station said it fares."""
    messages = [message for message in subscriber.received() if message.level == "health"]
    return [msgspec.json.decode(message.payload, type=HealthMessage, strict=True) for message in messages]


def test_a_source_that_is_lost_is_told_at_once_and_who_comes_later_is_told_too(
    broker: Broker, subscriber: Subscriber, new_subscriber: Callable[..., Subscriber], tmp_path: Path
) -> None:
    port = free_port()
    played = recordings(song(tmp_path / "song.wav", 0, 30), speed=1.0)
    camera = {"kind": "network", "name": "camera", "url": f"tcp://127.0.0.1:{port}"}
    server = Server(song(tmp_path / "camera.wav", 0, 30), port)
    try:
        until(
            lambda: port in {one.laddr.port for one in psutil.net_connections() if one.status == "LISTEN"}, "it serves"
        )
        config = configure(tmp_path, {"kind": "microphone"}, broker.port, sources=[played, camera])
        with Daemon(config) as daemon:
            until(lambda: told(subscriber), "how it fares")
            until(lambda: "listening to" in daemon.said(), "the camera is heard")
            server.end()
            until(lambda: len(told(subscriber)) > 1, "what has become worse")
            late = new_subscriber(broker.port)
            until(lambda: told(late), "the last of it")
            assert daemon.process.poll() is None
    finally:
        server.end()
    *_, lost = told(subscriber)
    assert all(message == lost for message in told(late))
    assert lost.uptime_s < EVERY_S
    camera_, song_ = sorted(lost.sources, key=lambda source: source.name, reverse=True)
    assert (camera_.name, camera_.state, camera_.outages) == ("camera", "lost", 1)
    assert f"tcp://127.0.0.1:{port}" in (camera_.trouble or "")
    assert (song_.name, song_.state, song_.trouble) == (str(tmp_path / "song.wav"), "listening", None)
    assert {model.source for model in lost.models} == {"camera", song_.name}
    assert lost.outbox is not None
    assert (lost.station, lost.store_failing_s, lost.outbox.refused) == (STATION, None, 0)
    assert 20e6 < (lost.memory_bytes or 0) < 1e9
    assert 0 < (lost.cpu_share or 0) < 2

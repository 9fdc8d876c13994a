"""`dawnchorus watch`: a fleet as it is now."""

import os
import pty
import random
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from fleet import (
    CollectorProcess,
    air,
    correction,
    detection,
    disordered,
    dropped,
    effort,
    health,
    mixed,
    status,
    topic,
)
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rigs import COMMAND, STATION, TABLES, Broker, Daemon, configure, kept, recordings, run, song, until

from monitor.cli.watch import _asker
from monitor.config.reading import load
from monitor.errors import CommandError
from monitor.fleet import folder
from monitor.fleet.asking import AGAIN_S, GRACE_S, Asker
from monitor.fleet.gaps import Span
from monitor.fleet.letters import Number, read
from monitor.fleet.screen import screen
from monitor.fleet.stations import Fleet, Numbers
from monitor.fleet.subscription import State
from monitor.fleet.troubles import Grade, troubles
from monitor.messages import SourceHealth

NOW = datetime(2026, 5, 1, 6, tzinfo=UTC)
BROKER = State(connected=True, about="192.0.2.7:1883")


def heard(*messages: Any, fleet: Fleet | None = None, retained: bool = False, now: datetime = NOW) -> Fleet:  # noqa: ANN401
    """A fleet of which these messages were heard."""
    fleet = fleet or Fleet()
    for message in messages:
        fleet.take(read(topic(message), msgspec.json.encode(message), retained=retained), now)
    return fleet


def shown(fleet: Fleet, width: int = 150, height: int | None = None, broker: State = BROKER) -> list[str]:
    """The lines of the view."""
    console = Console(width=width, height=height or 1000)
    with console.capture() as capture:
        console.print(screen(list(fleet.stations.values()), broker, NOW, (width, height)))
    return capture.get().splitlines()


def source(**others: Any) -> SourceHealth:  # noqa: ANN401
    """A microphone that works."""
    fine = {"name": "canopy", "state": "listening", "trouble": None, "outages": 0, "dropped_s": 0.0, "overrun_s": 0.0}
    return SourceHealth(**({**fine, "level_dbfs": -48.0, "clipped_s": 0.0, "noise_dbfs": {}} | others))


@given(st.lists(st.integers(1, 50), min_size=1))
def test_what_is_missing_is_what_did_not_come_between_the_first_and_the_last(arrivals: list[int]) -> None:
    numbers = Numbers()
    fresh = [sequence for sequence in arrivals if numbers.take(Number("hill", sequence, b"%d" % sequence))]
    missing = {number for first, last in numbers.missing for number in range(first, last + 1)}
    assert missing == set(range(min(arrivals), max(arrivals) + 1)) - set(arrivals)
    assert sorted(fresh) == sorted(set(arrivals))


def test_a_message_that_comes_twice_counts_once() -> None:
    chance = random.Random(4)  # noqa: S311
    fleet = heard(*disordered(mixed("hill", 100), chance))
    hill = fleet.stations["hill"]
    assert (hill.detections, hill.missing, hill.whole_s) == (90, 0, 10 * 3600)
    assert hill.heard_share == pytest.approx(0.75)


def test_what_a_station_gave_up_is_not_waited_for() -> None:
    fleet = heard(detection("hill", 1), detection("hill", 6), dropped("hill", 7, 2, 3))
    assert fleet.stations["hill"].numbers.missing == [(4, 5)]


def test_a_new_store_begins_to_count_anew() -> None:
    fleet = heard(*mixed("hill", 30), *mixed("hill", 3, "b"))
    assert fleet.stations["hill"].missing == 0
    assert fleet.stations["hill"].numbers.spans == [(1, 3)]


def test_a_day_begins_with_nothing() -> None:
    fleet = heard(detection("hill", 1), effort("hill", 2))
    heard(status("hill"), fleet=fleet, now=NOW + timedelta(days=1))
    assert fleet.stations["hill"].detections == 0
    assert fleet.stations["hill"].heard_share is None


def test_what_is_worst_stands_first_and_hundreds_of_stations_fit_into_a_terminal() -> None:
    fleet = heard(*(status(f"station{number:03d}") for number in range(400)))
    heard(*(health(f"station{number:03d}", at_utc="2026-05-01T05:59:30.000Z") for number in range(400)), fleet=fleet)
    heard(detection("station077", 1), detection("station077", 3), fleet=fleet)
    heard(health("station200", sources=[source(state="lost", trouble="it was unplugged")]), fleet=fleet)
    heard(status("station300", "offline"), fleet=fleet)
    lines = shown(fleet, height=24)
    assert len(lines) < 24
    assert "400 stations, 399 online, 2 in trouble, 1 to be looked at" in lines[0]
    assert [line[:10] for line in lines[3:7]] == ["station200", "station300", "station077", "station000"]
    assert "canopy is lost: it was unplugged" in lines[3]
    assert "1 missing" in lines[5]
    assert lines[-1].startswith("and 381 more stations, all well")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = health("a" * 64, sources=[source(state="lost", trouble="it was unplugged " * 20)])
    fleet = heard(status("a" * 64), long, detection("a" * 64, 1, common_name="Great Tit " * 20), status("hill"))
    assert max(map(len, shown(fleet, width))) <= width


def test_text_from_outside_is_no_markup() -> None:
    fleet = heard(status("[red]"), detection("[red]", 1, common_name="[bold]Tit[/nothing]"), status("hill"))
    text = "\n".join(shown(fleet))
    assert "[red]" in text
    assert "[bold]Tit[/nothing]" in text


@pytest.mark.parametrize(
    ("others", "grade", "words"),
    [
        ({"sources": [source(state="lost", trouble="unplugged")]}, Grade.BAD, "canopy is lost: unplugged"),
        ({"store_failing_s": 12.0}, Grade.BAD, "its disk has refused for 12 s"),
        ({"outbox": None}, Grade.BAD, "its store cannot be read"),
        ({"free_disk_bytes": 10**8}, Grade.DOUBTFUL, "100 MB of disk left"),
        ({"temperature_c": 84.0}, Grade.DOUBTFUL, "84 °C"),
        ({"clock_quality": "unsynced"}, Grade.DOUBTFUL, "its clock is unsynced"),
    ],
)
def test_health_becomes_trouble(others: dict[str, Any], grade: Grade, words: str) -> None:
    fleet = heard(status("hill"), health("hill", **others))
    (found,) = troubles(fleet.stations["hill"], NOW)
    assert (found.grade, found.what) == (grade, words)


def test_a_station_that_is_well_has_no_trouble_until_it_falls_silent() -> None:
    hill = heard(status("hill"), health("hill", sources=[source()])).stations["hill"]
    assert troubles(hill, NOW) == []
    (found,) = troubles(hill, NOW + timedelta(minutes=10))
    assert (found.grade, found.what) == (Grade.BAD, "has not said how it fares for 10 min")


def test_what_the_broker_remembers_is_as_old_as_its_station_says() -> None:
    hill = heard(status("hill"), health("hill", at_utc="2026-05-01T04:00:00.000Z"), retained=True).stations["hill"]
    assert hill.heard_at == NOW - timedelta(hours=2)
    assert [found.what for found in troubles(hill, NOW)] == ["has not said how it fares for 120 min"]


def test_without_a_broker_the_view_says_so() -> None:
    lines = shown(heard(status("hill")), broker=State(connected=False, about="it cannot be reached"))
    assert "no broker" in lines[1]
    assert "it cannot be reached" in lines[1]


class Asked:
    """Stations that are asked, and a clock that stands still until it is moved."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.asked: list[tuple[str, Span]] = []
        self.time, self._obeys = 0.0, obeys
        self.asker = Asker(self._ask, lambda: self.time)

    def look(self, fleet: Fleet) -> list[tuple[str, Span]]:
        """What was asked for by now."""
        self.asker.look(fleet.stations.values())
        until(lambda: not self.asker.busy, "the answer")
        return self.asked

    def _ask(self, station: str, span: Span) -> None:
        self.asked.append((station, span))
        if not self._obeys:
            msg = "it will not"
            raise CommandError(msg)


def test_a_hole_is_asked_for_when_it_stays_and_not_again_at_once() -> None:
    fleet, stations = heard(status("hill"), detection("hill", 1), detection("hill", 4)), Asked()
    assert stations.look(fleet) == []
    stations.time = GRACE_S
    assert stations.look(fleet) == [("hill", (2, 3))]
    stations.time += AGAIN_S - 1
    assert len(stations.look(fleet)) == 1
    stations.time += 1
    assert len(stations.look(fleet)) == 2
    heard(detection("hill", 2), detection("hill", 3), fleet=fleet)
    stations.time += 2 * AGAIN_S
    assert len(stations.look(fleet)) == 2


def test_nobody_asks_for_what_still_waits_in_the_outbox_or_of_who_is_offline() -> None:
    stations = Asked()
    waiting = msgspec.structs.replace(health("hill").outbox, rows=3, last_sequence=4)
    fleet = heard(status("hill"), detection("hill", 1), detection("hill", 4), health("hill", outbox=waiting))
    heard(status("wood", "offline"), detection("wood", 1), detection("wood", 4), fleet=fleet)
    stations.look(fleet)
    stations.time = GRACE_S
    assert stations.look(fleet) == []


def test_a_station_that_does_not_obey_is_told_of() -> None:
    fleet, stations = heard(status("hill"), detection("hill", 1), detection("hill", 4)), Asked(obeys=False)
    stations.look(fleet)
    stations.time = GRACE_S
    stations.look(fleet)
    stations.look(fleet)
    assert stations.asker.refused == "it will not"


def configured(folder: Path, port: int) -> Path:
    """A configuration that names a broker."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"mqtt": {"host": "127.0.0.1", "port": port}}), encoding="utf-8")
    return path


def test_once_prints_what_the_broker_remembers(tmp_path: Path, broker: Broker) -> None:
    with air(broker.port) as client:
        client.say(status("hill"), status("wood", "offline"), health("hill"))
    config = configured(tmp_path, broker.port)
    found = run("watch", "--once", "--config", config)
    assert found.returncode == 0
    assert "2 stations, 1 online" in found.stdout
    lines = run("watch", "--once", "--json", "--config", config).stdout.splitlines()
    states = {station["station"]: station["state"] for station in map(msgspec.json.decode, lines)}
    assert states == {"hill": "online", "wood": "offline"}
    unknown = run("watch", "--once", "--station", "vale", "--config", config)
    assert unknown.returncode == 1
    assert "'vale'" in unknown.stderr


@contextmanager
def in_terminal(*arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command in a terminal of 24 lines and 120 columns, and what reads it."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    command = [str(word) for word in (COMMAND, "watch", *arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm"}, start_new_session=True
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def seen(terminal: int, words: str, seconds: float = 20.0) -> None:
    """Wait until a terminal shows some words."""
    text, deadline = b"", time.monotonic() + seconds
    while words.encode() not in text:
        assert time.monotonic() < deadline, f"never shown: {words!r}; last {text[-500:]!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 65536)


def test_the_view_follows_the_fleet_and_outlives_the_broker(tmp_path: Path, broker: Broker) -> None:
    config = configured(tmp_path, broker.port)
    with in_terminal("--config", config) as (process, terminal):
        seen(terminal, "0 stations")
        with air(broker.port) as client:
            client.say(status("hill"), status("wood"), detection("hill", 1), detection("hill", 3))
            seen(terminal, "1 missing")
            client.say(detection("hill", 2), correction("hill", 4, "a-1", "2026-05-01T05:00:00.000Z"))
            seen(terminal, "0 to be looked at")
        broker.stop()
        seen(terminal, "no broker")
        assert process.poll() is None
        broker.start()
        seen(terminal, f"broker 127.0.0.1:{broker.port}")
        process.send_signal(2)
        assert process.wait(45) == 0


def test_a_station_sends_again_what_was_missing_when_it_is_asked_for(tmp_path: Path, broker: Broker) -> None:
    key, fleet = tmp_path / "key", tmp_path / "fleet"
    key.write_text("0123456789abcdef0123456789abcdef", encoding="utf-8")
    mqtt = {"host": "127.0.0.1", "port": broker.port, "commands": {"key_file": str(key)}}
    with Daemon(configure(tmp_path, recordings(song(tmp_path / "first.wav")), broker.port, mqtt=mqtt)) as unheard:
        assert unheard.ended() == 0
    missed = {row["sequence"] for table in TABLES for row in kept(tmp_path / "store")[table]}
    assert missed
    collector = CollectorProcess(tmp_path / "collector", broker.port, str(fleet)).start()
    played = recordings(song(tmp_path / "second.wav", 20.0, 32.0), speed=1.0)
    with Daemon(configure(tmp_path, played, broker.port, mqtt=mqtt)) as daemon:
        until(lambda: daemon.said().count("connected to") == 2, "the second daemon connects")
        _asker(load(tmp_path / "config.yaml").mqtt, key)._ask(STATION, (min(missed), max(missed)))
        until(lambda: missed <= received(fleet), "the replay")
    collector.kill()


def received(fleet: Path) -> set[int]:
    """Numbers of the station in a collector's folder."""
    spans = folder.look(fleet).received.get((STATION, 1), [])
    return {number for first, last in spans for number in range(first, last + 1)}

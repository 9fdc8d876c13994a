"""Home Assistant finds a station by itself: every message by its rules, every state right whoever starts again."""

import json
import random
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from house import UNAVAILABLE, UNKNOWN, House, checked
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import STATION, Broker, Daemon, Received, Subscriber, configure, recordings, required, until
from singer import in_turns

from monitor.config.homeassistant import HomeAssistant as Settings
from monitor.contract import Calibration, Label
from monitor.delivery.homeassistant import assistant as assistant_module
from monitor.delivery.homeassistant.assistant import HomeAssistant, take_away
from monitor.delivery.homeassistant.entities import HEALTH_LOST_S, Station, noise_entity, species_entity
from monitor.delivery.homeassistant.health import problems
from monitor.delivery.homeassistant.listener import Listener
from monitor.delivery.homeassistant.names import identifier
from monitor.delivery.homeassistant.sounding import species_entities
from monitor.delivery.homeassistant.states import REPEAT_S
from monitor.delivery.publication import Arrived, Publication
from monitor.errors import ConfigError
from monitor.messages import HealthMessage, ModelHealth, Occurrence, OutboxHealth, SourceHealth
from monitor.records import Detection, Taxon
from monitor.sinks.announced import gone
from monitor.sinks.store import Store

TOPIC = f"dawnchorus/{STATION}"
TIT = Label("tit", "Parus major", "Great Tit", "species", 0.5, Calibration())
CALL = Label("tit call", "Parus major", "Great Tit", "species", 0.5, Calibration())
OWL = Label("owl", "Athene noctua", "Little Owl", "species", 0.5, Calibration())
OFF_DELAY_S = 30.0

modest = settings(derandomize=True, deadline=None, max_examples=100)
names = st.text(min_size=1, max_size=60)


class Stage:
    """A station that speaks to a house, without a broker between: what is said is heard at once."""

    def __init__(self, *species: str, sources: tuple[str, ...] = ("canopy", "ground")) -> None:
        self.monotonic = 1000.0
        self.said: list[Received] = [Received(f"{TOPIC}/status", b'{"state": "online"}', retained=True)]
        settings_ = Settings(species=list(species), off_delay_s=OFF_DELAY_S)
        self.assistant = HomeAssistant(
            Station(STATION, TOPIC, "homeassistant"),
            settings_,
            species_entities(settings_, [TIT, CALL, OWL]),
            sources,
            self._say,
            monotonic=lambda: self.monotonic,
            chance=random.Random(1),  # noqa: S311 a test may be guessed
        )
        self.assistant.start()

    def _say(self, publication: Publication) -> None:
        assert (publication.retain, publication.qos) == (True, 0)
        self.said.append(Received(publication.topic, publication.payload, retained=False))

    @property
    def house(self) -> House:
        """What Home Assistant knows."""
        return House(self.said)

    def count(self, ending: str) -> int:
        """How often something was said on a topic."""
        return sum(message.topic.endswith(ending) for message in self.said)


def occurrence(label: Label = TIT, confidence: float = 0.876) -> Occurrence:
    """A detection that is complete."""
    return Occurrence(
        id="1",
        recording="canopy",
        onset_utc="2026-05-01T04:12:07.000Z",
        offset_utc="2026-05-01T04:12:11.000Z",
        clock_quality="ntp",
        onset_s=1.0,
        offset_s=5.0,
        label=label.label,
        scientific_name=label.scientific_name,
        common_name=label.common_name,
        confidence=confidence,
        model="starter",
    )


def source(name: str = "canopy", **others: object) -> SourceHealth:
    """One that is listened to."""
    fine = SourceHealth(
        name=name,
        state="listening",
        trouble=None,
        outages=0,
        dropped_s=0.0,
        overrun_s=0.0,
        level_dbfs=-41.5,
        clipped_s=0.0,
        noise_dbfs={},
    )
    return msgspec.structs.replace(fine, **others)


def outbox(**others: object) -> OutboxHealth:
    """One from which everything goes."""
    fine = OutboxHealth(rows=3, bytes=300, refused=0, refused_reason=None, dropped=0, oldest_utc=None, last_sequence=9)
    return msgspec.structs.replace(fine, **others)


def health(**others: object) -> HealthMessage:
    """The health of a station that is well."""
    fine = HealthMessage(
        station=STATION,
        at_utc=None,
        uptime_s=60.0,
        clock_quality="ntp",
        clock_error_s=0.01,
        sources=[source()],
        models=[],
        outbox=outbox(),
        detections_today=12,
        store_failing_s=None,
        free_disk_bytes=5_000_000_000,
        memory_bytes=104_000_000,
        cpu_share=0.1,
        temperature_c=48.25,
    )
    return msgspec.structs.replace(fine, **others)


def detection(label: str) -> Detection:
    """One that may go on."""
    return Detection("1", label, Taxon("Parus major", "Great Tit"), 0, 10, 0.9)


@modest
@given(names)
def test_a_name_in_any_alphabet_is_an_id_that_home_assistant_takes(name: str) -> None:
    assert set(identifier(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert 1 <= len(identifier(name)) <= 64


@modest
@given(st.lists(names, unique=True, max_size=8))
def test_two_names_never_have_the_same_id(some: list[str]) -> None:
    assert len({identifier(name) for name in some}) == len(some)


@pytest.mark.parametrize(
    "pair", [("Parus major", "parus major"), ("a/b", "a_b"), ("ä", "a"), ("夜鳴鶯", "ウグイス"), ("a" * 60, "a" * 61)]
)
def test_names_that_differ_in_what_an_id_cannot_say_have_different_ids(pair: tuple[str, str]) -> None:
    assert identifier(pair[0]) != identifier(pair[1])


def test_a_plain_name_is_its_id_and_others_can_be_read() -> None:
    assert identifier("canopy") == "canopy"
    assert identifier("Parus major").startswith("parus_major_")


@modest
@given(names, names, names, names)
def test_every_sensor_is_described_by_the_rules_whatever_its_name(
    station: str, topic: str, species: str, microphone: str
) -> None:
    place = Station(station, topic, "homeassistant")
    for entity in (species_entity(species, "common", 45.0), noise_entity(microphone)):
        config = place.config(entity)
        checked(config.topic, json.loads(config.payload) | {"name": "sensor"})


def test_a_station_is_found_with_all_its_sensors_each_once() -> None:
    stage = Stage("Parus major", "Little Owl", "great tit")
    assert stage.house.names() == {
        "Last species",
        "Last confidence",
        "Detections today",
        "Problem",
        "Messages waiting",
        "Free disk",
        "Memory",
        "Temperature",
        "Clock quality",
        "Noise of canopy",
        "Noise of ground",
        "Great Tit",
        "Little Owl",
    }
    assert {entity.config["device"]["name"] for entity in stage.house.found.values()} == {STATION}


def test_a_species_that_no_model_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.homeassistant\.species names 'Parus mayor'.*'Parus major'"):
        species_entities(Settings(species=["Parus mayor"]), [TIT, OWL])


def test_a_detection_is_the_last_one_with_all_that_belongs_to_it() -> None:
    stage = Stage()
    stage.assistant.detected(occurrence(OWL, 0.5))
    stage.assistant.detected(occurrence())
    assert (stage.house.state("last_species"), stage.house.state("last_confidence")) == ("Great Tit", "87.6")
    assert stage.house.entity("last_species").attributes == {
        "species": "Great Tit",
        "scientific_name": "Parus major",
        "onset_utc": "2026-05-01T04:12:07.000Z",
        "source": "canopy",
        "model": "starter",
        "id": "1",
    }


def test_the_same_species_again_is_said_again_for_an_alert_waits_for_it() -> None:
    stage = Stage()
    stage.assistant.detected(occurrence())
    stage.assistant.detected(occurrence())
    assert stage.count("/last_species") == 2


def species_id(scientific_name: str) -> str:
    """The end of its sensor's id."""
    return f"species_{identifier(scientific_name)}"


def test_a_species_is_on_while_it_is_heard_by_any_label_and_off_a_while_after() -> None:
    stage, tit, owl = Stage("Parus major", "Athene noctua"), species_id("Parus major"), species_id("Athene noctua")
    assert (stage.house.state(tit), stage.house.state(owl)) == ("OFF", "OFF")
    for label in ("tit", "tit call") * 60:
        stage.assistant.lasting([label, "another"])
        stage.assistant.settle()
        stage.monotonic += 1.0
        assert (stage.house.state(tit), stage.house.state(owl)) == ("ON", "OFF")
    stage.monotonic += OFF_DELAY_S - 1.5
    stage.assistant.settle()
    assert stage.house.state(tit) == "ON"
    stage.monotonic += 1.0
    stage.assistant.settle()
    assert stage.house.state(tit) == "OFF"


def test_home_assistant_turns_no_species_off_that_is_still_heard() -> None:
    """Its own delay runs from the last message, not from the last time that the species was heard."""
    stage, tit = Stage("Parus major"), species_id("Parus major")
    times = []
    for _ in range(200):
        before = stage.count(tit)
        stage.assistant.lasting(["tit"])
        times += [stage.monotonic] * (stage.count(tit) - before)
        stage.monotonic += 1.0
    off_delay = stage.house.entity(tit).config["off_delay"]
    assert max(b - a for a, b in pairwise(times)) + OFF_DELAY_S <= off_delay + 1.0
    assert len(times) < 30


def test_the_figures_of_the_health_are_states_and_what_is_not_known_is_unknown() -> None:
    stage = Stage()
    stage.assistant.health(health())
    expected = {
        "detections_today": "12",
        "problem": "OFF",
        "outbox_rows": "3",
        "free_disk": "5000.0",
        "memory": "104.0",
        "temperature": "48.25",
        "clock": "ntp",
        "noise_canopy": "-41.5",
        "noise_ground": UNKNOWN,
    }
    assert {name: stage.house.state(name) for name in expected} == expected
    stage.assistant.health(health(temperature_c=None, outbox=None, sources=[source(level_dbfs=None)]))
    unknown = {name: stage.house.state(name) for name in ("temperature", "outbox_rows", "noise_canopy")}
    assert set(unknown.values()) == {UNKNOWN}


def test_a_figure_that_stays_the_same_is_said_again_before_it_expires_and_not_each_time() -> None:
    stage = Stage()
    for _ in range(10):
        stage.assistant.health(health())
        stage.monotonic += 60.0
    assert stage.count("/outbox_rows") == 5
    assert REPEAT_S + 60.0 < HEALTH_LOST_S == stage.house.entity("outbox_rows").config["expire_after"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"sources": [source(state="lost", trouble="no such device")]}, "canopy is lost: no such device"),
        ({"store_failing_s": 4.0}, "the store cannot be written"),
        ({"outbox": None}, "the store cannot be read"),
        (
            {"outbox": outbox(refused=2, refused_reason="Not authorized")},
            "the broker refuses 2 messages: Not authorized",
        ),
        (
            {
                "models": [
                    ModelHealth(
                        model="starter", source="canopy", measure=2, changes=1, windows_left_out=5, unheard_s=1.0
                    )
                ]
            },
            "starter cannot keep up with canopy",
        ),
    ],
)
def test_a_station_that_is_not_well_has_a_problem_and_says_which(trouble: dict[str, object], said: str) -> None:
    stage = Stage()
    stage.assistant.health(health(**trouble))
    assert stage.house.state("problem") == "ON"
    assert stage.house.entity("problem").attributes["problems"] == [said]
    stage.assistant.health(health())
    assert stage.house.state("problem") == "OFF"
    assert stage.house.entity("problem").attributes["problems"] == []
    assert problems(health()) == []


def test_a_source_that_is_paused_or_has_ended_is_no_problem() -> None:
    assert problems(health(sources=[source(state="paused"), source(state="ended")])) == []


def test_when_home_assistant_starts_it_is_told_everything_once_and_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assistant_module, "DELAY_S", (0.2, 0.3))
    stage = Stage("Parus major")
    before = stage.count("/config")
    birth = Arrived("homeassistant/status", b"online", retained=False)
    others = [
        Arrived("homeassistant/status", b"offline", retained=False),
        Arrived("homeassistant/status", b"online", retained=True),
        Arrived("other/status", b"online", retained=False),
    ]
    for message in (birth, *others, birth):
        assert list(stage.assistant.arrived(message)) == []
    assert stage.count("/config") == before
    until(lambda: stage.count("/config") == 2 * before, "told again")
    time.sleep(0.4)
    assert stage.count("/config") == 2 * before
    stage.assistant.arrived(birth)
    stage.assistant.close()
    time.sleep(0.4)
    assert stage.count("/config") == 2 * before


def test_nobody_is_told_of_what_is_muted() -> None:
    stage = Stage("Parus major", "Athene noctua")
    listener = Listener(stage.assistant, None, lambda label: label == "tit")  # type: ignore[arg-type]
    listener.lasting([detection("tit"), detection("owl")])
    listener.handle(detection("tit"))
    assert (stage.house.state(species_id("Parus major")), stage.house.state(species_id("Athene noctua"))) == (
        "OFF",
        "ON",
    )
    assert stage.house.state("last_species") == UNKNOWN


def test_what_was_announced_in_any_earlier_run_and_is_no_more_is_taken_away_again_and_again(tmp_path: Path) -> None:
    store = Store(tmp_path, STATION, 100)
    assert gone(store.path, ["a", "b"]) == []
    assert gone(store.path, ["b", "c"]) == ["a"]
    assert gone(store.path, []) == ["a", "b", "c"]
    assert gone(store.path, ["a", "b", "c"]) == []
    store.close()


def test_a_sensor_is_taken_away_before_its_states() -> None:
    stage, said = Stage("Parus major"), []
    take_away(stage.assistant.retained, said.append)
    ends = [publication.topic.endswith("/config") for publication in said]
    assert ends == sorted(ends, reverse=True)
    assert sum(ends) == len(stage.house.found)
    assert {publication.payload for publication in said} == {b""}
    held = {message.topic for message in stage.said} - {f"{TOPIC}/status"}
    assert held <= {publication.topic for publication in said}


DISCOVERY = ("-t", "homeassistant/#")
"""what a house listens to beside the station's own topics"""


@pytest.fixture
def station(tmp_path: Path, broker: Broker) -> Callable[..., Daemon]:
    """Start a daemon that hears a great tit, and nothing for a while, again and again, and tells Home Assistant."""
    played = in_turns(tmp_path)

    def start(**homeassistant: object) -> Daemon:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "homeassistant": homeassistant or None}
        source = recordings(played, speed=2)
        return Daemon(configure(tmp_path, source, broker.port, mqtt=mqtt))

    return start


def present(messages: list[Received], name: str, state: str) -> bool:
    """Whether an entity has a state."""
    house = House(messages)
    return any(key.endswith(name) for key in house.found) and house.state(name) == state


def test_a_house_that_looks_at_any_time_sees_the_station_as_it_is(
    station: Callable[..., Daemon], broker: Broker, new_subscriber: Callable[..., Subscriber]
) -> None:
    tit, owl = species_id("Parus major"), species_id("Athene noctua")
    early = new_subscriber(broker.port, *DISCOVERY)
    with station(species=["Parus major", "Athene noctua"], off_delay_s=1) as daemon:
        until(lambda: present(early.received(), tit, "ON"), "the great tit is on")
        until(lambda: present(early.received(), "last_species", "Great Tit"), "it was the last species")
        until(lambda: present(early.received(), tit, "OFF"), "the great tit is off between two songs")
        assert present(early.received(), owl, "OFF")
        assert present(early.received(), "problem", "OFF")
        daemon.stop(10)
    until(lambda: present(early.received(), "problem", UNAVAILABLE), "the station is away")

    late = new_subscriber(broker.port, *DISCOVERY)
    until(lambda: present(late.received(), "last_species", UNAVAILABLE), "who comes late knows all sensors")
    with station(species=["Parus major", "Athene noctua"]) as daemon:
        until(lambda: present(late.received(), "last_species", "Great Tit"), "and their states")
        daemon.stop(10)


def test_a_sensor_that_went_while_the_station_was_off_is_taken_away(
    station: Callable[..., Daemon], broker: Broker, new_subscriber: Callable[..., Subscriber]
) -> None:
    early = new_subscriber(broker.port, *DISCOVERY)
    for wanted, owl_is_there in (["Athene noctua", "Parus major"], True), (["Parus major"], False):
        with station(species=wanted) as daemon:
            until(lambda: present(early.received(), "problem", "OFF"), "the station is there")
            daemon.stop(10)
        until(lambda: present(early.received(), "problem", UNAVAILABLE), "the station is away")
        assert ("Little Owl" in House(early.received()).names()) is owl_is_there
    with station() as daemon:
        until(lambda: House(early.received()).names() == set(), "nothing is left of them")
        daemon.stop(10)
    late = new_subscriber(broker.port, *DISCOVERY)
    end = ["-p", str(broker.port), "-q", "1", "-t", "dawnchorus/end", "-n"]  # QoS 1: kept for who is not there yet
    subprocess.run([required("mosquitto_pub"), *end], check=True)
    until(lambda: any(message.level == "end" for message in late.received()), "all that is retained")
    assert {message.level for message in late.received()} == {"status", "health", "end"}


def test_a_broker_that_lets_nobody_speak_to_home_assistant_gets_the_detections_all_the_same(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber], tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite dawnchorus/#\n", encoding="utf-8")
    closed = new_broker(f"acl_file {rules}")
    subscriber = new_subscriber(closed.port)
    mqtt = {"host": "127.0.0.1", "port": closed.port, "homeassistant": {"species": ["Parus major"]}}
    config = configure(tmp_path, recordings(in_turns(tmp_path), speed=4), closed.port, mqtt=mqtt)
    with Daemon(config) as daemon:
        until(lambda: [one for one in subscriber.received() if one.level == "detections"], "a detection")
        assert daemon.said().count("connected to") <= 3

"""Commands: who has the key is obeyed, once; everybody else changes nothing, whatever they send."""

import csv
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from command import Result, dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import STATION, Broker, Daemon, Subscriber, configure, kept, recordings, until
from singer import in_turns

from monitor.clock import Quality
from monitor.clock.times import Instant
from monitor.config.commands import Commands as Settings
from monitor.config.reading import parse
from monitor.contract import Calibration, Label
from monitor.delivery.commands.actions import Controls
from monitor.delivery.commands.admission import SKEW, Admission
from monitor.delivery.commands.key import read_key
from monitor.delivery.commands.listener import COMPLAIN_S, Commands
from monitor.delivery.commands.sender import new_command
from monitor.delivery.commands.signing import LARGEST_BYTES, sign, verified
from monitor.delivery.mute import Mute
from monitor.delivery.publication import Arrived
from monitor.errors import BrokerError, CommandError, ConfigError, StoreError
from monitor.messages import StatusMessage
from monitor.messages.commands import CommandMessage, ResponseMessage
from monitor.records import Window
from monitor.sinks import orders as orders_module
from monitor.sinks.orders import Orders
from monitor.sinks.store import Store
from monitor.tracker import Rules, Thresholds, Tracker

KEY = b"0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATUS = StatusMessage(station=STATION, state="online", version="1", started_utc="2026-05-01T00:00:00Z", model="m")
TIT = Label("tit", "Parus major", "Great Tit", "species", 0.5, Calibration())
OWL = Label("owl", "Athene noctua", "Little Owl", "species", 0.5, Calibration())
TOPIC = f"dawnchorus/{STATION}"

modest = settings(derandomize=True, deadline=None, max_examples=150)


@dataclass
class Bench:
    """A station that listens to commands, with clocks that a test moves."""

    path: Path
    utc: datetime | None = NOON
    quality: Quality = Quality.NTP
    monotonic: float = 0.0
    thresholds: list[tuple[str, float | None]] = field(default_factory=list)
    replays: list[tuple[int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open what it needs."""
        self.mute = Mute(lambda: self.monotonic)
        self.orders = Orders(self.path)
        controls = Controls(
            status=STATUS,
            labels=[TIT, OWL],
            orders=self.orders,
            mute=self.mute,
            now=self.now,
            health=lambda: None,  # type: ignore[arg-type, return-value]
            set_threshold=lambda species, threshold: self.thresholds.append((species, threshold)),
            replay=lambda first, last: self.replays.append((first, last)),
        )
        admission = Admission(STATION, self.orders, self.now)
        self.commands = Commands(TOPIC, KEY, admission, controls, lambda: self.monotonic)

    def now(self) -> Instant:
        """By the station's clock."""
        return Instant(self.utc, self.quality)

    def restarted(self) -> "Bench":
        """The same station after a restart."""
        self.orders.close()
        return Bench(self.path, self.utc, self.quality, self.monotonic)

    def send(self, payload: bytes, *, retained: bool = False) -> list[ResponseMessage]:
        """What it answers."""
        answers = list(self.commands.arrived(Arrived(f"{TOPIC}/command", payload, retained)))
        assert all((answer.topic, answer.qos, answer.retain) == (f"{TOPIC}/response", 1, False) for answer in answers)
        return [msgspec.json.decode(answer.payload, type=ResponseMessage) for answer in answers]

    def ask(self, command: CommandMessage) -> ResponseMessage:
        """The answer to a command that is signed with its key."""
        [answer] = self.send(sign(KEY, command))
        assert answer.id == command.id
        return answer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A station that knows the time."""
    store = Store(tmp_path, STATION, 100)
    one = Bench(store.path)
    yield one
    one.orders.close()
    store.close()


def command(name: str = "status", issued: datetime = NOON, expires_s: int = 60, **arguments: Any) -> CommandMessage:  # noqa: ANN401
    """A command that was not sent before."""
    return new_command(
        STATION,
        name,
        arguments,
        command_id=str(uuid.uuid4()),
        issued_utc=issued.isoformat(),
        expires_s=expires_s,
    )


def test_a_status_is_answered_with_the_status(bench: Bench) -> None:
    answer = bench.ask(command())
    assert (answer.ok, answer.error, answer.status) == (True, None, STATUS)


def test_a_mark_is_kept_with_both_times(bench: Bench) -> None:
    sent = command("mark", NOON - timedelta(seconds=2), text="microphone changed, Überprüfung 鳥")
    assert bench.ask(sent).ok
    [mark] = kept(bench.path.parent)["marks"]
    assert mark == {
        "id": sent.id,
        "at_utc": "2026-05-01T12:00:00.000Z",
        "clock_quality": "ntp",
        "issued_utc": "2026-05-01T11:59:58+00:00",
        "text": "microphone changed, Überprüfung 鳥",
    }


def test_a_mute_silences_a_species_by_any_of_its_names_and_for_its_time_only(bench: Bench) -> None:
    assert bench.ask(command("mute", seconds=10, species="great tit")).ok
    assert (bench.mute.covers("tit"), bench.mute.covers("owl")) == (True, False)
    bench.monotonic = 9.9
    assert bench.mute.covers("tit")
    bench.monotonic = 10.0
    assert not bench.mute.covers("tit")


def test_a_mute_of_all_can_be_ended(bench: Bench) -> None:
    assert bench.ask(command("mute", seconds=1000)).ok
    assert bench.mute.covers("tit")
    assert bench.ask(command("mute", seconds=0)).ok
    assert not bench.mute.covers("tit")


def test_a_threshold_is_set_and_known_after_a_restart_until_it_is_taken_back(bench: Bench) -> None:
    assert bench.ask(command("threshold", species="Parus major", threshold=0.8)).ok
    assert bench.thresholds == [("Parus major", 0.8)]
    again = bench.restarted()
    assert again.orders.thresholds() == {"Parus major": 0.8}
    assert again.ask(command("threshold", species="Parus major")).ok
    assert again.thresholds == [("Parus major", None)]
    assert again.restarted().orders.thresholds() == {}


def test_a_species_that_no_model_knows_is_refused_with_the_nearest_name_and_changes_nothing(bench: Bench) -> None:
    answer = bench.ask(command("threshold", species="Parus mayor", threshold=0.8))
    assert answer.error is not None
    assert "did you mean 'Parus major'?" in answer.error
    assert (answer.ok, bench.thresholds, bench.orders.thresholds()) == (False, [], {})


def test_a_replay_is_passed_on(bench: Bench) -> None:
    assert bench.ask(command("replay", first=3, last=9)).ok
    assert bench.ask(command("replay", first=3)).ok
    assert bench.replays == [(3, 9), (3, None)]


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("mark", {}, "`text`"),
        ("mark", {"text": ""}, "length"),
        ("mark", {"text": "x", "colour": "red"}, "colour"),
        ("mute", {"seconds": -1}, ">= 0"),
        ("mute", {"seconds": "1"}, "Expected `float`"),
        ("threshold", {"species": "tit", "threshold": 1.01}, "<= 1"),
        ("replay", {"first": 0}, ">= 1"),
        ("replay", {"first": 5, "last": 4}, "at least the first"),
        ("replay", {"first": 2**63}, "9223372036854775807"),
    ],
)
def test_wrong_arguments_are_answered_with_what_is_wrong(
    bench: Bench, name: str, arguments: dict[str, Any], complaint: str
) -> None:
    answer = bench.ask(command(name, **arguments))
    assert answer.error is not None
    assert complaint in answer.error
    assert (answer.ok, bench.thresholds, bench.replays, kept(bench.path.parent)["marks"]) == (False, [], [], [])


def test_a_command_with_another_key_gets_no_answer_and_its_contents_are_not_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert bench.send(sign(KEY[::-1], command("mark", text="secret remark"))) == []
    [record] = caplog.records
    assert record.message == "a command was refused: it is not signed with the key of this station"
    assert kept(bench.path.parent)["marks"] == []


@modest
@given(st.data())
def test_no_change_of_a_signed_command_goes_unnoticed(data: st.DataObject) -> None:
    payload = sign(KEY, command("threshold", species="Parus major", threshold=0.5))
    at = data.draw(st.integers(0, len(payload) - 1))
    changed = payload[:at] + bytes([data.draw(st.integers(0, 255))]) + payload[at + 1 :]
    try:
        found = verified(KEY, changed)
    except CommandError:
        return
    assert found == verified(KEY, payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["schema", "id", "station", "command", "issued_utc", "expires_s", "arguments", "hmac", "other"])


@modest
@given(st.binary(max_size=200) | st.dictionaries(keys, json_values).map(lambda fields: json.dumps(fields).encode()))
def test_whatever_is_sent_is_a_command_or_one_kind_of_error(payload: bytes) -> None:
    with pytest.raises(CommandError):
        verified(KEY, payload)


scalars = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@modest
@given(st.dictionaries(st.text(), scalars, max_size=5), st.integers(1, 86_400))
def test_what_is_signed_with_the_key_is_read_as_it_was_meant(arguments: dict[str, Any], expires_s: int) -> None:
    sent = msgspec.structs.replace(command(expires_s=expires_s), arguments=arguments)
    assert msgspec.structs.replace(verified(KEY, sign(KEY, sent)), hmac="") == sent


def test_whatever_is_ordered_by_who_has_the_key_is_answered(bench: Bench) -> None:
    names = st.sampled_from(["status", "mark", "mute", "threshold", "replay"])
    some = st.sampled_from(["text", "seconds", "species", "threshold", "first", "last", "other"])

    @modest
    @given(names, st.dictionaries(some, scalars | st.sampled_from(["Parus major", "tit"]), max_size=3))
    def check(name: str, arguments: dict[str, Any]) -> None:
        answer = bench.ask(command(name, **arguments))
        assert answer.ok is (answer.error is None)

    check()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[" * LARGEST_BYTES,
        b'{"a":' * 500,
        b'{"id": ' + b"9" * 4000 + b"}",
        b'{"station": "\\ud800", "hmac": "\\ud800"}',
        b"{" + b" " * LARGEST_BYTES + b"}",
        b'{"hmac": null}',
        b'{"hmac": "\xc3\xa4"}',
        b'{"expires_s": 1e999}',
    ],
)
def test_what_is_meant_to_break_a_parser_is_refused(payload: bytes) -> None:
    with pytest.raises(CommandError):
        verified(KEY, payload)


def test_others_can_sign_with_a_few_lines_of_their_own(bench: Bench) -> None:
    """The form that is written down for them, done by another program from start to end."""
    program = """
import hashlib, hmac, json, sys
fields = {"schema": 1, "id": "a-1", "station": "valley", "command": "mute", "issued_utc": "2026-05-01T12:00:00Z",
    "expires_s": 60, "arguments": {"seconds": 2.5, "species": "Great Tit"}}
text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
fields["hmac"] = hmac.new(sys.argv[1].encode(), text.encode(), hashlib.sha256).hexdigest()
print(json.dumps(fields, indent=2))
"""
    signed = subprocess.run([sys.executable, "-c", program, KEY.decode()], capture_output=True, check=True).stdout
    [answer] = bench.send(signed)
    assert (answer.id, answer.ok) == ("a-1", True)
    assert bench.mute.covers("tit")


def test_a_command_is_obeyed_once_also_after_a_restart(bench: Bench) -> None:
    sent = command("replay", first=1)
    assert bench.ask(sent).ok
    assert bench.ask(sent).error == "it was obeyed before"
    assert bench.replays == [(1, None)]
    again = bench.restarted()
    assert again.ask(sent).error == "it was obeyed before"
    assert again.replays == []


def test_a_command_that_was_recorded_is_of_no_use_at_another_station_with_the_same_key(bench: Bench) -> None:
    other = msgspec.structs.replace(command("replay", first=1), station="ridge")
    answer = bench.ask(other)
    assert answer.error == f"it is meant for another station than {STATION}"
    assert bench.replays == []


@pytest.mark.parametrize(
    ("off_s", "complaint"),
    [
        (-60 - SKEW.total_seconds() - 1, "expired"),
        (-60 - SKEW.total_seconds() + 1, None),
        (SKEW.total_seconds() - 1, None),
        (SKEW.total_seconds() + 1, "ahead of the clock"),
    ],
)
def test_a_command_is_obeyed_within_its_time_only(bench: Bench, off_s: float, complaint: str | None) -> None:
    answer = bench.ask(command(issued=NOON + timedelta(seconds=off_s), expires_s=60))
    assert answer.ok is (complaint is None)
    assert complaint is None or complaint in str(answer.error)


@pytest.mark.parametrize(
    "time", ["", "now", "2026-05-01T12:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:00"]
)
def test_a_time_that_is_none_is_refused(bench: Bench, time: str) -> None:
    answer = bench.ask(msgspec.structs.replace(command(), issued_utc=time))
    assert not answer.ok


def test_ids_are_forgotten_when_they_have_expired_and_are_of_no_use_then(bench: Bench) -> None:
    first = command("replay", first=1)
    assert bench.ask(first).ok
    bench.utc = NOON + timedelta(hours=1)
    assert bench.ask(command(issued=bench.utc)).ok
    assert bench.ask(command(issued=bench.utc)).ok
    assert not bench.orders.taken(first.id)
    assert "expired" in str(bench.ask(first).error)
    assert bench.replays == [(1, None)]


def test_where_nobody_knows_the_time_a_command_must_be_newer_than_the_last_one_of_known_time(bench: Bench) -> None:
    old = command("replay", NOON - timedelta(seconds=5), first=1)
    new = command("mark", text="x")
    assert bench.ask(old).ok
    assert bench.ask(new).ok
    bench.utc = NOON + timedelta(hours=1)
    assert all(bench.ask(command(issued=bench.utc)).ok for _ in range(2))
    assert not bench.orders.taken(new.id)
    bench.utc, bench.quality = None, Quality.UNSYNCED
    again = bench.restarted()
    assert "not issued after 2026-05-01T13:00:00" in str(again.ask(old).error)
    assert "not issued after" in str(again.ask(new).error)
    assert again.ask(command("replay", NOON + timedelta(days=400), first=7)).ok
    assert again.replays == [(7, None)]


def test_what_was_obeyed_without_a_clock_is_of_no_use_when_it_was_forgotten_either(bench: Bench) -> None:
    bench.utc, bench.quality = None, Quality.UNSYNCED
    sent = command("replay", NOON, first=1)
    assert bench.ask(sent).ok
    assert bench.ask(sent).error == "it was obeyed before"
    bench.utc, bench.quality = NOON + timedelta(days=1), Quality.GPS
    assert bench.ask(command(issued=bench.utc)).ok
    bench.utc, bench.quality = None, Quality.UNSYNCED
    assert not bench.ask(sent).ok
    assert bench.replays == [(1, None)]


def test_the_memory_of_ids_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_module, "MOST_TAKEN", 3)
    bench.utc, bench.quality = None, Quality.UNSYNCED
    assert [bench.ask(command()).ok for _ in range(5)] == [True, True, True, False, False]
    bench.utc, bench.quality = NOON + timedelta(days=1), Quality.GPS
    assert bench.ask(command(issued=bench.utc)).ok


def test_a_command_that_cannot_be_remembered_is_not_obeyed(bench: Bench) -> None:
    bench.orders.close()
    answer = bench.ask(command("replay", first=1))
    assert "cannot be read or written" in str(answer.error)
    assert bench.replays == []


def test_a_retained_command_and_one_on_another_topic_are_none(bench: Bench) -> None:
    assert bench.send(sign(KEY, command("replay", first=1)), retained=True) == []
    other = Arrived(f"{TOPIC}/command/x", sign(KEY, command("replay", first=1)), retained=False)
    assert list(bench.commands.arrived(other)) == []
    assert bench.replays == []


def test_a_flood_of_refused_commands_is_counted_in_the_log_not_repeated(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(500):
        bench.send(b"nonsense")
    bench.monotonic = COMPLAIN_S
    bench.send(b"nonsense")
    assert len(caplog.records) == 2
    assert "(499 others were, since the last one that was logged)" in caplog.records[1].message


def test_a_mute_is_seen_by_other_threads() -> None:
    mute = Mute(lambda: 0.0)
    threads = [threading.Thread(target=mute.silence, args=(1, [str(n)])) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mute.covers(str(n)) for n in range(20))


def test_orders_of_a_folder_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "empty.sqlite")
    with pytest.raises(StoreError, match="no such table"):
        orders.thresholds()


def test_a_key_is_read_from_one_place_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\nmore\n")
    assert read_key(Settings(key_file=str(tmp_path / "key"))) == KEY
    monkeypatch.setenv("BIRD_KEY", KEY.decode())
    assert read_key(Settings(key_variable="BIRD_KEY")) == KEY
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_key(Settings(key_credential="key")) == KEY
    monkeypatch.setenv("BIRD_KEY", "short-secret")
    with pytest.raises(BrokerError, match="12 characters: at least 32") as refused:
        read_key(Settings(key_variable="BIRD_KEY"))
    assert "short-secret" not in str(refused.value)
    with pytest.raises(BrokerError, match="No such file"):
        read_key(Settings(key_file=str(tmp_path / "none")))


@pytest.mark.parametrize("section", ["{}", "{key_file: a, key_variable: B}"])
def test_commands_without_one_key_are_a_wrong_configuration(section: str) -> None:
    with pytest.raises(ConfigError, match="exactly one of key_credential, key_file and key_variable"):
        parse(f"mqtt: {{commands: {section}}}")


def test_without_the_section_a_station_listens_to_nobody() -> None:
    assert parse("").mqtt.commands is None
    assert parse("mqtt: {commands: }").mqtt.commands is None


def test_a_threshold_that_is_changed_holds_from_the_next_window_on_and_can_be_taken_back() -> None:
    thresholds = Thresholds([0.5, 0.5])
    tracker = Tracker([TIT, OWL], Rules((0.5, 0.5), 0.0, 10_000), uuid.uuid4(), thresholds)

    def open_labels(start: int) -> list[str]:
        tracker.update(Window(start, start + 10, np.zeros(0, np.float32)), np.array([0.7, 0.7], np.float32))
        return [detection.label for detection in tracker.open()]

    assert open_labels(0) == ["tit", "owl"]
    thresholds.change([0], 0.8)
    assert open_labels(20) == ["owl"]
    thresholds.change([0], None)
    assert open_labels(40) == ["tit", "owl"]


@dataclass
class Field:
    """A station with a key, as it is installed, and who has the key."""

    folder: Path
    port: int

    def __post_init__(self) -> None:
        """Give it a key, and something to listen to."""
        (self.folder / "key").write_bytes(KEY)
        mqtt = {
            "host": "127.0.0.1",
            "port": self.port,
            "lifecycle": True,
            "homeassistant": {"species": ["Parus major"]},
            "commands": {"key_file": str(self.folder / "key")},
        }
        source = recordings(in_turns(self.folder, silence_s=1), speed=4)
        self.config = configure(self.folder, source, self.port, mqtt=mqtt)

    def command(self, *words: str) -> Result:
        """What the command says."""
        return dawnchorus("command", *words, "--config", self.config)

    def obeyed(self, *words: str) -> str:
        """What it prints where the station obeys."""
        result = self.command(*words)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout


@pytest.fixture
def station(tmp_path: Path, broker: Broker) -> Field:
    """One that is not started."""
    return Field(tmp_path, broker.port)


def heard(subscriber: Subscriber, level: str) -> list[str]:
    """The recordings of which something was told on a topic."""
    contents = [message.content for message in subscriber.received() if message.level == level]
    return [Path(content.get("after", content)["recording"]).name for content in contents]


def test_a_station_does_what_it_is_told_from_then_on(station: Field, subscriber: Subscriber) -> None:
    with Daemon(station.config) as daemon:
        until(lambda: heard(subscriber, "detections"), "a detection")
        answer = json.loads(station.obeyed("status"))
        assert (answer["status"]["state"], answer["health"]["station"]) == ("online", STATION)
        assert station.obeyed("mark", "microphone changed") == f"{STATION} obeys\n"

        station.obeyed("mute", "600", "--species", "great tit")
        muted_from = max(heard(subscriber, "effort") + heard(subscriber, "lifecycle"))
        until(lambda: sum(name > muted_from for name in heard(subscriber, "detections")) >= 2, "detections go on")
        assert max(heard(subscriber, "detections")) not in heard(subscriber, "lifecycle")
        station.obeyed("mute", "0", "--species", "great tit")

        station.obeyed("threshold", "Parus major", "1")
        deaf_from = max(heard(subscriber, "effort"))
        until(lambda: len({name for name in heard(subscriber, "effort") if name > deaf_from}) >= 3, "another song")
        assert len([name for name in heard(subscriber, "detections") if name > deaf_from]) <= 1  # which had begun
        daemon.stop(10)
    package = station.folder / "package"
    place = yaml.safe_dump({"place": {"latitude": 46.9, "longitude": 7.4}})
    station.config.write_text(station.config.read_text(encoding="utf-8") + place, encoding="utf-8")
    written = dawnchorus("effort", "--format", "camtrap-dp", "--output", package, "--config", station.config)
    assert written.returncode == 0, written.stderr
    [mark] = csv.DictReader((package / "marks.csv").read_text(encoding="utf-8").splitlines())
    assert mark["text"] == "microphone changed"
    tables = kept(station.folder / "store")
    assert tables["thresholds"] == [{"species": "Parus major", "threshold": 1.0}]


def test_a_station_publishes_again_what_it_is_asked_for(station: Field, subscriber: Subscriber) -> None:
    def detections() -> list[dict[str, Any]]:
        return [message.content for message in subscriber.received() if message.level == "detections"]

    with Daemon(station.config):
        [first, *_] = until(detections, "a detection")
        until(lambda: not kept(station.folder / "store")["outbox"], "the store knows that the broker has it")
        station.obeyed("replay", str(first["sequence"]), str(first["sequence"]))
        again = {**first, "backfilled": True}
        until(lambda: again in detections(), "the same detection again")


def test_who_has_another_key_is_not_obeyed_and_the_log_of_the_station_says_so(station: Field) -> None:
    with Daemon(station.config) as daemon:
        until(lambda: "connected to" in daemon.said(), "a connection")
        (station.folder / "other").write_bytes(KEY[::-1])
        wrong = ("--key-file", str(station.folder / "other"), "--wait", "1")
        told = sentence(station.command("mark", "secret remark", *wrong), 1)
        assert f"no answer of {STATION} within 1 s" in told
        until(lambda: "not signed with the key of this station" in daemon.said(), "the log says so")
        assert "secret remark" not in daemon.said()
        assert "does not obey: threshold names 'Dodo'" in sentence(station.command("threshold", "Dodo", "0.5"), 1)


def test_a_broker_that_lets_nobody_command_has_the_last_word(new_broker: Callable[..., Broker], tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic read #\n", encoding="utf-8")
    station = Field(tmp_path, new_broker(f"acl_file {rules}").port)
    assert "the broker refuses the command: Not authorized" in sentence(station.command("status"), 1)


def test_nobody_listens_where_it_is_not_asked_for(broker: Broker, tmp_path: Path) -> None:
    noisy = configure(tmp_path, recordings(in_turns(tmp_path), speed=2), broker.port)
    (tmp_path / "key").write_bytes(KEY)
    with Daemon(noisy) as daemon:
        until(lambda: "connected to" in daemon.said(), "a connection")
        words = ("command", "status", "--key-file", tmp_path / "key", "--wait", "0.5", "--config", noisy)
        assert "no answer of valley" in sentence(dawnchorus(*words), 1)
        assert "refused" not in daemon.said()
        assert "no key to sign with" in sentence(dawnchorus("command", "status", "--config", noisy), 78)

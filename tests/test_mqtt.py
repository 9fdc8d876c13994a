"""The publisher against real brokers: slow, refusing, killed, encrypted, old."""

import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from rigs import (
    STATION,
    Broker,
    Daemon,
    Subscriber,
    answers,
    configure,
    free_port,
    kept,
    recordings,
    required,
    retained_status,
    song,
    until,
)
from test_store import built, opened, sequences

from monitor.config.mqtt import Mqtt
from monitor.delivery.packing import IN_TIME, LATE
from monitor.delivery.publisher import Publisher, Station
from monitor.errors import BrokerError
from monitor.messages import EffortMessage, StatusMessage
from monitor.sinks.database import FILE
from monitor.sinks.outbox import FIRST_WAIT_S

ONLINE = StatusMessage(
    station=STATION, state="online", version="0", started_utc="2026-05-01T12:00:00.000Z", model="starter"
)
OFFLINE = StatusMessage(
    station=STATION, state="offline", version="0", started_utc="2026-05-01T12:00:00.000Z", model="starter"
)


def effort(sequence: int) -> EffortMessage:
    """An account of five seconds."""
    return EffortMessage(
        id=f"effort-{sequence}",
        station=STATION,
        sequence=sequence,
        recording="garden.wav",
        start_utc=None,
        end_utc=None,
        clock_quality="unknown",
        start_s=0.0,
        end_s=5.0,
        heard_s=5.0,
        lost_s=0.0,
        model="starter",
    )


def filled(folder: Path, count: int) -> Path:
    """A store with so many detections to send."""
    store = opened(folder, 10_000)
    for number in range(count):
        store.add(built(number))
    store.close()
    return folder


@contextmanager
def publishing(store: Path, settings: Mqtt, skipped_s: Callable[[], float] = lambda: 0.0) -> Iterator[Publisher]:
    """A publisher at work on what a store has to send; its clocks skip so many seconds."""
    publisher = Publisher(
        settings,
        Station(ONLINE, OFFLINE),
        store / FILE,
        monotonic=lambda: time.monotonic() + skipped_s(),
        now=lambda: time.time() + skipped_s(),
    )
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(2.0)


def at(port: int, username: str | None = None, password_file: Path | None = None) -> Mqtt:
    """Settings for a broker on this machine."""
    return Mqtt(
        host="127.0.0.1", port=port, username=username, password_file=str(password_file) if password_file else None
    )


class Wire:
    """A line to a broker on which the way back can be held up, and which can be cut."""

    def __init__(self, port: int) -> None:
        self._broker = port
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Let nothing more come back from the broker."""
        self._open.clear()

    def release(self) -> None:
        """Let it come back."""
        self._open.set()

    def cut(self) -> None:
        """Break the connection; what was held up is lost."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def close(self) -> None:
        """Take the line down."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker))
                self._ends += [client, broker]
                threading.Thread(target=self._forward, args=(client, broker, None), daemon=True).start()
                threading.Thread(target=self._forward, args=(broker, client, self._open), daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                if gate is not None:
                    gate.wait()
                target.sendall(content)


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    """A line to the broker."""
    line = Wire(broker.port)
    yield line
    line.release()
    line.close()


def test_every_message_arrives_in_order_and_the_station_says_online_and_offline(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    store = filled(tmp_path / "store", 300)
    sent = [row["payload"] for row in kept(store)["outbox"]]
    with publishing(store, at(broker.port)):
        until(lambda: sequences(store) == [], "an empty outbox")
        until(lambda: len(subscriber.records()) == 300, "all messages")
    assert [message.payload.replace(LATE, IN_TIME) for message in subscriber.records()] == sent
    assert {message.topic for message in subscriber.records()} == {f"dawnchorus/{STATION}/detections"}
    until(lambda: subscriber.states() == ["online", "offline"], "both states")
    assert retained_status(broker.port, tmp_path / "late") == ["offline"]


def test_who_comes_later_is_told_that_the_station_is_online(broker: Broker, tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 1)
    with publishing(store, at(broker.port)):
        until(lambda: sequences(store) == [], "an empty outbox")
        assert retained_status(broker.port, tmp_path / "late") == ["online"]


def add(store: Path, number: int, publisher: Publisher) -> None:
    """One more detection to send."""
    writer = opened(store)
    writer.add(built(number))
    writer.close()
    publisher.wake()


def test_a_message_leaves_the_outbox_only_when_the_broker_has_acknowledged_it(
    wire: Wire, subscriber: Subscriber, tmp_path: Path
) -> None:
    store = filled(tmp_path / "store", 0)
    with publishing(store, at(wire.port)) as publisher:
        until(lambda: publisher._connected, "the connection")
        wire.hold()
        for number in range(1, 4):
            add(store, number, publisher)
            until(lambda: len(subscriber.records()) == number, "the broker has the message and passed it on")  # noqa: B023
        assert sequences(store) == [1, 2, 3]
        wire.release()
        until(lambda: sequences(store) == [], "an empty outbox")
    assert len(subscriber.records()) == 3


def test_a_message_whose_acknowledgement_was_lost_is_sent_again_and_can_be_recognised(
    wire: Wire, subscriber: Subscriber, tmp_path: Path
) -> None:
    store = filled(tmp_path / "store", 0)
    with publishing(store, at(wire.port)) as publisher:
        until(lambda: publisher._connected, "the connection")
        wire.hold()
        add(store, 7, publisher)
        until(subscriber.records, "the broker has the message")
        wire.cut()
        wire.release()
        until(lambda: sequences(store) == [], "an empty outbox")
    assert {message.content["id"] for message in subscriber.records()} == {"id-000007"}


def test_a_publisher_that_dies_before_the_acknowledgement_leaves_the_message_to_the_next_one(
    wire: Wire, subscriber: Subscriber, tmp_path: Path
) -> None:
    store = filled(tmp_path / "store", 0)
    with publishing(store, at(wire.port)) as publisher:
        until(lambda: publisher._connected, "the connection")
        wire.hold()
        add(store, 7, publisher)
        until(subscriber.records, "the broker has the message")
    assert sequences(store) == [1]
    wire.cut()
    wire.release()
    with publishing(store, at(wire.port)):
        until(lambda: sequences(store) == [], "an empty outbox")
    assert {message.content["id"] for message in subscriber.records()} == {"id-000007"}


def aside(store: Path) -> list[int]:
    """The sequence numbers of what was refused."""
    return [row["sequence"] for row in kept(store)["refused"]]


def rules(path: Path, *levels: str) -> Path:
    """Access rules: the station may publish under these levels only."""
    writable = [f"topic write dawnchorus/{STATION}/{level}" for level in levels]
    path.write_text("\n".join(["topic read dawnchorus/#", *writable, ""]), encoding="utf-8")
    return path


def test_a_message_that_the_broker_does_not_allow_stays_in_the_outbox_and_others_leave_it(
    new_broker: Callable[..., Broker],
    new_subscriber: Callable[..., Subscriber],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = new_broker(f"acl_file {rules(tmp_path / 'acl', 'effort', 'status')}")
    subscriber = new_subscriber(broker.port)
    store = opened(tmp_path / "store")
    store.add(built(1))
    store.add(effort)
    store.add(built(2))
    store.close()
    with publishing(tmp_path / "store", at(broker.port)):
        until(lambda: sequences(tmp_path / "store") == [1, 3], "the account has left")
        until(lambda: aside(tmp_path / "store") == [1, 3], "both are set aside")
    assert sequences(tmp_path / "store") == [1, 3]
    assert caplog.text.count("Not authorized") == 1
    assert "broker refused message 1 to detections: Not authorized; it stays in the outbox" in caplog.text
    assert [message.level for message in subscriber.records()] == ["effort"]


def test_a_message_that_was_refused_is_offered_again_after_a_while(
    new_broker: Callable[..., Broker],
    new_subscriber: Callable[..., Subscriber],
    tmp_path: Path,
) -> None:
    broker = new_broker(f"acl_file {rules(tmp_path / 'acl', 'status')}")
    subscriber = new_subscriber(broker.port)
    store, skipped_s = filled(tmp_path / "store", 2), [0.0]
    with publishing(store, at(broker.port), lambda: skipped_s[0]):
        until(lambda: aside(store) == [1, 2], "both are set aside")
        rules(tmp_path / "acl", "status", "detections")
        broker.reload()
        until(lambda: "Reloading config" in broker.said(), "the new rules are read")
        skipped_s[0] = FIRST_WAIT_S
        until(lambda: sequences(store) == [], "an empty outbox")
    until(lambda: len(subscriber.records()) == 2, "both messages")
    assert {message.content["sequence"] for message in subscriber.records()} == {1, 2}


@pytest.fixture
def guarded_broker(new_broker: Callable[..., Broker], tmp_path: Path) -> Broker:
    """A broker that lets in a user named station, whose password is `wren song`."""
    passwords = tmp_path / "passwords"
    subprocess.run([required("mosquitto_passwd"), "-b", "-c", str(passwords), "station", "wren song"], check=True)
    return new_broker("allow_anonymous false", f"password_file {passwords}")


@pytest.mark.parametrize("content", ["wren song", "wren song\n", "wren song\nwhat stands below is no password\n"])
def test_the_password_is_the_first_line_of_a_file(content: str, guarded_broker: Broker, tmp_path: Path) -> None:
    store, password = filled(tmp_path / "store", 3), tmp_path / "password"
    password.write_text(content, encoding="utf-8")
    with publishing(store, at(guarded_broker.port, "station", password)):
        until(lambda: sequences(store) == [], "an empty outbox")


def test_with_a_wrong_password_the_messages_stay_and_the_log_says_why_once(
    guarded_broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, password = filled(tmp_path / "store", 3), tmp_path / "password"
    password.write_text("robin song\n", encoding="utf-8")
    with publishing(store, at(guarded_broker.port, "station", password)):
        until(lambda: "no connection" in caplog.text, "the log says so")
        until(lambda: guarded_broker.said().count("not authorised") >= 2, "it is tried again")
    assert sequences(store) == [1, 2, 3]
    assert caplog.text.count("no connection to a broker") == 1
    assert f"127.0.0.1:{guarded_broker.port}: it refuses these credentials: Not authorized" in caplog.text
    assert "3 messages wait in the outbox for the next start" in caplog.text


def test_a_password_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "password"
    with pytest.raises(BrokerError, match=rf"^mqtt: {missing}: No such file or directory$"):
        Publisher(at(1883, "station", missing), Station(ONLINE, OFFLINE), tmp_path / FILE)


def test_a_certificate_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(BrokerError, match=rf"^mqtt: {missing}: No such file or directory$"):
        Publisher(Mqtt(tls=True, ca_file=str(missing)), Station(ONLINE, OFFLINE), tmp_path / FILE)


def certificate(folder: Path, name: str) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself; the key lies beside it as .key."""
    command = [
        required("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "1", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{name}.pem"


def test_over_tls_messages_go_only_to_a_broker_whose_certificate_is_vouched_for(
    new_broker: Callable[..., Broker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, foreign = certificate(tmp_path, "own"), certificate(tmp_path, "foreign")
    broker = new_broker(f"certfile {own}", f"keyfile {own.with_suffix('.key')}")
    store = filled(tmp_path / "store", 3)
    with publishing(store, Mqtt(host="127.0.0.1", port=broker.port, tls=True, ca_file=str(foreign))):
        until(lambda: "no connection to a broker" in caplog.text, "the log says so")
    assert sequences(store) == [1, 2, 3]
    with publishing(store, Mqtt(host="127.0.0.1", port=broker.port, tls=True, ca_file=str(own))):
        until(lambda: sequences(store) == [], "an empty outbox")


def test_a_broker_that_comes_later_receives_what_waited(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber], tmp_path: Path
) -> None:
    broker = new_broker()
    subscriber = new_subscriber(broker.port)
    broker.stop()
    store = filled(tmp_path / "store", 3)
    with publishing(store, at(broker.port)):
        assert sequences(store) == [1, 2, 3]
        broker.start()
        until(lambda: sequences(store) == [], "an empty outbox")
    until(lambda: len(subscriber.records()) == 3, "all messages")


def test_the_broker_says_offline_when_the_daemon_is_killed(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav"), speed=0.1), broker.port)
    with Daemon(config) as daemon:
        until(lambda: subscriber.states() == ["online"], "the station is online")
        daemon.process.kill()
        until(lambda: subscriber.states() == ["online", "offline"], "the last will")
    assert retained_status(broker.port, tmp_path / "late") == ["offline"]


@pytest.fixture
def old_broker(tmp_path: Path) -> Iterator[int]:
    """The port of a broker that speaks MQTT 3.1.1 only: amqtt, as the demonstration starts it."""
    port = free_port()
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    path = tmp_path / "amqtt.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with (tmp_path / "amqtt.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(path)],
            stdout=log,
            stderr=log,
            env=os.environ | {"HOME": str(tmp_path)},
        )
    try:
        until(lambda: answers(port), f"amqtt listens; see {tmp_path}/amqtt.log")
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_broker_that_knows_only_the_old_protocol_receives_everything(
    old_broker: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = filled(tmp_path / "store", 60)
    sent = [row["payload"] for row in kept(store)["outbox"]]
    subscriber = Subscriber(old_broker, tmp_path / "subscriber")
    try:
        with publishing(store, at(old_broker)):
            until(lambda: sequences(store) == [], "an empty outbox")
            until(lambda: len(subscriber.records()) == 60, "all messages")
        assert "falling back to 3.1.1" in caplog.text
        assert [message.payload.replace(LATE, IN_TIME) for message in subscriber.records()] == sent
        until(lambda: subscriber.states() == ["online", "offline"], "both states")
    finally:
        subscriber.close()


def test_an_outbox_that_cannot_be_read_from_the_start_is_tried_again_until_it_can(
    broker: Broker, subscriber: Subscriber, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = filled(tmp_path / "store", 3)

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(store / FILE, timeout=10)) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("outbox_totals", "away")
    with publishing(store, at(broker.port)):
        until(lambda: "outbox cannot be read or written" in caplog.text, "the trouble is told")
        rename("away", "outbox_totals")
        until(lambda: len(subscriber.records()) == 3, "all messages")
    assert caplog.text.count("outbox cannot be read or written") == 1

"""The link to real brokers of every kind, and to sockets that play the worst of them."""

import gc
import os
import random
import resource
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from paho.mqtt.client import MQTTv5, MQTTv311
from rigs import (
    STATION,
    Broker,
    Daemon,
    Subscriber,
    answers,
    configure,
    free_port,
    recordings,
    required,
    run,
    song,
    until,
)

from monitor.config.broker import Broker as Settings
from monitor.config.mqtt import Mqtt
from monitor.config.reading import parse
from monitor.delivery.connection import Caller, connect
from monitor.delivery.link import HUNG_UP_WAIT_S, LONGEST_WAIT_S, Link
from monitor.delivery.publication import Acknowledged, Arrived, Connected, Event, Lost, Publication, Refused
from monitor.errors import BrokerError, ConfigError

HOST = "127.0.0.1"
BASE = f"dawnchorus/{STATION}"
ONLINE = Publication(f"{BASE}/status", b'{"state":"online"}', qos=1, retain=True)
OFFLINE = Publication(f"{BASE}/status", b'{"state":"offline"}', qos=1, retain=True)
SECRET = "marked-7vQ-secret"  # noqa: S105 it is looked for everywhere


class Ear:
    """Everything that a link tells."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def of(self, kind: type) -> list[Any]:
        """All of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, kind: type, count: int = 1, seconds: float = 30.0) -> Any:  # noqa: ANN401
        """The last of at least so many of a kind."""
        return until(lambda: self.of(kind)[count - 1 :], f"{count} of {kind.__name__}: {self.events}", seconds)[-1]


class Eager(random.Random):
    """Chance that never lets anybody wait, and knows for how long it might have."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        """Wait no longer than it takes to look around."""
        assert a == 0.0
        self.bounds.append(b)
        return 0.01


@contextmanager
def linked(settings: Mqtt, topics: Sequence[str] = (), **others: Any) -> Iterator[tuple[Link, Ear]]:  # noqa: ANN401
    """A link at work."""
    ear = Ear()
    link = Link(settings, OFFLINE, topics, ear.events.append, others.pop("chance", Eager()), **others)
    link.start()
    try:
        yield link, ear
    finally:
        link.close()


def at(port: int, **others: Any) -> Mqtt:  # noqa: ANN401
    """Settings for a broker on this machine."""
    return Mqtt(host=HOST, port=port, **others)


def refusal(settings: Mqtt, patience_s: float = 5.0, client_id: str = "") -> str:
    """Why there is no connection."""
    with pytest.raises(BrokerError) as refused:
        connect(settings, Caller(client_id, 30, patience_s=patience_s), lambda _: None, lambda _: None)
    return str(refused.value)


class Puppet:
    """A broker that is a script: what it says to a CONNECT of each protocol level, and then nothing by itself."""

    def __init__(self, script: dict[int, bytes | None]) -> None:
        """None: it hangs up. A level that is not in there: it says nothing."""
        self.script, self.calls = script, []
        self.heard, self.stuck_at = bytearray(), b"\0\0 in no call"
        """of MQTT 5: it says nothing to a call with this in it"""
        self.impatient = False
        """it hangs up when it has let somebody in"""
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, content: bytes) -> None:
        """Say more over the last line."""
        self._lines[-1].sendall(content)

    def hang_up(self) -> None:
        """End the last line."""
        self._lines[-1].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Answer no more."""
        self._listener.close()
        for line in self._lines:
            line.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self._lines.append(line)
                threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with suppress(OSError):
            call = line.recv(65536)
            level = call[8]
            self.calls.append(level)
            answer = b"" if level == NEW and self.stuck_at in call else self.script.get(level, b"")
            if answer is None:
                line.close()
                return
            line.sendall(answer)
            if self.impatient:
                line.shutdown(socket.SHUT_RDWR)
            while content := line.recv(65536):
                self.heard += content


OLD, NEW = 4, 5
YES_OLD, NO_OLD = b"\x20\x02\x00\x00", b"\x20\x02\x00\x01"
YES_NEW = b"\x20\x03\x00\x00\x00"


@pytest.fixture
def puppet() -> Iterator[Callable[[dict[int, bytes | None]], Puppet]]:
    """Start scripted brokers."""
    started: list[Puppet] = []

    def start(script: dict[int, bytes | None]) -> Puppet:
        started.append(Puppet(script))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_what_is_published_is_acknowledged_by_its_token_and_the_last_word_is_heard(
    broker: Broker, subscriber: Subscriber
) -> None:
    with linked(at(broker.port)) as (link, ear):
        assert ear.wait(Connected).broker == f"{HOST}:{broker.port}"
        token = link.publish(ONLINE)
        ear.wait(Acknowledged)
        assert ear.of(Acknowledged) == [Acknowledged(token)]
        link.close(OFFLINE)
        assert not link.connected
    until(lambda: subscriber.states() == ["online", "offline"], "both states")


def test_a_token_is_never_used_again_so_that_no_late_answer_is_taken_for_another(broker: Broker) -> None:
    with linked(at(broker.port)) as (link, ear):
        tokens = []
        for connection in range(1, 4):
            ear.wait(Connected, connection)
            tokens += [link.publish(ONLINE) for _ in range(10)]
            ear.wait(Acknowledged, 10 * connection)
            broker.kill()
            ear.wait(Lost, connection)
            broker.start()
    assert len(set(tokens)) == 30
    assert {event.token for event in ear.of(Acknowledged)} == set(tokens)


def test_what_is_listened_to_arrives_also_after_the_broker_came_back(broker: Broker) -> None:
    with linked(at(broker.port), [f"{BASE}/command"]) as (link, ear):
        for connection in (1, 2):
            ear.wait(Connected, connection)
            until(lambda: link.publish(Publication(f"{BASE}/command", b"x", qos=1)) and ear.of(Arrived), "an echo")
            assert ear.of(Arrived)[0] == Arrived(f"{BASE}/command", b"x", retained=False)
            broker.kill()
            ear.wait(Lost, connection)
            ear.events[:] = [event for event in ear.events if not isinstance(event, Arrived)]
            broker.start()


def test_a_broker_that_does_not_know_of_the_end_of_a_connection_says_offline_before_online(
    broker: Broker, subscriber: Subscriber
) -> None:
    with linked(at(broker.port)) as (old, heard):
        heard.wait(Connected)
        old.publish(ONLINE)
        heard.wait(Acknowledged)
        old._stop.set()  # it does not come back
        with linked(at(broker.port)) as (new, ear):
            ear.wait(Connected)
            new.publish(ONLINE)
            heard.wait(Lost)
            until(lambda: subscriber.states() == ["online", "offline", "online"], "the states in order")


def test_brokers_are_called_in_order_and_the_first_is_gone_back_to(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber]
) -> None:
    first, second = new_broker(), new_broker()
    told = new_subscriber(second.port)
    first.kill()
    dead = Settings(host=HOST, port=free_port())
    brokers = [dead, Settings(host=HOST, port=first.port), Settings(host=HOST, port=second.port)]
    with linked(Mqtt(brokers=brokers), return_s=0.2) as (link, ear):
        assert ear.wait(Connected).broker == f"{HOST}:{second.port}"
        link.publish(ONLINE)
        until(lambda: told.states() == ["online"], "the second broker knows")
        first.start()
        assert ear.wait(Connected, 2).broker == f"{HOST}:{first.port}"
        until(lambda: told.states() == ["online", "offline"], "the second broker says that we went")
    kinds = [type(event) for event in ear.events if not isinstance(event, Acknowledged)]
    assert kinds[:3] == [Connected, Lost, Connected]


def test_where_no_broker_answers_the_reason_of_each_is_told() -> None:
    ports = [free_port(), free_port()]
    with linked(Mqtt(brokers=[Settings(host=HOST, port=port) for port in ports])) as (_, ear):
        refused = "it cannot be reached: Connection refused"
        assert ear.wait(Lost).reason == "; ".join(f"{HOST}:{port}: {refused}" for port in ports)


def test_waits_grow_to_five_minutes_where_nobody_answers_and_begin_anew_after_a_connection(broker: Broker) -> None:
    broker.kill()
    chance = Eager()
    with linked(at(broker.port), chance=chance) as (_, ear):
        ear.wait(Lost, 12)
        assert chance.bounds[:11] == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, *[LONGEST_WAIT_S] * 3]
        broker.start()
        ear.wait(Connected)
        threading.Event().wait(1.1)  # it is of use
        tries = len(chance.bounds)
        broker.kill()
        until(lambda: len(chance.bounds) > tries, "the next wait")
        assert chance.bounds[tries] == 1.0


def test_a_broker_that_lets_in_and_hangs_up_is_not_spun_on(puppet: Callable[..., Puppet]) -> None:
    broker, chance = puppet({NEW: YES_NEW}), Eager()
    broker.impatient = True
    with linked(at(broker.port), chance=chance) as (_, ear):
        ear.wait(Connected, 8)
        ear.wait(Lost, 8)
        assert chance.bounds[:7] == [2.0, 4.0, 8.0, 16.0, *[HUNG_UP_WAIT_S] * 3]


def test_the_new_protocol_is_offered_first_each_time_for_a_broker_may_have_been_brought_up_to_date(
    puppet: Callable[..., Puppet],
) -> None:
    broker = puppet({NEW: NO_OLD, OLD: YES_OLD})
    with linked(at(broker.port)) as (_, ear):
        ear.wait(Connected)
        assert broker.calls == [NEW, OLD]
        broker.script = {NEW: YES_NEW}
        broker.hang_up()
        ear.wait(Connected, 2)
        assert broker.calls == [NEW, OLD, NEW]


@pytest.mark.parametrize("script", [{NEW: None, OLD: YES_OLD}, {OLD: YES_OLD}])
def test_only_a_broker_that_says_so_is_spoken_to_in_the_old_protocol_which_acknowledges_what_it_drops(
    puppet: Callable[..., Puppet], script: dict[int, bytes | None]
) -> None:
    broker = puppet(script)
    reason = refusal(at(broker.port), 0.3, "station")
    assert "hangs up without an answer" in reason or reason == "it does not answer within 0.3 s"
    assert broker.calls == [NEW, NEW]


def test_an_old_broker_that_gets_stuck_in_a_new_call_is_asked_in_a_way_that_it_can_read(
    puppet: Callable[..., Puppet],
) -> None:
    broker = puppet({NEW: NO_OLD, OLD: YES_OLD})
    broker.stuck_at = b"offline"
    with linked(at(broker.port)) as (_, ear):
        ear.wait(Connected)
    assert broker.calls == [NEW, NEW, OLD]


def test_both_protocols_are_told_apart(broker: Broker, puppet: Callable[..., Puppet]) -> None:
    for port, protocol in ((broker.port, MQTTv5), (puppet({NEW: NO_OLD, OLD: YES_OLD}).port, MQTTv311)):
        connection = connect(at(port), Caller("", 30), lambda _: None, lambda _: None)
        assert connection.protocol == protocol
        connection.close()


def test_no_more_is_in_flight_than_the_broker_takes(puppet: Callable[..., Puppet]) -> None:
    receive_maximum_three = b"\x20\x06\x00\x00\x03\x21\x00\x03"
    broker = puppet({NEW: receive_maximum_three})
    with linked(at(broker.port)) as (link, ear):
        ear.wait(Connected)
        for number in range(10):
            link.publish(Publication("t", b"message-%d" % number, qos=1))
        until(lambda: broker.heard.count(b"message-") == 3, "three messages")
        broker.say(b"\x40\x02\x00\x01")
        until(lambda: broker.heard.count(b"message-") == 4, "one more")
        assert len(ear.of(Acknowledged)) == 1


def test_the_largest_packet_that_a_broker_takes_is_told(new_broker: Callable[..., Broker]) -> None:
    with linked(at(new_broker("max_packet_size 3000").port)) as (_, ear):
        assert ear.wait(Connected).largest_bytes == 3000


def test_a_refused_message_is_told_with_the_reason(new_broker: Callable[..., Broker], tmp_path: Path) -> None:
    (tmp_path / "acl").write_text(f"topic write {BASE}/status\n", encoding="utf-8")
    with linked(at(new_broker(f"acl_file {tmp_path}/acl").port)) as (link, ear):
        ear.wait(Connected)
        token = link.publish(Publication(f"{BASE}/effort", b"x", qos=1))
        assert ear.wait(Refused) == Refused(token, "Not authorized")


def test_a_stop_does_not_wait_for_a_broker_that_says_nothing(puppet: Callable[..., Puppet]) -> None:
    broker = puppet({})
    ear = Ear()
    link = Link(at(broker.port), OFFLINE, [], ear.events.append)
    link.start()
    until(lambda: broker.calls, "the call")
    closing = threading.Thread(target=link.close)
    closing.start()
    closing.join(3.0)
    assert not closing.is_alive()


def test_what_is_no_address_is_told_and_tried_again() -> None:
    for host in ("a..b", "no-such-host.invalid", "x" * 300):
        with linked(Mqtt(host=host)) as (_, ear):
            ear.wait(Lost, 2)
            assert "it cannot be reached: " in ear.events[0].reason


@pytest.mark.parametrize("spare", [0, 1, 2, 3])
def test_a_machine_that_has_no_room_for_a_connection_is_waited_for(broker: Broker, spare: int) -> None:
    gc.collect()  # what others left open must not give room later
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open("rb") as file:
        free = file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, most))
    try:
        with linked(at(broker.port)) as (_, ear):
            assert "Too many open files" in ear.wait(Lost, 3).reason
            resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))
            ear.wait(Connected)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))


def test_many_failures_leave_no_socket_and_no_thread_behind(puppet: Callable[..., Puppet]) -> None:
    def kept() -> int:
        open_files = set(Path("/proc/self/fd").iterdir())
        return len(open_files) - len(refusing.calls) + threading.active_count()  # the puppet keeps one for each call

    refusing = puppet({NEW: b"\x20\x03\x00\x87\x00"})
    with linked(at(refusing.port)) as (_, ear):
        ear.wait(Lost, 20)
        before = kept()
        ear.wait(Lost, 120)
        until(lambda: kept() < before + 40, "nothing left")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the brokers of a test."""
    return Authority(tmp_path / "authority")


def encrypted(new_broker: Callable[..., Broker], files: tuple[Path, Path], *settings: str) -> Broker:
    """A broker that speaks TLS only."""
    return new_broker(f"certfile {files[0]}", f"keyfile {files[1]}", *settings)


def test_over_tls_only_a_broker_is_trusted_whose_certificate_is_vouched_for_and_says_where_it_is(
    new_broker: Callable[..., Broker], authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "foreign")
    there = encrypted(new_broker, authority.issue("broker"))
    elsewhere = encrypted(new_broker, authority.issue("elsewhere", "broker.example"))
    expired = encrypted(new_broker, authority.issue("expired", valid_from="-4d"))
    with linked(at(there.port, tls=True, ca_file=str(authority.ca))) as (_, ear):
        ear.wait(Connected)
    known = {"tls": True, "ca_file": str(authority.ca)}
    untrusted = "its certificate cannot be trusted: "
    assert refusal(at(elsewhere.port, **known)).startswith(f"{untrusted}IP address mismatch")
    assert refusal(at(expired.port, **known)) == f"{untrusted}certificate has expired"
    assert refusal(at(there.port, tls=True, ca_file=str(foreign.ca))).startswith(untrusted)
    assert refusal(at(there.port, tls=True)).startswith(untrusted)
    assert refusal(at(there.port)).startswith("it hangs up without an answer; does it expect another port, TLS")


def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority) -> None:
    cert, key = authority.issue("old")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            line, _ = listener.accept()
            with suppress(OSError):
                context.wrap_socket(line, server_side=True)

        threading.Thread(target=accept, daemon=True).start()
        settings = at(listener.getsockname()[1], tls=True, ca_file=str(authority.ca))
        assert "TLSV1_ALERT_PROTOCOL_VERSION" in refusal(settings)


def test_a_station_shows_its_own_certificate_where_the_broker_asks_for_it(
    new_broker: Callable[..., Broker], authority: Authority
) -> None:
    asking = ("require_certificate true", f"cafile {authority.ca}")
    broker = encrypted(new_broker, authority.issue("broker"), *asking)
    cert, key = authority.issue("station")
    known: dict[str, Any] = {"tls": True, "ca_file": str(authority.ca)}
    with linked(at(broker.port, **known, cert_file=str(cert), key_file=str(key))) as (_, ear):
        ear.wait(Connected)
    assert "certificate" in refusal(at(broker.port, **known))


def test_certificates_are_read_anew_at_each_connection(
    new_broker: Callable[..., Broker], authority: Authority, tmp_path: Path
) -> None:
    broker = encrypted(new_broker, authority.issue("broker"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path / "foreign").ca.read_bytes())
    with linked(at(broker.port, tls=True, ca_file=str(trusted))) as (_, ear):
        assert "cannot be trusted" in ear.wait(Lost).reason
        trusted.unlink()
        until(lambda: ear.of(Lost)[-1].reason.endswith(f"{trusted}: No such file or directory"), "a word on the file")
        trusted.write_bytes(authority.ca.read_bytes())
        ear.wait(Connected)


def test_files_that_cannot_be_used_stop_the_start_by_name(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.issue("station")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="utf-8")
    locked = tmp_path / "locked.key"
    lock = ["pkey", "-aes256", "-passout", "pass:x", "-in", str(key), "-out", str(locked)]
    subprocess.run([required("openssl"), *lock], check=True)
    _, other = authority.issue("other")
    missing = str(tmp_path / "missing")
    for files, told in (
        ({"ca_file": missing}, f"{missing}: No such file"),
        ({"ca_file": str(broken)}, f"{broken}: unencrypted PEM"),
        ({"cert_file": missing}, f"{missing}: No such file"),
        ({"cert_file": str(cert), "key_file": missing}, f"{missing}: No such file"),
        ({"cert_file": str(cert), "key_file": str(locked)}, f"{locked}: unencrypted PEM"),
        ({"cert_file": str(cert), "key_file": str(other)}, f"{other}: unencrypted PEM that fits together"),
    ):
        with pytest.raises(BrokerError) as refused:
            Link(at(1, tls=True, **files), OFFLINE, [], lambda _: None)
        assert told in str(refused.value)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websockets_carry_all_of_it(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber], authority: Authority, scheme: str
) -> None:
    cert, key = authority.issue("broker")
    port = free_port()
    secure = (f"certfile {cert}", f"keyfile {key}") if scheme == "wss" else ()
    broker = new_broker(f"listener {port} {HOST}", "protocol websockets", *secure)
    until(lambda: answers(port), "the broker listens")
    subscriber = new_subscriber(broker.port)
    known = {"tls": True, "ca_file": str(authority.ca)} if scheme == "wss" else {}
    with linked(at(port, websocket_path="/mqtt", **known)) as (link, ear):
        ear.wait(Connected)
        link.publish(ONLINE)
        ear.wait(Acknowledged)
        link.close(OFFLINE)
    until(lambda: subscriber.states() == ["online", "offline"], "both states")


def test_a_web_server_that_knows_no_websockets_is_told(puppet: Callable[..., Puppet]) -> None:
    broker = puppet(
        {ord("T"): b"HTTP/1.1 200 OK\r\nSec-WebSocket-Accept:x\r\n\r\n"} | dict.fromkeys(range(128), b"\n\n")
    )
    assert "it cannot be reached: " in refusal(at(broker.port, websocket_path="/mqtt"), patience_s=0.5)


def guarded(new_broker: Callable[..., Broker], folder: Path) -> Broker:
    """A broker that lets in `station` with the secret."""
    secure(folder / "users", SECRET)
    return new_broker("allow_anonymous false", f"password_file {folder}/users")


def secure(users: Path, password: str) -> None:
    """Give `station` a password."""
    command = [required("mosquitto_passwd"), "-b", "-c", str(users), "station", password]
    subprocess.run(command, check=True, capture_output=True)


def hidden(way: str, folder: Path, name: str, content: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Put something where it can be read in one of the ways, and say so."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv(f"DC_{name}", content)
    (folder / name).write_text(f"{content}\nmore\n", encoding="utf-8")
    place = {"credential": name, "file": str(folder / name), "variable": f"DC_{name}"}
    return {f"{name}_{way}": place[way]}


@pytest.mark.parametrize("way", ["credential", "file", "variable"])
def test_user_and_password_come_from_each_place_and_a_changed_one_is_taken_up(
    new_broker: Callable[..., Broker], tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = guarded(new_broker, tmp_path)
    places = hidden(way, tmp_path, "username", "station", monkeypatch)
    places |= hidden(way, tmp_path, "password", "wrong", monkeypatch)
    with linked(parse(f"mqtt: {{host: {HOST}, port: {broker.port}}}").mqtt) as (_, ear):
        assert "it refuses these credentials: Not authorized" in ear.wait(Lost).reason
    with linked(at(broker.port, **places)) as (_, ear):
        assert "it refuses these credentials: Not authorized" in ear.wait(Lost).reason
        hidden(way, tmp_path, "password", SECRET, monkeypatch)
        ear.wait(Connected)


def test_a_place_that_holds_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe" + SECRET.encode())
    missing = str(tmp_path / "missing")
    for place, told in (
        ({"password_file": missing}, f"mqtt: {missing}: No such file or directory"),
        ({"password_file": str(tmp_path / "binary")}, f"mqtt: {tmp_path}/binary: UTF-8 text expected"),
        ({"password_variable": "DC_NONE"}, "mqtt: environment variable DC_NONE is not set"),
        ({"password_credential": "x"}, "systemd gives no credentials to this process"),
    ):
        with pytest.raises(BrokerError) as refused:
            Link(at(1, username="station", **place), OFFLINE, [], lambda _: None)
        assert told in str(refused.value)
        assert SECRET not in "".join(map(str, (refused.value, refused.value.__cause__)))


@pytest.mark.parametrize(
    "text",
    [
        f"mqtt: {{password: {SECRET}}}",
        f"mqtt: {{username: x, password: {{a: {SECRET}}}}}",
        f"mqtt: {{brokers: [{{host: a, password: {SECRET}}}]}}",
        f"mqtt: {{brokers: [{{host: a, passwd: {SECRET}}}]}}",
        f"mqtt:\n  password: {SECRET}: x\n",
        f"mqtt:\n  password: '{SECRET}\n",
    ],
)
def test_a_password_in_the_configuration_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert SECRET not in repr(refused.value)
    assert refused.value.__cause__ is None
    if "passwd" not in text and "'" not in text and ": x" not in text:
        assert "with password_credential or password_file or password_variable." in str(refused.value)


def test_a_password_is_seen_nowhere(
    new_broker: Callable[..., Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = guarded(new_broker, tmp_path)
    places = hidden("variable", tmp_path, "password", SECRET, monkeypatch)
    mqtt = {"host": HOST, "port": broker.port, "username": "station", **places}
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav"), speed=0.1), 0, mqtt=mqtt, log="debug")
    for command in (("config", "check"), ("doctor", "--json")):
        finished = run(*command, "--config", config)
        assert SECRET not in finished.stdout + finished.stderr
        assert "password_variable: DC_password" in finished.stdout or command[0] == "doctor"
    with Daemon(config) as daemon:
        until(lambda: f"connected to {HOST}:{broker.port}" in daemon.said(), "a connection")
        arguments = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
        secure(tmp_path / "users", "another")
        broker.kill()
        broker.start()
        until(lambda: "it refuses these credentials" in daemon.said(), "a refusal")
        said = daemon.said()
    assert SECRET not in said
    assert SECRET.encode() not in arguments

"""Lines that break in each way there is: each ends in full delivery, and meanwhile the station waits, idle."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from certificates import Authority
from field import Listener, Wanderer
from rigs import Broker, Subscriber, free_port, need_root, required, until

from monitor.config.mqtt import Mqtt
from monitor.delivery.budget import Budget
from monitor.delivery.publication import Publication

HOST = "127.0.0.1"
OUTAGE_S = 12.0
"""long enough for a keepalive of 5 s to notice"""
IDLE_SHARE = 0.15
"""of a core: ten detections a second are kept meanwhile, and the line is tried"""
GROWTH_BYTES = 20_000_000


@contextmanager
def idle(station: Wanderer) -> Iterator[None]:
    """What happens meanwhile costs the station neither work nor memory."""
    began, worked, bytes_before = station.used
    yield
    ended, had_worked, bytes_after = station.used
    assert (had_worked - worked) / (ended - began) < IDLE_SHARE, station.name
    assert bytes_after - bytes_before < GROWTH_BYTES, station.name


class Place:
    """A network namespace with one line to ours; `here` and `there` are the addresses of its ends."""

    def __init__(self, number: int) -> None:
        self.name, self._line = f"dc{os.getpid()}-{number}", f"dc{os.getpid() % 100_000}-{number}"
        net = f"10.213.{os.getpid() % 250}"
        self.here, self.there = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._line, "type", "veth", "peer", "name", "far", "netns", self.name)
        self._ip("address", "add", f"{self.here}/30", "dev", self._line)
        self._ip("-n", self.name, "address", "add", f"{self.there}/30", "dev", "far")
        self.line("up")
        for device in ("far", "lo"):
            self._ip("-n", self.name, "link", "set", device, "up")

    @property
    def enter(self) -> tuple[str, ...]:
        """The command that starts another there."""
        return (required("ip"), "netns", "exec", self.name)

    def line(self, state: str) -> None:
        """Set the line up or down."""
        self._ip("link", "set", self._line, state)

    def filter(self, change: str, *target: str) -> None:
        """Add (-A) or delete (-D) a rule for all that leaves."""
        subprocess.run([*self.enter, required("iptables"), change, "OUTPUT", "-p", "tcp", "-j", *target], check=True)

    def carried_bytes(self) -> int:
        """That have gone over the line, both ways, without the frames of Ethernet."""
        counts = psutil.net_io_counters(pernic=True)[self._line]
        return counts.bytes_recv + counts.bytes_sent - 14 * (counts.packets_recv + counts.packets_sent)

    def close(self) -> None:
        """Leave nothing behind: the line goes with its end."""
        self._ip("netns", "delete", self.name)

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run([required("ip"), *arguments], check=True)


class Proxy:
    """A line to a broker that can stall: nothing comes through in either direction, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._broker, self._open = port, threading.Event()
        self._open.set()
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Let nothing through."""
        self._open.clear()

    def release(self) -> None:
        """Let everything through, also what was held up."""
        self._open.set()

    def close(self) -> None:
        """Take no more."""
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection((HOST, self._broker))
                for source, target in ((client, broker), (broker, client)):
                    threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                self._open.wait()
                target.sendall(content)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def places() -> Iterator[list[Place]]:
    """Three places far away."""
    need_root()
    made: list[Place] = []
    try:
        for number in range(3):
            made.append(Place(number))  # noqa: PERF401 each has to be taken away again, also if the next fails
        yield made
    finally:
        for place in made:
            place.close()


def test_a_line_that_is_down_drops_rejects_or_stalls_is_waited_for_and_then_everything_arrives(
    places: list[Place],
    new_broker: Callable[..., Broker],
    new_subscriber: Callable[..., Subscriber],
    tmp_path: Path,
) -> None:
    down, dropping, rejecting = places
    port = free_port()
    broker = new_broker(*(f"listener {port} {place.here}" for place in places))
    listener, proxy = Listener(new_subscriber(broker.port)), Proxy(broker.port)
    faults: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "down": (lambda: down.line("down"), lambda: down.line("up")),
        "drop": (lambda: dropping.filter("-A", "DROP"), lambda: dropping.filter("-D", "DROP")),
        "reject": (lambda: rejecting.filter("-A", "REJECT"), lambda: rejecting.filter("-D", "REJECT")),
        "stall": (proxy.stall, proxy.release),
    }
    with ExitStack() as stack:
        stack.callback(proxy.close)
        stations = []
        for name, place in zip(faults, places, strict=False):
            mqtt = {"host": place.here, "port": port}
            stations.append(stack.enter_context(Wanderer(tmp_path / name, name, mqtt, *place.enter)))
        mqtt = {"host": HOST, "port": proxy.port}
        stations.append(stack.enter_context(Wanderer(tmp_path / "stall", "stall", mqtt)))
        for station in stations:
            until(lambda s=station: listener.ids(s), f"{station.name} is heard: {station.said()}")
        for begin, _ in faults.values():
            begin()
        with ExitStack() as meanwhile:
            for station in stations:
                meanwhile.enter_context(idle(station))
            time.sleep(OUTAGE_S)
        waiting = {station.name: station.ids() - listener.ids(station) for station in stations}
        for _, end in faults.values():
            end()
        assert all(len(ids) > OUTAGE_S for ids in waiting.values())
        for station in stations:
            listener.wait_for(station, waiting[station.name])
            listener.check(station)


def users(folder: Path, password: str) -> Path:
    """A password file of mosquitto that lets in `listener`, and `station` with a password of its own."""
    path = folder / "users"
    for new, name, its in (("-c", "listener", "ear"), ("", "station", password)):
        command = [required("mosquitto_passwd"), "-b", *([new] if new else []), str(path), name, its]
        subprocess.run(command, check=True, capture_output=True)
    return path


def test_refusals_and_certificates_that_are_mended_end_in_full_delivery(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber], tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    cert, key = authority.issue("broker", valid_from="-4d")
    own, own_key = authority.issue("station", valid_from="-4d")
    ports = free_port(), free_port()
    secured = new_broker(f"listener {ports[0]} {HOST}", f"certfile {cert}", f"keyfile {key}")
    asking = (f"cafile {authority.ca}", "require_certificate true")
    good, good_key = authority.issue("good")
    strict = new_broker(f"listener {ports[1]} {HOST}", f"certfile {good}", f"keyfile {good_key}", *asking)
    guarded = new_broker("allow_anonymous false", f"password_file {users(tmp_path, 'first')}")
    password = tmp_path / "password"
    password.write_text("wrong\n", encoding="utf-8")
    tls = {"host": HOST, "tls": True, "ca_file": str(authority.ca)}
    heard = {broker: Listener(new_subscriber(broker.port)) for broker in (secured, strict)}
    watching = Listener(new_subscriber(guarded.port, "-u", "listener", "-P", "ear"))
    with ExitStack() as stack:

        def station(name: str, mqtt: dict[str, Any]) -> Wanderer:
            return stack.enter_context(Wanderer(tmp_path / name, name, mqtt))

        theirs = station("theirs", tls | {"port": ports[0]})
        ours = station("ours", tls | {"port": ports[1], "cert_file": str(own), "key_file": str(own_key)})
        access = {"username": "station", "password_file": str(password)}
        refused = station("refused", access | {"host": HOST, "port": guarded.port})
        theirs.wait_for("its certificate cannot be trusted: certificate has expired")
        ours.wait_for("no connection to a broker")
        refused.wait_for("it refuses these credentials: Not authorized")
        with idle(theirs), idle(ours), idle(refused):
            time.sleep(1.5)
        authority.issue("broker")
        secured.reload()
        authority.issue("station")
        password.write_text("first\n", encoding="utf-8")
        for one in (theirs, ours, refused):
            one.wait_for("connected to")
        users(tmp_path, "second")
        guarded.kill()
        guarded.start()
        refused.wait_for("it refuses these credentials: Not authorized", 2)
        password.write_text("second\n", encoding="utf-8")
        refused.wait_for("connected to", 2)
        heard[secured].check(theirs)
        heard[strict].check(ours)
        watching.check(refused)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run([required("mount"), "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run([required("umount"), "--lazy", str(disk)], check=True)


def test_a_disk_that_fills_while_the_line_is_up_ends_in_full_delivery(
    broker: Broker, subscriber: Subscriber, small_disk: Path, tmp_path: Path
) -> None:
    listener, ballast = Listener(subscriber), small_disk / "ballast"
    mqtt = {"host": HOST, "port": broker.port}
    with Wanderer(tmp_path / "disk-full", "disk", mqtt, store=small_disk / "store") as station:
        until(lambda: listener.ids(station), f"{station.name} is heard: {station.said()}")
        with suppress(OSError):
            ballast.write_bytes(bytes(3_000_000))
        station.wait_for("cannot be written")
        with idle(station):
            time.sleep(2.0)
        ballast.unlink()
        station.wait_for("store writes again")
        listener.wait_for(station, station.ids())
        listener.check(station)


def test_what_the_budget_counts_is_what_goes_over_the_line(
    places: list[Place],
    new_broker: Callable[..., Broker],
    new_subscriber: Callable[..., Subscriber],
    tmp_path: Path,
) -> None:
    place, port = places[0], free_port()
    subscriber = new_subscriber(new_broker(f"listener {port} {place.here}").port)
    budget = Budget(Mqtt(host=place.here, budget_kb_per_hour=1000))
    with Wanderer(tmp_path / "station", "metered", {"host": place.here, "port": port}, *place.enter) as station:
        station.wait_for("connected to")
        time.sleep(0.5)
        before, heard_before = place.carried_bytes(), len(subscriber.received())
        time.sleep(4.0)
        carried, heard = place.carried_bytes() - before, subscriber.received()[heard_before:]
    counted = sum(budget.cost(Publication(message.topic, message.payload, qos=1)) for message in heard)
    assert 0.9 * carried < counted < 1.5 * carried

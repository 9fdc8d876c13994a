"""A satellite receiver: a server on this machine that speaks the documented protocol of gpsd, or breaks it."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rigs import free_port, kept, until
from test_clock_live import NOON, World
from test_store import opened

from monitor.clock import Quality
from monitor.clock.gpsd import ask_gpsd
from monitor.config.clock import Timekeeping
from monitor.service.timekeeping import Timekeeper

# As in gpsd_json(5).
VERSION = b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}'
DEVICES = b'{"class":"DEVICES","devices":[{"class":"DEVICE","path":"/dev/ttyACM0","driver":"u-blox","flags":1}]}'
WATCH = b'{"class":"WATCH","enable":true,"json":true,"nmea":false,"raw":0,"scaled":false,"timing":false}'
SKY = b'{"class":"SKY","device":"/dev/ttyACM0","nSat":12,"uSat":9,"satellites":[]}'
NO_FIX = b'{"class":"TPV","device":"/dev/ttyACM0","mode":1}'
FIX = (
    b'{"class":"TPV","device":"/dev/ttyACM0","mode":3,"time":"2028-02-29T12:00:30.000Z","ept":0.005,"lat":47.376900000,'
    b'"lon":8.541700000,"altHAE":455.1,"epx":3.7,"epy":5.2,"epv":11.7}'
)


class Receiver:
    """gpsd for one client after the other."""

    def __init__(self, reports: Sequence[bytes]) -> None:
        self.asked: list[bytes] = []
        self.reports = reports
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, suppress(OSError):
                    client.sendall(VERSION + b"\r\n")
                    self.asked.append(client.recv(200))
                    whole = b"\r\n".join([DEVICES, WATCH, *self.reports, b""])
                    for start in range(0, len(whole), 50):  # a line may come in pieces
                        client.sendall(whole[start : start + 50])
                    client.recv(1)


@contextmanager
def receiving(*reports: bytes) -> Iterator[Receiver]:
    """A receiver that reports."""
    receiver = Receiver(reports)
    try:
        yield receiver
    finally:
        receiver.close()


def test_time_and_position_are_those_of_the_first_report_with_a_fix() -> None:
    with receiving(SKY, NO_FIX, FIX) as receiver:
        fix = ask_gpsd("127.0.0.1", receiver.port)
        assert receiver.asked == [b'?WATCH={"enable":true,"json":true};\n']
    assert fix is not None
    assert fix.utc == datetime(2028, 2, 29, 12, 0, 30, tzinfo=UTC)
    assert (fix.latitude, fix.longitude, fix.error_s) == (47.3769, 8.5417, 0.005)


def test_a_fix_without_a_position_still_has_a_time() -> None:
    with receiving(b'{"class":"TPV","mode":2,"time":"2028-02-29T12:00:30.000Z"}') as receiver:
        fix = ask_gpsd("127.0.0.1", receiver.port)
    assert fix is not None
    assert (fix.latitude, fix.longitude, fix.error_s) == (None, None, 0.0)


@pytest.mark.parametrize(
    "report",
    [
        b"HTTP/1.1 400 Bad Request",
        b'["class"]',
        b'{"class":"TPV"}',
        b'{"class":"TPV","mode":"3","time":1}',
        b'{"class":"TPV","mode":3}',
        b'{"class":"TPV","mode":3,"time":"yesterday"}',
        b'{"class":"TPV","mode":3,"time":"2028-02-29T12:00:30"}',
        b'{"class":"TPV","mode":3,"time":"2028-02-29T12:00:30Z","ept":"little"}',
        b"\xff\xfe",
        b'{"class":' + b"[" * 3_000,
    ],
)
def test_what_is_no_report_is_passed_over(report: bytes) -> None:
    with receiving(report, FIX) as receiver:
        fix = ask_gpsd("127.0.0.1", receiver.port)
    assert fix is not None
    assert fix.latitude == 47.3769


def test_where_gpsd_does_not_run_or_has_no_fix_nothing_is_known() -> None:
    assert ask_gpsd("127.0.0.1", free_port()) is None
    times = iter([0.0, 0.0, 1.0, 2.0, 10.0, 10.0, 10.0])
    with receiving(NO_FIX) as receiver:
        assert ask_gpsd("127.0.0.1", receiver.port, lambda: next(times, 10.0)) is None


def test_the_timekeeper_asks_has_the_store_corrected_and_keeps_the_position(tmp_path: Path) -> None:
    world, store = World(), opened(tmp_path)
    world.wrong_s = 86_400.0
    station = world.station()
    with receiving(FIX) as receiver:
        settings = Timekeeping(gpsd_host="127.0.0.1", gpsd_port=receiver.port)
        world.monotonic += 30.5
        keeper = Timekeeper(station, store, settings, lambda host, port: ask_gpsd(host, port, lambda: world.monotonic))
        keeper.start()
        until(lambda: kept(tmp_path)["boots"][0]["quality"] == "gps", "the reference is kept")
        keeper.close()
    store.close()
    reference = station.reference
    assert reference is not None
    time = reference.at(world.monotonic).utc
    assert time is not None
    assert time.timestamp() == pytest.approx(NOON + 30.5)
    assert reference.quality is Quality.GPS
    assert kept(tmp_path)["position"] == [{"receiver": "gps", "latitude": 47.3769, "longitude": 8.5417}]

"""A daemon on a machine whose clock lies: it starts in 1970, is set wrong by hand and right by a time server.

libfaketime gives the system clock, and leaves the monotonic one as it is. No kernel vouches for such a clock: whether
it is synchronised the test says, by a file.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rigs import Broker, Subscriber, configure, until

from monitor.messages.published import published
from monitor.soundscape import soundscape

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
RATE = 48_000
PIECE_S = 0.05
SUMMER_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC)

# Python sleeps until a moment of the monotonic clock, which libfaketime takes for one of the clock that it fakes.
DAEMON = """
import os, select, sys, time

time.sleep = lambda seconds: select.select([], [], [], seconds)

from monitor.clock.kernel import Kernel
from monitor.clock.reference import StationClock
from monitor.service import timekeeping

timekeeping.LOOK_S = 0.3
StationClock.__init__.__kwdefaults__["kernel"] = lambda: Kernel(os.path.exists("synchronised"), 0.01)

from monitor.cli import main

main()
"""


def library() -> str:
    """What to load before the daemon."""
    found = [path for folder in LIBRARIES if (path := Path(folder) / "libfaketimeMT.so.1").exists()]
    if not found:
        pytest.skip("not on this system: libfaketime")
    return str(found[0])


@dataclass(frozen=True, slots=True)
class Machine:
    """A daemon that listens to a pipe, and the clock that it believes to have."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def set_clock(self, local: str, *, synchronised: bool) -> None:
        """From now on it is this time, at the machine."""
        self.folder.joinpath("synchronised").unlink(missing_ok=True)
        set_time(self.folder, local)
        if synchronised:
            self.folder.joinpath("synchronised").touch()

    def hear(self, samples: "np.ndarray[Any, np.dtype[np.float32]]") -> None:
        """Give it audio as fast as a microphone does, and then no more."""
        pcm, size, began = (samples * 32767).astype("<i2").tobytes(), 2 * round(PIECE_S * RATE), time.monotonic()
        assert self.process.stdin is not None
        for count, start in enumerate(range(0, len(pcm), size), 1):
            time.sleep(max(0.0, began + count * PIECE_S - time.monotonic()))
            self.process.stdin.write(pcm[start : start + size])
            self.process.stdin.flush()
        self.process.stdin.close()


def set_time(folder: Path, local: str) -> None:
    """Replaced, not rewritten: it is read all the time."""
    folder.joinpath("new").write_text(f"@{local}\n", encoding="utf-8")
    folder.joinpath("new").rename(folder / "time")


@contextmanager
def machine(folder: Path, port: int, local: str) -> Iterator[Machine]:
    """Switch it on at this time, which nobody vouches for."""
    config = configure(folder, {"kind": "pipe"}, port, clock={"gpsd_host": None})
    folder.joinpath("daemon.py").write_text(DAEMON, encoding="utf-8")
    set_time(folder, local)
    environment = os.environ | {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "time"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "Europe/Berlin",
    }
    command = [sys.executable, "daemon.py", "run", "--config", str(config)]
    with folder.joinpath("daemon.log").open("wb") as log:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=log, stderr=log, env=environment)
    try:
        yield Machine(folder, process)
    finally:
        process.kill()
        process.wait()


def seconds(later: str, earlier: str) -> float:
    """From one time to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def test_a_clock_that_is_set_again_and_again_moves_all_times_alike_and_only_when_somebody_vouches_for_it(
    tmp_path: Path, broker: Broker, subscriber: Subscriber
) -> None:
    whole = soundscape(RATE)
    twice = np.concatenate([whole[2 * RATE : 10 * RATE], whole[2 * RATE : 12 * RATE]])

    def told(level: str, count: int) -> list[dict[str, Any]]:
        return until(
            lambda: (
                found if len(found := [m.content for m in subscriber.received() if m.level == level]) >= count else []
            ),
            f"{count} {level}",
        )

    with machine(tmp_path, broker.port, "1970-01-01 00:00:00") as station:
        until(subscriber.states, "it is there to listen")
        sound = threading.Thread(target=station.hear, args=(twice,))
        sound.start()
        first = told("detections", 1)[0]
        assert (first["onset_utc"], first["clock_quality"]) == (None, "unsynced")

        station.set_clock("2026-10-25 01:59:57", synchronised=False)
        by_hand = told("corrections", 1)[0]
        station.set_clock("2026-10-25 02:59:57", synchronised=True)
        by_server = told("corrections", 2)[1]
        station.set_clock("2026-10-24 23:00:00", synchronised=False)
        last = told("detections", 2)[1]
        sound.join()
        assert station.process.wait(20) == 0

    assert [by_hand["id"], by_server["id"]] == [first["id"]] * 2
    assert [by_hand["clock_quality"], by_server["clock_quality"]] == ["unsynced", "ntp"]
    assert 3590 < seconds(by_server["onset_utc"], by_hand["onset_utc"]) < 3600
    length_s = first["offset_s"] - first["onset_s"]
    for corrected in (by_hand, by_server):
        assert seconds(corrected["offset_utc"], corrected["onset_utc"]) == pytest.approx(length_s, abs=0.002)

    assert last["clock_quality"] == "ntp"
    assert datetime.fromisoformat(by_server["onset_utc"]) < SUMMER_ENDS < datetime.fromisoformat(last["offset_utc"])
    apart_s = seconds(last["onset_utc"], by_server["onset_utc"])
    assert abs(apart_s - (last["onset_s"] - first["onset_s"])) <= last["clock_error_s"] + by_server["clock_error_s"]
    assert len([m for m in subscriber.received() if m.level == "corrections"]) == 2
    for message in subscriber.received():
        jsonschema.validate(message.content, published()[message.level])

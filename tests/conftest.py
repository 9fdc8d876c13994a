"""What tests share: real parts that start when a test asks for them and end with it.

With CI=true a test that cannot run is a failure. Only the real recordings, which nobody may redistribute,
can be absent; then the report says so.
"""

import ctypes.util
import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from rigs import ROOT, Broker, SoundServer, Subscriber, Supervisor, short_folder

DATA = Path(os.environ.get("DAWNCHORUS_DATA") or ROOT.parent / "shared" / "data")
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as a shell in the background has it: our commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = [] if os.environ.get("DAWNCHORUS_HOMEASSISTANT") else ["test_homeassistant_itself.py"]
"""Home Assistant itself takes 320 MB and minutes to install: `make test-homeassistant`"""
REACHING = frozenset(
    [
        "clock",
        "compare",
        "contract",
        "effort",
        "features",
        "levels",
        "names",
        "noise_floor",
        "overload",
        "pipeline",
        "resample",
        "schedule",
        "soundscape",
        "species",
        "tracker",
        "windows",
    ]
)
"""the tests that reach every branch of the pure stages: to trace the others costs them a fifth of their time"""
NO_DATA = f"no real recordings in {DATA}: set DAWNCHORUS_DATA to the folder that holds birds/ and negatives/"


def pytest_report_header() -> str:
    """Say aloud where the real recordings are, or that there are none."""
    return f"real recordings: {DATA}" if DATA.is_dir() else f"REAL RECORDINGS: NONE; {NO_DATA}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have only those traced that are REACHING."""
    for item in items:
        if item.path.stem.removeprefix("test_") not in REACHING:
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test has failed."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NO_DATA not in reason:
            report.outcome = "failed"
            report.longrepr = f"in CI no test may be skipped: {reason}"
    return report


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA


@pytest.fixture
def new_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Start a mosquitto with further lines of configuration."""
    started: list[Broker] = []

    def start(*settings: str) -> Broker:
        started.append(Broker(tmp_path / f"broker{len(started)}", *settings))
        return started[-1].start()

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def broker(new_broker: Callable[..., Broker]) -> Broker:
    """A mosquitto that lets everybody do everything."""
    return new_broker()


@pytest.fixture
def new_subscriber(tmp_path: Path) -> Iterator[Callable[..., Subscriber]]:
    """Subscribe at a port, with further options of mosquitto_sub."""
    subscribed: list[Subscriber] = []

    def subscribe(port: int, *options: str) -> Subscriber:
        subscribed.append(Subscriber(port, tmp_path / f"subscriber{len(subscribed)}", *options))
        return subscribed[-1]

    yield subscribe
    for subscriber in subscribed:
        subscriber.close()


@pytest.fixture
def subscriber(broker: Broker, new_subscriber: Callable[..., Subscriber]) -> Subscriber:
    """A process that is sent everything the broker gets."""
    return new_subscriber(broker.port)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """What systemd would listen with."""
    with short_folder() as folder:
        listening = Supervisor(str(folder / "notify"))
        yield listening
        listening.close()


@pytest.fixture
def sound_server() -> Iterator[SoundServer]:
    """A sound server with a wall and a microphone before it."""
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("not on this system: libportaudio2")
    with short_folder() as folder:
        server = SoundServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()

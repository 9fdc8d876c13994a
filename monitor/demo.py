"""The demonstration: a broker, the daemon as its own process, and a subscriber that hears of every detection."""

import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import soundfile
import yaml
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from monitor import soundscape
from monitor.errors import BrokerError, MonitorError
from monitor.messages import CorrectionMessage, DetectionMessage, EffortMessage, StatusMessage
from monitor.sources.recordings import open_recording

LENGTH_S = 35.0
"""the microphone is listened to for so long; a longer recording is played faster to end in this time"""
BROKER_START_S = 30.0
"""the embedded one is written in Python: on an emulated Arm processor it was not there after 10 s"""
DAEMON_START_S = 20.0
STATION = "demo"

Message = DetectionMessage | EffortMessage | CorrectionMessage | StatusMessage
_TYPES: dict[str, type[Message]] = {
    "detections": DetectionMessage,
    "effort": EffortMessage,
    "corrections": CorrectionMessage,
    "status": StatusMessage,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What is about to be shown."""

    broker: str
    port: int
    source: str
    speed: float


def demonstrate(audio: Path | None, *, microphone: bool, model: Path | None) -> Iterator[Stage | Message]:
    """Yield what is shown: first the stage, then each message as the subscriber receives it.

    Raises RecordingError for audio that cannot be read, BrokerError where no broker can be started, and
    MonitorError where the daemon ends with an error.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dawnchorus-demo-")))
        source, name, speed = _source(folder, audio, microphone=microphone)
        broker, port = stack.enter_context(_broker(folder))
        received = stack.enter_context(_subscriber(port))
        yield Stage(broker, port, name, speed)
        config = {
            "station": STATION,
            "source": source,
            "model": str(model) if model else None,
            "store": {"directory": str(folder / "store")},
            "mqtt": {"host": "127.0.0.1", "port": port},
            "log": "warning",
        }
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        yield from _daemon(path, received, LENGTH_S if microphone else None)


def _source(folder: Path, audio: Path | None, *, microphone: bool) -> tuple[dict[str, Any], str, float]:
    """The daemon's source, what to call it, and its speed."""
    if microphone:
        return {"kind": "microphone"}, f"the microphone, for {LENGTH_S:g} s", 1.0
    name = str(audio)
    if audio is None:
        audio = folder / f"soundscape_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.wav"
        soundfile.write(audio, soundscape.soundscape(), 48_000, subtype="PCM_16")
        name = (
            f"a SYNTHESISED soundscape: a great tit's two-note song over wind, {soundscape.SNR_DB:g} dB "
            "above the noise of its octave"
        )
    open_recording(audio)  # refuses what is no audio before anything starts
    speed = max(1.0, soundfile.info(audio).duration / LENGTH_S)
    return {"kind": "recordings", "paths": [str(audio.resolve())], "speed": speed}, name, speed


@contextmanager
def _broker(folder: Path) -> Iterator[tuple[str, int]]:
    """A broker on a free port of the loopback: mosquitto where it is installed, else one in Python."""
    port = _free_port()
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if mosquitto:
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n", encoding="utf-8")
        command = [mosquitto, "-c", str(settings)]
    else:
        settings = folder / "amqtt.yaml"
        listener = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        settings.write_text(yaml.safe_dump({"listeners": listener, "plugins": plugins}), encoding="utf-8")
        command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(settings)]
    log = (folder / "broker.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait_for_port(port, process, folder / "broker.log")
        yield ("mosquitto" if mosquitto else "the embedded broker (amqtt)"), port
    finally:
        process.terminate()
        process.wait(5)
        log.close()


@contextmanager
def _subscriber(port: int) -> Iterator[queue.SimpleQueue[Message]]:
    """What arrives under the station's topics."""
    received: queue.SimpleQueue[Message] = queue.SimpleQueue()
    ready: queue.SimpleQueue[None] = queue.SimpleQueue()

    def take(_client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401
        level = message.topic.rpartition("/")[2]
        if level in _TYPES:
            received.put(msgspec.json.decode(message.payload, type=_TYPES[level]))

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.on_message = take
    client.on_connect = lambda c, *_: c.subscribe(f"dawnchorus/{STATION}/+", qos=1)
    client.on_subscribe = lambda *_: ready.put(None)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.get(timeout=BROKER_START_S)
        yield received
    except queue.Empty:
        msg = f"the broker on port {port} does not take a subscription within {BROKER_START_S:g} s"
        raise BrokerError(msg) from None
    finally:
        client.disconnect()
        client.loop_stop()


def _daemon(config: Path, received: "queue.SimpleQueue[Message]", stop_after_s: float | None) -> Iterator[Message]:
    """Run the daemon and yield what is received until it says offline."""
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    process = subprocess.Popen(command)  # noqa: S603
    begin = time.monotonic()
    online = False
    try:
        while True:
            try:
                message = received.get(timeout=0.2)
            except queue.Empty:
                if process.poll() is not None:
                    break
                if stop_after_s is not None and time.monotonic() - begin > stop_after_s:
                    process.send_signal(signal.SIGTERM)
                    stop_after_s = None
                continue
            yield message
            if isinstance(message, StatusMessage) and message.state == "offline" and online:
                break
            online = online or isinstance(message, StatusMessage)
        code = process.wait(DAEMON_START_S)
    finally:
        process.kill()
        process.wait()
    if code:
        msg = f"the daemon ended with exit code {code}"
        raise MonitorError(msg)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + BROKER_START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    msg = f"no broker on port {port}: {' '.join(log.read_text(encoding='utf-8').split())[-300:] or 'it says nothing'}"
    raise BrokerError(msg)

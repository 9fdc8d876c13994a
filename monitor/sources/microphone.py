"""A microphone as a source, through PortAudio, judged by the samples that arrive.

PortAudio says nothing when a sound server freezes and little when it loses samples, so its flags are
not trusted: samples received are held against the monotonic clock. With a frozen server no call into
PortAudio returns, so each is made in a thread of its own. sounddevice is imported when a microphone is
asked for, because its import fails where the system lacks libportaudio.
"""

import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, TypeVar

from monitor.clock import system_quality
from monitor.errors import MicrophoneError
from monitor.records import Block, Samples
from monitor.sources import Stream

logger = logging.getLogger(__name__)
T = TypeVar("T")

BLOCK_S = 0.1
HELD_BLOCKS = 300
"""half a minute of audio: what inference may fall behind before the newest audio is lost, as a gap"""
SILENT_S = 5.0
"""without a single sample for so long, the microphone is gone"""
WILD_FACTOR = 2.0
"""a source that is this much faster than real time is no microphone"""
ANSWER_S = 5.0
CLOSE_S = 2.0
"""what a call into PortAudio may take; afterwards the sound server counts as frozen"""
_ASKING = "portaudio"
"""name of the threads that call into it"""


@dataclass(frozen=True, slots=True)
class Device:
    """An input that PortAudio offers."""

    index: int
    name: str
    host_api: str
    channels: int
    sample_rate: int
    """Hz, the device's own choice"""
    default: bool


def list_devices() -> list[Device]:
    """All inputs, as they are now. MicrophoneError where there is no PortAudio or its sound server is frozen."""
    return _ask(_listed, ANSWER_S)


def _listed() -> list[Device]:
    sound = _sounddevice()
    # PortAudio lists what was there when it was initialised; a device that came later needs this.
    sound._terminate()  # noqa: SLF001
    sound._initialize()  # noqa: SLF001
    apis = sound.query_hostapis()
    return [
        Device(
            index=index,
            name=found["name"],
            host_api=apis[found["hostapi"]]["name"],
            channels=found["max_input_channels"],
            sample_rate=int(found["default_samplerate"]),
            default=index == sound.default.device[0],
        )
        for index, found in enumerate(sound.query_devices())
        if found["max_input_channels"] > 0
    ]


def choose_device(devices: list[Device], wanted: str) -> Device:
    """The input whose name is `wanted`, or contains it; the default one for an empty text.

    Raises MicrophoneError, listing the inputs, unless exactly one fits.
    """
    fitting = [d for d in devices if d.default] if not wanted else [d for d in devices if d.name == wanted]
    if not fitting and wanted:
        fitting = [d for d in devices if wanted.casefold() in d.name.casefold()]
    if not fitting and not wanted:
        fitting = devices[:1]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(repr(d.name) for d in (fitting or devices)) or "none at all"
    problem = f"{len(fitting)} inputs fit" if fitting else "no input fits"
    msg = f"microphone {wanted!r}: {problem}; there are: {names}" if wanted else f"no microphone; inputs: {names}"
    raise MicrophoneError(msg)


def open_microphone(
    wanted: str,
    sample_rate: int | None,
    stop: threading.Event,
    monotonic: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Stream:
    """Open an input and wait for its first samples.

    `wanted` is part of its name, `sample_rate` in Hz (None: the device's own). The blocks end when `stop` is
    set, and raise MicrophoneError when samples stay away or come faster than sound does.
    """
    device = choose_device(list_devices(), wanted)
    capture = _Capture(device, sample_rate or device.sample_rate, stop, monotonic)
    first = capture.first()
    start = now() - timedelta(seconds=len(first.samples) / capture.sample_rate)
    logger.info("listening to %s at %d Hz", device.name, capture.sample_rate)
    return Stream(
        id=uuid.uuid4(),
        name=device.name,
        sample_rate=capture.sample_rate,
        start=start,
        quality=system_quality(),
        blocks=capture.blocks(first),
    )


class _Capture:
    """The open device. The callback copies, enqueues and counts; nothing else."""

    def __init__(self, device: Device, sample_rate: int, stop: threading.Event, monotonic: Callable[[], float]) -> None:
        self.sample_rate, self._device, self._stop, self._monotonic = sample_rate, device, stop, monotonic
        self._queue: queue.Queue[Block] = queue.Queue(HELD_BLOCKS)
        self._position = 0
        self.lost_blocks = 0
        self._stream = _ask(self._open, ANSWER_S)
        self._opened = monotonic()

    def _open(self) -> Any:  # noqa: ANN401
        sound = _sounddevice()
        try:
            stream = sound.InputStream(
                device=self._device.index,
                samplerate=self.sample_rate,
                channels=1,
                dtype="float32",
                blocksize=round(BLOCK_S * self.sample_rate),
                callback=self._take,
            )
            stream.start()
        except (sound.PortAudioError, ValueError) as error:
            msg = f"microphone {self._device.name!r} cannot be opened at {self.sample_rate} Hz: {error}"
            raise MicrophoneError(msg) from error
        return stream

    def first(self) -> Block:
        """Wait for the first samples."""
        for block in self._arriving():
            return block
        msg = f"microphone {self._device.name!r}: stopped before the first sample"
        raise MicrophoneError(msg)

    def blocks(self, first: Block) -> Iterator[Block]:
        """All blocks, from the first."""
        yield first
        yield from self._arriving()

    def _arriving(self) -> Iterator[Block]:
        last = self._monotonic()
        try:
            while not self._stop.is_set():
                try:
                    block = self._queue.get(timeout=BLOCK_S)
                except queue.Empty:
                    if self._monotonic() - last > SILENT_S:
                        msg = f"microphone {self._device.name!r}: no samples for {SILENT_S:g} s"
                        raise MicrophoneError(msg) from None
                    continue
                last = self._monotonic()
                self._check_pace(block)
                yield block
        except MicrophoneError:
            self._close()
            raise
        if self._stop.is_set():
            self._close()

    def _check_pace(self, block: Block) -> None:
        elapsed = self._monotonic() - self._opened
        if block.end_sample > WILD_FACTOR * self.sample_rate * (elapsed + SILENT_S):
            msg = (
                f"microphone {self._device.name!r}: {block.end_sample} samples within {elapsed:.1f} s at "
                f"{self.sample_rate} Hz: this is no microphone"
            )
            raise MicrophoneError(msg)

    def _take(self, samples: Samples, frames: int, _time: Any, _status: Any) -> None:  # noqa: ANN401
        try:
            self._queue.put_nowait(Block(self._position, samples[:, 0].copy()))
        except queue.Full:
            self.lost_blocks += 1
        self._position += frames

    def _close(self) -> None:
        if self.lost_blocks:
            logger.warning("%d blocks of %g s lost: analysis could not keep up", self.lost_blocks, BLOCK_S)
        try:
            _ask(self._stream.close, CLOSE_S)
        except MicrophoneError as error:
            logger.warning("microphone %s does not close and is left behind: %s", self._device.name, error)


def _ask(call: Callable[[], T], patience_s: float) -> T:
    """What a call into PortAudio returns. MicrophoneError where it, or an earlier one, does not come back."""
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - the asker raises it
            answer.set_exception(error)

    if all(thread.name != _ASKING for thread in threading.enumerate()):
        asking = threading.Thread(target=ask, name=_ASKING, daemon=True)
        with _stderr_restored():
            asking.start()
            asking.join(patience_s)
    if not answer.done():
        msg = "the sound server does not answer"
        raise MicrophoneError(msg)
    return answer.result()


@contextmanager
def _stderr_restored() -> Iterator[None]:
    """For sounddevice closes it while PortAudio looks for devices: with a frozen sound server, for ever."""
    kept = os.dup(2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _sounddevice() -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415
    except OSError as error:
        msg = "no PortAudio library on this system: install it, on Debian with `apt-get install libportaudio2`"
        raise MicrophoneError(msg) from error
    return sounddevice

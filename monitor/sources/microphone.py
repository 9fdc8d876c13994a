"""A sound card as a feed, through PortAudio in a process of its own (see `sound_card`)."""

import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.errors import MicrophoneError
from monitor.sources import sound_card
from monitor.sources.child import Child
from monitor.sources.continuity import BURST_S
from monitor.sources.feed import Frames
from monitor.sources.identity import SYSTEM, Usb, fitting, usb_of

ANSWER_S = 5.0
"""what PortAudio may take to list or to open; afterwards the sound server counts as frozen"""
MIXED_AT_MOST = 8
"""channels: what offers more is no card but a plug-in of ALSA"""


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
    usb: Usb | None = None
    """what it is on USB, if it is"""


def list_devices(system: Path = SYSTEM) -> list[Device]:
    """All inputs, as they are now. MicrophoneError where there is no PortAudio or its sound server is frozen."""
    child = _Program()
    try:
        return child.inputs(threading.Event(), system)
    finally:
        child.end()


def choose_device(devices: list[Device], wanted: str) -> Device:
    """The input that `wanted` names, as `identity.fitting` reads it; the default one for an empty text.

    Raises MicrophoneError, listing the inputs, unless exactly one fits.
    """
    fit = fitting(devices, wanted) if wanted else ([d for d in devices if d.default] or devices[:1])
    if len(fit) == 1:
        return fit[0]
    names = ", ".join(repr(d.name) for d in (fit or devices)) or "none at all"
    problem = f"{len(fit)} inputs fit" if fit else "no input fits"
    msg = f"microphone {wanted!r}: {problem}; there are: {names}" if wanted else f"no microphone; inputs: {names}"
    raise MicrophoneError(msg)


class SoundCard:
    """The open input that `wanted` names. MicrophoneError where it is not there or cannot be opened.

    `sample_rate` in Hz is used if the card takes it, else its own. It gives its first `needed` channels, or all.
    """

    burst_s = BURST_S

    def __init__(
        self,
        wanted: str,
        sample_rate: int | None,
        stop: threading.Event,
        *,
        needed: int = 1,
        all_channels: bool = False,
        system: Path = SYSTEM,
    ) -> None:
        self._program = _Program()
        try:
            device = choose_device(self._program.inputs(stop, system), wanted)
            self.name = f"microphone {device.name!r}"
            self._channels = max(needed, min(device.channels, MIXED_AT_MOST) if all_channels else 1)
            self.sample_rate = self._open(device, sample_rate, stop)
        except MicrophoneError:
            self._program.end()
            raise
        self._held = b""

    def read(self, patience_s: float) -> list[Frames]:
        """What has come, or comes within that time."""
        try:
            self._held += self._program.read(patience_s)
        except EOFError:
            msg = f"{self.name}: {self._program.last_words}"
            raise MicrophoneError(msg) from None
        found, position, header = [], 0, sound_card.HEADER
        while len(self._held) >= position + header.size:
            start, captured, size = header.unpack_from(self._held, position)
            begin, end = position + header.size, position + header.size + size
            if len(self._held) < end:
                break
            samples = np.frombuffer(self._held[begin:end], np.float32).reshape(-1, self._channels)
            found.append(Frames(start, samples, captured))
            position = end
        self._held = self._held[position:]
        return found

    def close(self) -> None:
        """End the process that holds it."""
        self._program.end()

    def _open(self, device: Device, sample_rate: int | None, stop: threading.Event) -> int:
        if self._channels > device.channels:
            msg = f"{self.name} has {device.channels} channels: there is no channel {self._channels}"
            raise MicrophoneError(msg)
        rates = list(dict.fromkeys([sample_rate or device.sample_rate, device.sample_rate]))
        self._program.tell({"index": device.index, "channels": self._channels, "sample_rates": rates})
        try:
            return int(self._program.answer(stop)["sample_rate"])
        except MicrophoneError as error:
            msg = f"{self.name}: {error}"
            raise MicrophoneError(msg) from error


class _Program:
    """`sound_card`, run by its path so that it imports no more than it needs."""

    def __init__(self) -> None:
        self._child = Child([sys.executable, "-P", sound_card.__file__])
        self.end, self.read = self._child.end, self._child.read

    def inputs(self, stop: threading.Event, system: Path) -> list[Device]:
        """What it says first."""
        return [Device(**found, usb=usb_of(found["name"], system)) for found in self.answer(stop)["inputs"]]

    def tell(self, wish: dict[str, Any]) -> None:
        """Say what to open."""
        self._child.tell(json.dumps(wish))

    def answer(self, stop: threading.Event) -> dict[str, Any]:
        """Its next answer. MicrophoneError where it says an error, says nothing, or ends."""
        try:
            line = self._child.line(ANSWER_S, stop)
        except EOFError:
            raise MicrophoneError(self.last_words) from None
        if line is None:
            msg = "the sound server does not answer"
            raise MicrophoneError(msg)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise MicrophoneError(answer["error"])
        return answer

    @property
    def last_words(self) -> str:
        """Why it ended, if it said so."""
        return f"the program that holds the sound card ended: {self._child.last_words or 'it was killed'}"

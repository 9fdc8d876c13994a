"""Raw PCM or a WAV on a pipe, such as `arecord ... | dawnchorus run --source -`."""

import os
import select
import threading
import time
from collections.abc import Callable

from monitor.errors import MicrophoneError
from monitor.sources.child import READ_BYTES
from monitor.sources.continuity import BURST_S
from monitor.sources.feed import Frames
from monitor.sources.liveness import POLL_S
from monitor.sources.pcm import Decoder, Form, wav_header

NAME = "standard input"
FIRST_S = 5.0
"""what the other side may take to begin"""
FIRST_BYTES = 256
DRIFT = 1.01
"""a recording in the pipe is taken as slowly as a microphone gives; a sound card's clock is not so much too fast"""
LONGEST_STALL_S = 10.0
"""that can be caught up with"""


class Pipe:
    """A file descriptor that stays open, whatever comes. Opening it means to wait for its next bytes."""

    burst_s = BURST_S
    name = NAME

    def __init__(
        self, form: Form, descriptor: int = 0, needed: int = 1, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`form` is believed unless a WAV says another. `needed` is how many channels there must be."""
        self._descriptor, self._needed, self._monotonic = descriptor, needed, monotonic
        self._take(form)
        self._held, self._begun, self._ended = b"", False, False
        self._allowed_s, self._last = 0.0, monotonic()

    def open(self, _sample_rate: int | None, stop: threading.Event) -> "Pipe":
        """Wait for the first bytes, and read what a WAV says of itself.

        MicrophoneError where none come, or with fewer channels than are needed.
        """
        deadline = self._monotonic() + FIRST_S
        while not (self._held or self._ended or stop.is_set()) and self._monotonic() < deadline:
            self._held = self._fetch(POLL_S, FIRST_BYTES)
        if not self._held and not self._ended:
            msg = f"{NAME}: nothing comes"
            raise MicrophoneError(msg)
        if not self._begun:
            self._begun = True
            self._read_header(deadline, stop)
        if self._form.channels < self._needed:
            msg = f"{NAME} has {self._form.channels} channels: there is no channel {self._needed}"
            raise MicrophoneError(msg)
        self._allowed_s, self._last = 0.0, self._monotonic()
        return self

    def read(self, patience_s: float) -> list[Frames] | None:
        """What has come, but not faster than a microphone gives."""
        read, self._held = self._held, b""
        if not read:
            if self._ended:
                return None
            most = int(self._allowance() * self.sample_rate) * self._form.frame_bytes
            if most <= 0:
                time.sleep(patience_s)
                return []
            read = self._fetch(patience_s, min(most, READ_BYTES))
        frames = self._decoder.frames(read, self._monotonic())
        self._allowed_s -= sum(len(f.samples) for f in frames) / self.sample_rate
        return frames

    def close(self) -> None:
        """Nothing to do: it can be read again."""

    def _allowance(self) -> float:
        now = self._monotonic()
        self._allowed_s = min(LONGEST_STALL_S, self._allowed_s + DRIFT * (now - self._last))
        self._last = now
        return self._allowed_s

    def _fetch(self, patience_s: float, most: int) -> bytes:
        ready, _, _ = select.select([self._descriptor], [], [], patience_s)
        if not ready:
            return b""
        read = os.read(self._descriptor, most)
        self._ended = not read
        return read

    def _read_header(self, deadline: float, stop: threading.Event) -> None:
        if self._held[:4] != b"RIFF":
            return
        while (found := wav_header(self._held)) is None:
            self._held += self._fetch(POLL_S, FIRST_BYTES)
            if self._ended or stop.is_set() or self._monotonic() > deadline:
                msg = f"{NAME}: the header of a WAV breaks off"
                raise MicrophoneError(msg)
        form, begin = found
        self._take(form)
        self._held = self._held[begin:]

    def _take(self, form: Form) -> None:
        self._form, self._decoder, self.sample_rate = form, Decoder(form), form.sample_rate

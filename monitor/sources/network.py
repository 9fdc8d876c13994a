"""What a network streams, RTSP and all else that ffmpeg reads, through ffmpeg as a process of its own."""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from monitor.errors import MicrophoneError
from monitor.sources.child import Child
from monitor.sources.feed import Frames
from monitor.sources.pcm import Decoder, Encoding, Form

FIRST_S = 15.0
"""what connecting and finding out what is streamed may take"""
BURST_S = 30.0
"""servers send what they hold to who connects"""


class NetworkStream:
    """ffmpeg at work on an address. It gives one channel: the one that is asked for, from 0; None: all, averaged.

    MicrophoneError, with ffmpeg's last words, where nothing comes. The address may hold a password: no message does.
    """

    burst_s = BURST_S

    def __init__(
        self,
        url: str,
        sample_rate: int,
        channel: int | None,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.sample_rate, self._url, self._monotonic = without_password(url), sample_rate, url, monotonic
        self._child = Child(_command(url, sample_rate, channel))
        self._decoder = Decoder(Form(sample_rate, Encoding.F32LE, 1))
        self._first: list[Frames] = []
        deadline = monotonic() + FIRST_S
        try:
            while not self._first:
                if stop.is_set() or monotonic() > deadline:
                    msg = f"{self.name}: no audio within {FIRST_S:g} s"
                    raise MicrophoneError(msg)
                self._first = self._fetch(0.1)
        except MicrophoneError:
            self._child.end()
            raise

    def read(self, patience_s: float) -> list[Frames]:
        """What has come, or comes within that time."""
        if self._first:
            first, self._first = self._first, []
            return first
        return self._fetch(patience_s)

    def close(self) -> None:
        """End ffmpeg."""
        self._child.end()

    def _fetch(self, patience_s: float) -> list[Frames]:
        try:
            return self._decoder.frames(self._child.read(patience_s), self._monotonic())
        except EOFError:
            words = self._child.last_words.replace(self._url, self.name) or "the stream ended"
            msg = words if words.startswith(self.name) else f"{self.name}: {words}"
            raise MicrophoneError(msg) from None


def without_password(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    return url if parts.password is None else url.replace(f":{parts.password}@", ":***@", 1)


def _command(url: str, sample_rate: int, channel: int | None) -> list[str]:
    transport = ["-rtsp_transport", "tcp"] if url.startswith("rtsp") else []
    mix = ["-ac", "1"] if channel is None else ["-af", f"pan=mono|c0=c{channel}"]
    return [
        *("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *transport, "-i", url),
        *("-vn", *mix, "-ar", str(sample_rate), "-f", str(Encoding.F32LE), "-flush_packets", "1", "pipe:1"),
    ]

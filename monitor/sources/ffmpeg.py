"""What libsndfile cannot decode, through ffmpeg as a process of its own, as it comes: length costs no memory."""

import os
import time

import numpy as np

from monitor.errors import MicrophoneError, RecordingError
from monitor.sources.child import SLICE_S, Child
from monitor.sources.feed import Channels
from monitor.sources.pcm import Form, wav_header
from monitor.sources.remote import Place, bytes_of

PATIENCE_S = 60.0
"""that is how long ffmpeg may say nothing: a file on a slow network share is still a file"""


class FfmpegSound:
    """ffmpeg at work on a file: its first audio stream, with all channels.

    RecordingError, with ffmpeg's last words, where that is not installed or finds no audio.
    """

    def __init__(self, path: Place) -> None:
        self._path, self._held, self._position = path, b"", 0
        try:
            self._child = Child(_command(path))
        except MicrophoneError as error:
            msg = f"{path}: cannot be read as audio without ffmpeg: {error}"
            raise RecordingError(msg) from error
        try:
            self._form = self._header()
        except RecordingError:
            self.close()
            raise
        self.sample_rate, self.channels, self.comment = self._form.sample_rate, self._form.channels, ""
        self.frames: int | None = None
        """what its header says is ffmpeg's secret"""

    def read(self, frames: int) -> Channels:
        """The next samples. RecordingError where ffmpeg says that something is wrong, or hangs."""
        frame_bytes = self._form.frame_bytes
        while len(self._held) < frame_bytes:
            if not self._fetch():
                return np.zeros((0, self.channels), np.float32)
        wanted = min(frames * frame_bytes, len(self._held) // frame_bytes * frame_bytes)
        samples = np.frombuffer(self._held[:wanted], "<f4").reshape(-1, self.channels)
        self._held = self._held[wanted:]
        self._position += len(samples)
        return samples

    def close(self) -> None:
        """End ffmpeg."""
        self._child.end()

    def _header(self) -> Form:
        while True:
            try:
                described = wav_header(self._held)
            except MicrophoneError as error:
                raise self._broken(str(error)) from error
            if described is not None:
                form, begin = described
                self._held = self._held[begin:]
                return form
            if not self._fetch():
                msg = "it holds no audio"
                raise self._broken(msg)

    def _fetch(self) -> bool:
        """Take more of its output; False at a proper end."""
        deadline = time.monotonic() + PATIENCE_S
        more = b""
        while not more:
            if time.monotonic() > deadline:
                msg = f"ffmpeg gave nothing for {PATIENCE_S:g} s"
                raise self._broken(msg)
            try:
                more = self._child.read(SLICE_S)
            except EOFError:
                if self._child.last_words:
                    raise self._broken(self._child.last_words) from None
                return False
        self._held += more
        return True

    def _broken(self, reason: str) -> RecordingError:
        told = reason.removeprefix(f"file:{bytes_of(self._path)}: ")
        if not self._position:
            return RecordingError(f"{self._path}: cannot be read as audio: {told}")
        at_s = self._position / self._form.sample_rate
        return RecordingError(f"{self._path}: not all of it can be decoded, {at_s:.1f} s were: {told}")


def _command(path: Place) -> list[str]:
    """A WAV says its own form; the path is a file's whatever it looks like."""
    file = "file:" + os.fspath(bytes_of(path))
    return [
        *("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-err_detect", "crccheck", "-i", file),
        *("-map", "0:a:0", "-vn", "-c:a", "pcm_f32le", "-f", "wav", "-bitexact", "pipe:1"),
    ]

"""Recordings decoded from front to back: by libsndfile, or by ffmpeg where that cannot."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from typing import Protocol

import numpy as np
import soundfile

from monitor.errors import RecordingError
from monitor.recorded import riff
from monitor.records import Block, Samples
from monitor.sources.feed import Channels
from monitor.sources.ffmpeg import FfmpegSound
from monitor.sources.finding import LIBSNDFILE_SUFFIXES
from monitor.sources.remote import Place, bytes_of

RATES_HZ = (4_000, 768_000)
MOST_SAMPLES = 1 << 23
"""in a block, of all channels: a header may claim a thousand of them"""

_LINEAR = (0x0001, 0x0003, 0xFFFE)
"""format tags of a WAV: integers, floats, and whatever stands further behind"""
_LEAST_FORMAT_BYTES = 16
_WHOLE_NUMBERS, _FULL_SCALE = "PCM_16", np.float32(1 / 32_768)
"""what most recorders write, and what makes of it what libsndfile would, in a tenth of the time"""
_UNKNOWN_FRAMES = 2**62
"""from this number on a header does not say"""


class Sound(Protocol):
    """An open recording. What it raises is RecordingError."""

    sample_rate: int
    """Hz"""
    channels: int
    frames: int | None
    """samples a channel, according to its header; None where that does not say"""
    comment: str

    def read(self, frames: int) -> Channels:
        """The next samples, (n, channels) with n at most `frames`; n is 0 at the end."""

    def close(self) -> None:
        """Let go of it."""


def open_sound(path: Place) -> Sound:
    """Open a recording. RecordingError, naming the file, where it is no audio, is empty or has an absurd rate."""
    try:
        file = bytes_of(path)
        status = file.stat()
        if stat.S_ISREG(status.st_mode):  # anything else may let us wait for ever
            file.open("rb").close()  # says why it cannot be opened; libsndfile only says "System error"
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(path, "not a file")
    sound = _opened(path)
    rate, (lowest, highest) = sound.sample_rate, RATES_HZ
    if sound.frames != 0 and lowest <= rate <= highest:
        return sound
    sound.close()
    msg = f"{path}: holds no audio according to its header"
    if not lowest <= rate <= highest:
        msg = f"{path}: sample rate of {rate} Hz: {lowest} to {highest} Hz expected"
    raise RecordingError(msg)


class LibsndfileSound:
    """Whatever libsndfile decodes. soundfile.LibsndfileError where it is nothing of that."""

    def __init__(self, path: Place) -> None:
        self._path, self._position = path, 0
        self._file = _Forward(os.fsencode(bytes_of(path)))  # a name need not be UTF-8
        self.sample_rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.frames = None if self._file.frames >= _UNKNOWN_FRAMES else int(self._file.frames)
        self.comment = str(self._file.comment)
        self._whole_numbers = self._file.subtype == _WHOLE_NUMBERS

    def read(self, frames: int) -> Channels:
        """The next samples, no more than there are: libsndfile would fill up the rest with zeros.

        RecordingError where decoding breaks off.
        """
        wanted = frames if self.frames is None else min(frames, self.frames - self._position)
        try:
            samples = self._samples(wanted)
        except soundfile.LibsndfileError as error:
            msg = f"{self._path}: decoding broke off after {self._position / self.sample_rate:.1f} s: {_reason(error)}"
            raise RecordingError(msg) from error
        self._position += len(samples)
        if len(samples) == 0 and self.frames is not None and self._position < self.frames:
            msg = f"{self._path}: decoding broke off after {self._position} of {self.frames} samples"
            raise RecordingError(msg)
        return samples

    def _samples(self, wanted: int) -> Channels:
        if self._whole_numbers:
            return np.multiply(self._file.read(wanted, dtype="int16", always_2d=True), _FULL_SCALE, dtype=np.float32)
        samples: Channels = self._file.read(wanted, dtype="float32", always_2d=True)
        return samples

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Reads from front to back: SoundFile seeks after each read, where an MP3 decoder starts afresh and others fail."""

    def seekable(self) -> bool:
        return False


def blocks(sound: Sound, path: Place, block_s: float, channel: int | None) -> Iterator[Block]:
    """All of a recording, which is closed behind it: one channel, from 1, or all of them averaged.

    RecordingError, behind what came before, where decoding breaks off or samples are not numbers.
    """
    size = max(1, min(round(block_s * sound.sample_rate), MOST_SAMPLES // sound.channels))
    position = 0
    with closing(sound):
        while len(samples := sound.read(size)):
            mono = _mono(samples, channel)
            if not np.isfinite(mono).all():
                numbers = int(np.flatnonzero(~np.isfinite(mono))[0])
                if numbers:
                    yield Block(position, mono[:numbers])
                at_s = (position + numbers) / sound.sample_rate
                msg = f"{path}: holds samples that are not numbers, the first at {at_s:.3f} s"
                raise RecordingError(msg)
            yield Block(position, mono)
            position += len(mono)
    if position == 0:
        msg = f"{path}: holds no audio"
        raise RecordingError(msg)


def _mono(samples: Channels, channel: int | None) -> Samples:
    """(n, channels) -> (n,)."""
    if channel is not None:
        return np.ascontiguousarray(samples[:, channel - 1])
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def _opened(path: Place) -> Sound:
    try:
        return LibsndfileSound(path)
    except soundfile.LibsndfileError as error:
        if path.suffix.lower() not in LIBSNDFILE_SUFFIXES or _is_coded_wav(path):
            return FfmpegSound(path)
        raise _unreadable(path, _reason(error)) from error


def _is_coded_wav(path: Place) -> bool:
    """Whether a WAV says that its samples are written in some other way than one by one."""
    with bytes_of(path).open("rb") as file:
        described = next((chunk.read(file) for chunk in riff.chunks(file) if chunk.name == b"fmt "), b"")
    return len(described) >= _LEAST_FORMAT_BYTES and int.from_bytes(described[:2], "little") not in _LINEAR


def _unreadable(path: Place, reason: str) -> RecordingError:
    return RecordingError(f"{path}: cannot be read as audio: {reason}")


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).rstrip(".")

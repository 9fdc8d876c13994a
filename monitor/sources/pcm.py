"""Raw samples as bytes -> frames of floats."""

import struct
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.errors import MicrophoneError
from monitor.sources.feed import Channels, Frames

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
"""format tags of a WAV"""
LONGEST_HEADER_BYTES = 1 << 16


class Encoding(StrEnum):
    """How one sample is written, as ffmpeg names it; arecord's S16_LE, S24_3LE, S32_LE and FLOAT_LE."""

    S16LE = "s16le"
    S24LE = "s24le"
    S32LE = "s32le"
    F32LE = "f32le"

    @property
    def bytes_(self) -> int:
        """Bytes a sample."""
        return int(self[1:3]) // 8


@dataclass(frozen=True, slots=True)
class Form:
    """What the bytes of a pipe mean."""

    sample_rate: int
    encoding: Encoding
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of a sample of all channels."""
        return self.channels * self.encoding.bytes_


def decoded(read: bytes, form: Form) -> Channels:
    """Whole frames -> (n, channels), float32 in [-1, 1); a float that is no number is silence."""
    match form.encoding:
        case Encoding.F32LE:
            samples = np.frombuffer(read, "<f4").astype(np.float32)
            samples[~np.isfinite(samples)] = 0
        case Encoding.S24LE:
            padded = np.zeros((len(read) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(read, np.uint8).reshape(-1, 3)
            samples = padded.view("<i4").ravel().astype(np.float32) / np.float32(1 << 31)
        case _:
            whole = np.frombuffer(read, f"<i{form.encoding.bytes_}")
            samples = whole.astype(np.float32) / np.float32(1 << (8 * form.encoding.bytes_ - 1))
    return samples.reshape(-1, form.channels)


class Decoder:
    """Bytes as they come -> frames, counted."""

    def __init__(self, form: Form) -> None:
        self._form, self._rest, self._position = form, b"", 0

    def frames(self, read: bytes, captured: float) -> list[Frames]:
        """All whole frames that there are; the rest waits for its other part."""
        held = self._rest + read
        whole = len(held) - len(held) % self._form.frame_bytes
        self._rest = held[whole:]
        if not whole:
            return []
        frames = Frames(self._position, decoded(held[:whole], self._form), captured)
        self._position = frames.end_sample
        return [frames]


def wav_header(head: bytes) -> tuple[Form, int] | None:
    """The form of a WAV that begins so, and where its samples begin; None where more of it must be read.

    The lengths in it are not believed: who writes to a pipe does not know them. Source: Multimedia Programming
    Interface and Data Specifications 1.0, IBM and Microsoft 1991. MicrophoneError for what is not linear PCM.
    """
    position, form = 12, None
    while len(head) >= position + 8:
        name, size = struct.unpack_from("<4sI", head, position)
        if name == b"data" and form is not None:
            return form, position + 8
        if position + 8 + size > LONGEST_HEADER_BYTES:
            msg = f"standard input: a WAV whose chunk {name!r} comes before its samples, with {size} bytes"
            raise MicrophoneError(msg)
        if name == b"fmt " and len(head) >= position + 8 + size:
            form = _wav_form(head[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    return None


def _wav_form(chunk: bytes) -> Form:
    tag, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk.ljust(16, b"\0"))
    if tag == _EXTENSIBLE and len(chunk) >= 26:  # noqa: PLR2004 - the real tag stands behind
        (tag,) = struct.unpack_from("<H", chunk, 24)
    name = f"{'f' if tag == _FLOAT else 's'}{bits}le"
    if tag not in {_PCM, _FLOAT} or name not in set(Encoding) or not channels or not sample_rate:
        msg = f"standard input: a WAV with format {tag}, {bits} bits: {', '.join(Encoding)} expected"
        raise MicrophoneError(msg)
    return Form(sample_rate, Encoding(name), channels)

"""Recordings as a source: whatever libsndfile decodes, read in blocks, so length costs no memory."""

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from pathlib import Path

import numpy as np
import soundfile

from monitor.clock import Quality
from monitor.errors import RecordingError
from monitor.records import Block, Gap
from monitor.sources import Stream
from monitor.sources.names import start_time

logger = logging.getLogger(__name__)

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".w64", ".rf64", ".caf", ".au"})
"""What a folder is searched for; a file that is named is opened whatever its suffix."""

RATES_HZ = (4_000, 768_000)
BLOCK_S = 5.0

_RIFF_HEADER = 8
_UNFINISHED = (0, 0xFFFFFFFF)
"""RIFF sizes of a recorder that lost power before it could write the length"""


def find_recordings(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the audio files below the folders named, in a stable order.

    Raises RecordingError for a path that does not exist, or a folder that holds no recording.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                msg = f"{path}: no recordings in this folder; looked for {', '.join(sorted(SUFFIXES))}"
                raise RecordingError(msg)
            found += inside
        elif path.exists():
            found.append(path)
        else:
            msg = f"{path}: no such file or folder"
            raise RecordingError(msg)
    return list(dict.fromkeys(found))


def open_recording(path: Path, zone: tzinfo | None = None, block_s: float = BLOCK_S) -> Stream:
    """Open a recording; several channels are averaged into one.

    `zone` says what the time in a recorder's file name means where the name does not. Raises RecordingError,
    naming the file, where it is no audio, is empty or has an absurd rate; the blocks raise it where decoding
    breaks off or samples are not numbers.
    """
    try:
        path.open("rb").close()  # says why it cannot be opened; libsndfile only says "System error"
        file = _Forward(os.fsencode(path))  # a name need not be UTF-8
    except (soundfile.LibsndfileError, OSError) as error:
        msg = f"{path}: cannot be read as audio: {_reason(error)}"
        raise RecordingError(msg) from error
    rate, lowest, highest = file.samplerate, *RATES_HZ
    if file.frames == 0 or not lowest <= rate <= highest:
        file.close()
        msg = f"{path}: holds no audio according to its header"
        if not lowest <= rate <= highest:
            msg = f"{path}: sample rate of {rate} Hz: {lowest} to {highest} Hz expected"
        raise RecordingError(msg)
    _warn_if_cut_short(path)
    start = start_time(path.name, file.comment, zone)
    return Stream(
        id=uuid.uuid5(uuid.NAMESPACE_URL, path.resolve().as_uri()),
        name=str(path),
        sample_rate=rate,
        start=start,
        quality=Quality.UNKNOWN if start is None else Quality.RECORDER,
        blocks=_blocks(file, path, max(1, round(block_s * rate))),
    )


def paced(
    blocks: Iterable[Block | Gap],
    sample_rate: int,
    speed: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Block | Gap]:
    """Yield each block when a microphone would have, at `speed` times real time."""
    begin = monotonic()
    for block in blocks:
        wait = begin + block.end_sample / (sample_rate * speed) - monotonic()
        if wait > 0:
            sleep(wait)
        yield block


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Reads from front to back: SoundFile seeks after each read, where an MP3 decoder starts afresh and others fail."""

    def seekable(self) -> bool:
        return False


def _blocks(file: soundfile.SoundFile, path: Path, size: int) -> Iterator[Block]:
    position = 0
    with file:
        while True:
            try:
                samples = file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                msg = f"{path}: decoding broke off after {position / file.samplerate:.1f} s: {_reason(error)}"
                raise RecordingError(msg) from error
            if len(samples) == 0:
                break
            mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                numbers = int(np.flatnonzero(~np.isfinite(mono))[0])
                first = position + numbers
                if numbers:
                    yield Block(position, mono[:numbers])
                msg = f"{path}: holds samples that are not numbers, the first at {first / file.samplerate:.3f} s"
                raise RecordingError(msg)
            yield Block(position, mono)
            position += len(mono)
        if position < file.frames and file.frames < 2**62:
            msg = f"{path}: decoding broke off after {position} of {file.frames} samples"
            raise RecordingError(msg)


def _warn_if_cut_short(path: Path) -> None:
    """A WAV whose header promises more than there is: what is there is analysed, but not in silence."""
    with path.open("rb") as file:
        header = file.read(_RIFF_HEADER)
    promised = int.from_bytes(header[4:], "little")
    present = path.stat().st_size - _RIFF_HEADER
    if header[:4] == b"RIFF" and (promised in _UNFINISHED or promised > present + 1):
        logger.warning("%s: cut short: its header promises %d bytes, %d are there", path, promised, present)


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string).rstrip(".")
    return str(getattr(error, "strerror", None) or error)

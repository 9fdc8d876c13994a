"""What is known of a recording before it is decoded."""

import os
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import BinaryIO

from monitor.errors import RecordingError
from monitor.recorded import Position, Recorder
from monitor.sources.decoding import Sound, open_sound
from monitor.sources.metadata import Metadata, read_metadata
from monitor.sources.names import UNSET_YEAR, in_utc, is_doubtful
from monitor.sources.remote import Place, bytes_of

_RIFF_HEADER = 8
_UNFINISHED = (0, 0xFFFFFFFF)
"""RIFF sizes of a recorder that lost power before it could write the length"""
_UNSET = f"began in {UNSET_YEAR}, says its recorder, whose clock was not set: nobody knows when"
_DOUBTFUL = "began in the hour in which clocks are changed in its time zone: the earlier of two times is taken"


@dataclass(frozen=True, slots=True)
class Header:
    """A recording that can be opened."""

    path: Place
    sample_rate: int
    """Hz"""
    channels: int
    frames: int | None
    """samples a channel; None where nobody knows yet"""
    start: datetime | None
    """UTC, None where nobody knows"""
    local_start: datetime | None
    """what the recorder's clock said, where nobody knows in which zone"""
    position: Position | None
    recorder: Recorder
    remarks: tuple[str, ...]
    """what is wrong with it, and does not keep it from being heard"""


def read_header(path: Place, zone: tzinfo | None) -> Header:
    """Open a recording, and close it again. RecordingError where it cannot be read."""
    sound = open_sound(path)
    try:
        return described(path, sound, zone)
    finally:
        sound.close()


def described(path: Place, sound: Sound, zone: tzinfo | None) -> Header:
    """What an open recording says of itself. RecordingError where it has vanished, or is slower than what it heard."""
    try:
        with bytes_of(path).open("rb") as file:
            metadata, cut_short = read_metadata(path.name, file, sound.comment), _cut_short(file)
    except OSError as error:
        msg = f"{path}: cannot be read as audio: {error.strerror or error}"
        raise RecordingError(msg) from error
    _check_in_real_time(path, sound, metadata)
    written = metadata.written
    unset = written is not None and written.year == UNSET_YEAR
    start = in_utc(written, zone)
    return Header(
        path=path,
        sample_rate=sound.sample_rate,
        channels=sound.channels,
        frames=sound.frames,
        start=start,
        local_start=written if start is None and not unset else None,
        position=metadata.position,
        recorder=metadata.recorder,
        remarks=(*cut_short, *([_UNSET] if unset else []), *([_DOUBTFUL] if is_doubtful(written, zone) else [])),
    )


def _check_in_real_time(path: Place, sound: Sound, metadata: Metadata) -> None:
    """A bat recorder may stretch time, so that one hears what is too high: every bird would be another one."""
    if metadata.expansion > 1 and metadata.made_hz != sound.sample_rate:
        msg = (
            f"{path}: is {metadata.expansion:g} times slower than what it heard (TE): a recording in real time expected"
        )
        raise RecordingError(msg)


def _cut_short(file: BinaryIO) -> list[str]:
    """A WAV whose header promises more than there is: what is there is analysed, but not in silence."""
    present = file.seek(0, os.SEEK_END) - _RIFF_HEADER
    file.seek(0)
    header = file.read(_RIFF_HEADER)
    promised = int.from_bytes(header[4:], "little")
    if header[:4] == b"RIFF" and (promised in _UNFINISHED or promised > present + 1):
        return [f"cut short: its header promises {promised} bytes, {present} are there"]
    return []

"""What a recording says of itself: in its name, its comment, and the chunks that recorders write into a WAV."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from monitor.recorded import Position, Recorder, guano, riff, wamd
from monitor.sources.names import comment_time, name_position, name_time

_AUDIOMOTH = re.compile(r"by AudioMoth ([0-9A-F]{16})\b")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known before anything is decoded."""

    written: datetime | None
    """when it began; without a zone where none is stated"""
    position: Position | None
    recorder: Recorder


def read_metadata(name: str, file: BinaryIO, comment: str) -> Metadata:
    """What a file of this name says. What is damaged or makes no sense counts as not said.

    A time that states its offset is better than one that does not; else GUANO's counts before the comment's, the
    name's and Wildlife Acoustics' own.
    """
    kept = {chunk.name: chunk.read(file) for chunk in riff.chunks(file) if chunk.name in {guano.CHUNK, wamd.CHUNK}}
    ours, theirs = guano.fields(kept.get(guano.CHUNK, b"")), wamd.fields(kept.get(wamd.CHUNK, b""))
    times = [
        *(_iso(ours.get("Timestamp", "")), comment_time(comment), name_time(name)),
        _iso(theirs.get("timestamp", "")),
    ]
    said = [time for time in times if time is not None]
    stated = [time for time in said if time.tzinfo is not None]
    position = _position(ours.get("Loc Position", "").split())
    position = position or _position(wamd.degrees(theirs.get("gpsfirst", ""))) or name_position(name)
    return Metadata(next(iter(stated + said), None), position, _recorder(ours, theirs, comment))


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _position(degrees: Sequence[str | float] | None) -> Position | None:
    try:
        latitude, longitude = degrees if degrees is not None else ()
        return Position(float(latitude), float(longitude))
    except ValueError:
        return None


def _recorder(ours: Mapping[str, str], theirs: Mapping[str, str], comment: str) -> Recorder:
    if {"Make", "Model", "Serial"} & ours.keys():
        return Recorder(ours.get("Make", ""), ours.get("Model", ""), ours.get("Serial", ""))
    if theirs:
        return Recorder(wamd.MAKE, theirs.get("model", ""), theirs.get("serial", ""))
    if match := _AUDIOMOTH.search(comment):
        return Recorder("Open Acoustic Devices", "AudioMoth", match[1])
    return Recorder()

"""What a recording says of itself: in its name, its comment, and what recorders write into a WAV or a FLAC."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from monitor.recorded import Position, Recorder, flac, frontier, guano, riff, wamd
from monitor.sources.names import comment_time, name_position, name_time

_AUDIOMOTH = re.compile(r"by AudioMoth ([0-9A-F]{16})\b")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known before anything is decoded."""

    written: datetime | None
    """when it began; without a zone where none is stated"""
    position: Position | None
    recorder: Recorder
    expansion: float = 1.0
    """so many times slower than it was it sounds, unless its header says `made_hz`"""
    made_hz: float | None = None
    """rate at which its samples were taken; None where only its header says one"""


def read_metadata(name: str, file: BinaryIO, comment: str) -> Metadata:
    """What a file of this name says. What is damaged or makes no sense counts as not said.

    A time that states its offset is better than one that does not; else GUANO's counts before the comment's,
    Frontier Labs', the name's and Wildlife Acoustics' own.
    """
    kept = {chunk.name: chunk.read(file) for chunk in riff.chunks(file) if chunk.name in {guano.CHUNK, wamd.CHUNK}}
    ours = guano.fields(kept.get(guano.CHUNK, b"")) or guano.comment_fields(comment)
    theirs = wamd.fields(kept.get(wamd.CHUNK, b""))
    tagged = frontier.fields(flac.comments(file))
    times = [
        *(_iso(ours.get("Timestamp", "")), comment_time(comment), _iso(tagged.get(frontier.START, ""))),
        *(name_time(name), _iso(theirs.get("timestamp", ""))),
    ]
    said = [time for time in times if time is not None]
    stated = [time for time in said if time.tzinfo is not None]
    position = _position(ours.get("Loc Position", "").split())
    position = position or _position(wamd.degrees(theirs.get("gpsfirst", ""))) or _position(frontier.degrees(tagged))
    return Metadata(
        written=next(iter(stated + said), None),
        position=position or name_position(name),
        recorder=_recorder(ours, theirs, tagged, comment),
        expansion=max(1.0, _number(ours.get("TE", "")) or _number(theirs.get("expansion", "")) or 1.0),
        made_hz=_number(ours.get("Samplerate", "")),
    )


def _number(text: str) -> float | None:
    """A finite one; None where there is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


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


def _recorder(ours: Mapping[str, str], theirs: Mapping[str, str], tagged: Mapping[str, str], comment: str) -> Recorder:
    if {"Make", "Model", "Serial"} & ours.keys():
        return Recorder(ours.get("Make", ""), ours.get("Model", ""), ours.get("Serial", ""))
    if theirs:
        return Recorder(wamd.MAKE, theirs.get("model", ""), theirs.get("serial", ""))
    if tagged:
        return Recorder(frontier.MAKE, "", tagged.get(frontier.SERIAL, ""))
    if match := _AUDIOMOTH.search(comment):
        return Recorder("Open Acoustic Devices", "AudioMoth", match[1])
    return Recorder()

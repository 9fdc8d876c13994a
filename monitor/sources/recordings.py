"""Recordings as a source: a file, or files that continue each other, read in blocks, so length costs no memory."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Literal

from monitor.clock import Quality
from monitor.errors import RecordingError
from monitor.recorded import Part, Recorded
from monitor.records import Block, Gap
from monitor.sources import Stream
from monitor.sources.decoding import Sound, blocks, open_sound
from monitor.sources.deployments import Deployments
from monitor.sources.finding import SUFFIXES, find_recordings
from monitor.sources.headers import Header, described, read_header
from monitor.sources.joining import joined, parts
from monitor.sources.remote import Place

__all__ = ["BLOCK_S", "SUFFIXES", "Reading", "find_recordings", "open_recording", "open_recordings", "paced"]

logger = logging.getLogger(__name__)

BLOCK_S = 5.0

Report = Callable[[RecordingError], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are read."""

    zone: tzinfo | None = None
    """what times in names and metadata mean that do not say"""
    channels: int | Literal["mix", "each"] = "mix"
    """all averaged, or one of them, from 1, or each as a recording of its own"""
    deployments: Deployments | None = None
    """where recordings were made, and when"""
    block_s: float = BLOCK_S


def open_recording(path: Path, zone: tzinfo | None = None, block_s: float = BLOCK_S) -> Stream:
    """Open a recording; several channels are averaged into one.

    `zone` says what the time in a recorder's file name means where the name does not. Raises RecordingError,
    naming the file, where it is no audio, is empty or has an absurd rate; the blocks raise it where decoding
    breaks off or samples are not numbers.
    """
    (stream,) = open_recordings([path], Reading(zone=zone, block_s=block_s))
    return stream


def open_recordings(paths: Sequence[Place], reading: Reading, report: Report = lambda _error: None) -> list[Stream]:
    """Open a file, or files that continue each other, as `continuing` found them: a stream, or one for each channel.

    Of several, one that is damaged is reported, and a gap. Raises RecordingError where none can be read, or a channel
    is asked for that there is not.
    """
    opened: list[Sound] = []
    try:
        if len(paths) == 1:
            opened.append(open_sound(paths[0]))
            headers = [described(paths[0], opened[0], reading.zone)]
        else:
            headers = _readable(paths, reading.zone, report)
        for header in headers:
            for remark in header.remarks:
                logger.warning("%s: %s", header.path, remark)
        return [_stream(headers, reading, channel, opened, report) for channel in _channels(headers[0], reading)]
    except RecordingError:
        for sound in opened:
            sound.close()
        raise


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


def _readable(paths: Sequence[Place], zone: tzinfo | None, report: Report) -> list[Header]:
    """Those that can be opened and are like the first; the others are reported. RecordingError where there is none."""
    headers: list[Header] = []
    last = RecordingError("no recording")
    for path in paths:
        try:
            header = read_header(path, zone)
            _check_like(headers, header)
            headers.append(header)
        except RecordingError as error:
            last = error
            report(error)
    if not headers:
        raise last
    return headers


def _check_like(headers: Sequence[Header], header: Header) -> None:
    """RecordingError for a file that changed since it was found to continue the others."""
    form, first = ((one.sample_rate, one.channels) for one in (header, headers[0] if headers else header))
    if form != first:
        msg = f"{header.path}: {form[0]} Hz and {form[1]} channels: {first[0]} Hz and {first[1]} expected, as before it"
        raise RecordingError(msg)


def _channels(header: Header, reading: Reading) -> list[int | None]:
    """Which of its channels become a stream each."""
    if reading.channels == "each":
        return [None] if header.channels == 1 else list(range(1, header.channels + 1))
    if reading.channels == "mix":
        return [None]
    if reading.channels > header.channels:
        msg = f"{header.path}: channel {reading.channels} is asked for, and there are {header.channels}"
        raise RecordingError(msg)
    return [reading.channels]


def _stream(
    headers: Sequence[Header], reading: Reading, channel: int | None, opened: list[Sound], report: Report
) -> Stream:
    """The first that needs it takes what is open already."""
    first, found = headers[0], parts(headers)
    recorded = _recorded(first, found, channel, reading.deployments)

    def part_blocks(index: int) -> Iterator[Block]:
        path = headers[index].path
        sound = opened.pop() if opened else open_sound(path)
        return blocks(sound, path, reading.block_s, channel)

    uri = first.path.resolve().as_uri() if isinstance(first.path, Path) else first.path.url
    return Stream(
        id=uuid.uuid5(uuid.NAMESPACE_URL, uri if channel is None else f"{uri}#{channel}"),
        name=str(first.path),
        sample_rate=first.sample_rate,
        start=first.start,
        quality=Quality.UNKNOWN if first.start is None else Quality.RECORDER,
        blocks=joined(found, part_blocks, report) if len(found) > 1 else _alone(part_blocks),
        recorded=recorded,
    )


def _alone(part_blocks: Callable[[int], Iterator[Block]]) -> Iterator[Block]:
    """A file by itself, opened again where another channel has used up what was open."""
    yield from part_blocks(0)


def _recorded(first: Header, found: Sequence[Part], channel: int | None, deployments: Deployments | None) -> Recorded:
    deployment = None if deployments is None else deployments.at(first.path, first.start)
    return Recorded(
        sample_rate=first.sample_rate,
        parts=found,
        channel=channel,
        position=first.position if deployment is None else deployment.position,
        site="" if deployment is None else deployment.site,
        recorder=first.recorder,
        local_start=first.local_start,
    )

"""Live sources as the configuration describes them -> endless streams. What shares a sound card shares its capture."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from monitor.clock import system_quality
from monitor.config.source import LiveSource, MicrophoneSource, NetworkSource, PipeSource, source_name
from monitor.errors import ConfigError, MicrophoneError
from monitor.records import Block, Cause, Gap
from monitor.sources import Condition, Stream
from monitor.sources.capture import Capture, Opening
from monitor.sources.hearing import Hearing, heard
from monitor.sources.microphone import SoundCard
from monitor.sources.network import NetworkStream
from monitor.sources.pcm import Encoding, Form
from monitor.sources.pipe import Pipe
from monitor.sources.ring import Ring

Report = Callable[[MicrophoneError], None]
"""told again and again, from the thread that analyses, while nothing is heard"""


def shared(sources: Sequence[LiveSource]) -> list[list[LiveSource]]:
    """Sources that listen to the same device or pipe, together, for it can be opened once only.

    ConfigError where they do not agree on what it gives.
    """
    groups: dict[object, list[LiveSource]] = {}
    for source in sources:
        groups.setdefault(_device(source), []).append(source)
    for group in groups.values():
        if len({_form(source) for source in group}) > 1:
            names = ", ".join(source_name(source) for source in group)
            msg = f"sources {names} share {group[0].__struct_config__.tag}: the same sample_rate and encoding expected"
            raise ConfigError(msg)
    return list(groups.values())


def _device(source: LiveSource) -> object:
    """What can be opened once only; each connection to an address is one of its own."""
    if isinstance(source, MicrophoneSource):
        return source.device
    return PipeSource if isinstance(source, PipeSource) else id(source)


def _form(source: LiveSource) -> tuple[object, ...]:
    described = (source.encoding, source.channels) if isinstance(source, PipeSource) else ()
    return (source.sample_rate, *described)


def open_streams(
    group: Sequence[LiveSource],
    stop: threading.Event,
    report: Report = lambda _error: None,
    monotonic: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Stream]:
    """A stream for each source of a group, from now until `stop` is set or a pipe ends, whether it is there or not."""
    wished = group[0].sample_rate if isinstance(group[0], MicrophoneSource) else None
    capture = Capture(opening(group), stop, sample_rate=wished, monotonic=monotonic)
    rings = capture.start([source.buffer_s for source in group])
    start = now() - timedelta(seconds=monotonic() - capture.began)
    return [
        Stream(
            id=uuid.uuid4(),
            name=source_name(source),
            sample_rate=capture.sample_rate,
            start=start,
            quality=system_quality(),
            blocks=_blocks(capture, ring, source, stop, report),
            began=capture.began,
            fullness=ring.fullness,
            condition=partial(_condition, capture, ring),
        )
        for source, ring in zip(group, rings, strict=True)
    ]


def _condition(capture: Capture, ring: Ring) -> Condition:
    trouble = capture.trouble
    return Condition(
        trouble=None if trouble is None else str(trouble),
        outages=capture.outages,
        dropped_s=ring.dropped_s,
        overrun_s=capture.overrun_samples / capture.sample_rate,
    )


def opening(group: Sequence[LiveSource]) -> Opening:
    """How the feed that a group shares is opened."""
    source = group[0]
    needed = max(1 if one.channel == "mix" else one.channel for one in group)
    if isinstance(source, MicrophoneSource):
        mixed = any(one.channel == "mix" for one in group)
        return lambda rate, stop: SoundCard(source.device, rate, stop, needed=needed, all_channels=mixed)
    if isinstance(source, NetworkSource):
        return lambda _rate, stop: NetworkStream(source.url, source.sample_rate, _index(source), stop)
    return Pipe(Form(source.sample_rate, Encoding(source.encoding), source.channels), needed=needed).open


def _blocks(
    capture: Capture, ring: Ring, source: LiveSource, stop: threading.Event, report: Report
) -> Iterator[Block | Gap]:
    channel = 0 if isinstance(source, NetworkSource) else _index(source)  # ffmpeg has chosen, and gives one
    hearing = Hearing(channel, source.gain_db, source.high_pass_hz)
    for piece in heard(ring.pieces(stop), capture.sample_rate, hearing, source_name(source)):
        yield piece
        if isinstance(piece, Gap) and piece.cause == Cause.DEVICE and capture.trouble is not None:
            report(capture.trouble)
    capture.join()


def _index(source: LiveSource) -> int | None:
    """The channel, from 0; None: all of them, averaged."""
    return None if source.channel == "mix" else source.channel - 1

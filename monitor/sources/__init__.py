"""Where audio comes from: a microphone or recordings. A source yields streams, one recording each."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from monitor.clock import Quality
from monitor.errors import MonitorError
from monitor.records import Block, Gap


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One recording, from a file or from the microphone until it is lost."""

    id: UUID
    name: str
    """the file's path as it was given, or the microphone"""
    sample_rate: int
    """Hz, of the blocks"""
    start: datetime | None
    """UTC of sample 0, None where nobody knows"""
    quality: Quality
    blocks: Iterator[Block | Gap]
    """may raise RecordingError or MicrophoneError"""


def until_broken(blocks: Iterator[Block | Gap], report: Callable[[MonitorError], None]) -> Iterator[Block | Gap]:
    """End the blocks where the source breaks, and report why: what was heard until then stays heard."""
    try:
        yield from blocks
    except MonitorError as error:
        report(error)


def until_stopped(blocks: Iterator[Block | Gap], stop: threading.Event) -> Iterator[Block | Gap]:
    """End the blocks as soon as `stop` is set."""
    for block in blocks:
        if stop.is_set():
            return
        yield block

"""Where audio comes from: what is live, or recordings. A source yields streams, one recording each.

live          live sources as they are configured -> endless streams: read first
capture       one feed for ever: opened again whenever it is lost, in a thread of its own
feed          what is open now: microphone (by its program sound_card), pipe or network; child, pcm, identity help
liveness      whether a feed is dead or stuck
continuity    whether its samples are late, missing or too many, by the monotonic clock alone
tape          where they belong in the endless stream
ring          what waits between that thread and the analysis
hearing       channel, gain, high_pass, and the symptoms of a microphone that is there and ails
recordings    files, or files that continue each other, as streams: read second
finding       which files there are
remote        those that lie elsewhere, by their URLs
headers       what a file says of itself: by its name (names), its metadata, and what decodes it (decoding, ffmpeg)
joining       files that continue each other
deployments   a table of the user's: where they were made
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from monitor.clock import Quality
from monitor.errors import MonitorError
from monitor.recorded import Recorded
from monitor.records import Block, Gap


@dataclass(frozen=True, slots=True)
class Condition:
    """How a live source has fared since it was first looked for; a file has no condition."""

    trouble: str | None = None
    """why nothing is heard of it now"""
    outages: int = 0
    """times it was lost"""
    dropped_s: float = 0.0
    """audio that waited too long for its analysis, and was given up"""
    overrun_s: float = 0.0
    """audio that was lost on its way to us"""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One recording: a file, or all that a live source gives while the service runs."""

    id: UUID
    name: str
    """the file's path as it was given, or the live source, the same whether it is there or not"""
    sample_rate: int
    """Hz, of the blocks"""
    start: datetime | None
    """UTC of sample 0, None where nobody knows"""
    quality: Quality
    blocks: Iterator[Block | Gap]
    """may raise RecordingError or MicrophoneError"""
    began: float | None = None
    """monotonic seconds of sample 0 of a live source; None for a file"""
    fullness: Callable[[], float] = lambda: 0.0
    """how much of what may wait for its analysis waits now, in [0, 1]; a file waits itself"""
    condition: Callable[[], Condition] = Condition
    """how it fares; may be asked from any thread"""
    recorded: Recorded | None = None
    """what is known of a file, or of files that are one recording; None for a live source"""


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

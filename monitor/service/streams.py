"""What is listened to: recordings once, or a microphone that is found again for ever."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from monitor.config.source import MicrophoneSource, RecordingsSource
from monitor.errors import MicrophoneError, RecordingError
from monitor.records import Block, Gap
from monitor.service.session import Session
from monitor.sources import Stream, until_stopped
from monitor.sources.microphone import open_microphone
from monitor.sources.names import read_zone
from monitor.sources.recordings import BLOCK_S, find_recordings, open_recording, paced

PACED_BLOCK_S = 0.1
SHORTEST_RETRY_S = 1.0
LONGEST_RETRY_S = 5.0


def streams(session: Session) -> Iterator[Stream]:
    """Each stream as soon as there is one. Raises RecordingError where recordings are named that do not exist."""
    source = session.config.source
    if isinstance(source, RecordingsSource):
        paths = find_recordings(Path(p) for p in source.paths)
        zone = read_zone(source.timezone) if source.timezone else None
        return _recordings(session, paths, zone, source.speed)
    return _microphone(session, source)


def _recordings(session: Session, paths: list[Path], zone: tzinfo | None, speed: float | None) -> Iterator[Stream]:
    """Each recording once, as if heard now: with an id of its own, so that it may be played again."""
    for path in paths:
        try:
            stream = open_recording(path, zone, PACED_BLOCK_S if speed else BLOCK_S)
        except RecordingError as error:
            session.broken(error)
            continue
        blocks = stream.blocks
        if speed:
            blocks = paced(blocks, stream.sample_rate, speed, sleep=session.stop.wait)
        yield replace(stream, id=uuid.uuid4(), blocks=until_stopped(blocks, session.stop))


def _microphone(session: Session, source: MicrophoneSource) -> Iterator[Stream]:
    """The microphone, found again for ever. The time without it is accounted for as lost."""
    wait_s, searching = SHORTEST_RETRY_S, False
    last_audio = _LastAudio(session.monotonic())
    while not session.stop.is_set():
        try:
            stream = open_microphone(source.device, source.sample_rate, session.stop)
        except MicrophoneError as error:
            searching = True
            session.waiting(error)
            session.stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)
            continue
        if searching:
            session.outage(source.device or stream.name, session.monotonic() - last_audio.time)
        wait_s, searching = SHORTEST_RETRY_S, True
        yield replace(stream, blocks=last_audio.watch(stream.blocks, session.monotonic))
        if session.stop.is_set():
            return
    if searching:
        session.outage(source.device or "microphone", session.monotonic() - last_audio.time)


@dataclass(slots=True)
class _LastAudio:
    """When the last block came, on the monotonic clock."""

    time: float

    def watch(self, blocks: Iterator[Block | Gap], monotonic: Callable[[], float]) -> Iterator[Block | Gap]:
        for block in blocks:
            self.time = monotonic()
            yield block

"""What is listened to: recordings once, and what is live for ever."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from monitor.config.settings import Config
from monitor.config.source import LiveSource, RecordingsSource
from monitor.errors import RecordingError
from monitor.service.session import Session
from monitor.sources import Stream, until_stopped
from monitor.sources.live import open_streams, shared
from monitor.sources.names import read_zone
from monitor.sources.recordings import BLOCK_S, find_recordings, open_recording, paced

PACED_BLOCK_S = 0.1


@dataclass(frozen=True, slots=True)
class Streams:
    """All sources of a station, found to be well described, and none opened yet."""

    played: Sequence[tuple[RecordingsSource, list[Path], tzinfo | None]]
    live: Sequence[Sequence[LiveSource]]

    @staticmethod
    def of(config: Config) -> "Streams":
        """RecordingError where recordings are named that do not exist, ConfigError where sources do not go together."""
        sources = config.listening
        played = [
            (source, find_recordings(map(Path, source.paths)), read_zone(source.timezone) if source.timezone else None)
            for source in sources
            if isinstance(source, RecordingsSource)
        ]
        return Streams(played, shared([source for source in sources if not isinstance(source, RecordingsSource)]))

    def open(self, session: Session) -> list[Iterator[Stream]]:
        """Rows of streams: those of one row follow each other, the rows go on at the same time."""
        opened = [stream for group in self.live for stream in open_streams(group, session.stop)]
        played = [_played(session, paths, zone, source.speed) for source, paths, zone in self.played]
        return [*played, *(iter([stream]) for stream in opened)]


def _played(session: Session, paths: list[Path], zone: tzinfo | None, speed: float | None) -> Iterator[Stream]:
    """Each recording once, as if heard now: with an id of its own, so that it may be played again."""
    for path in paths:
        if session.stop.is_set():
            return
        try:
            stream = open_recording(path, zone, PACED_BLOCK_S if speed else BLOCK_S)
        except RecordingError as error:
            session.broken(error)
            continue
        blocks = stream.blocks
        if speed:
            blocks = paced(blocks, stream.sample_rate, speed, sleep=session.stop.wait)
        yield replace(stream, id=uuid.uuid4(), blocks=until_stopped(blocks, session.stop))

"""What one recording came to, as it travels between processes and is kept in the journal.

Text is ASCII JSON, in which a file name that is not UTF-8 survives as lone surrogates. Rows of single windows can be
millions for a day of audio, so that they are packed as they come and unpacked one by one.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

import msgspec

from monitor.batch.found import Failure
from monitor.messages import EffortMessage
from monitor.sinks.rows import Minute
from monitor.sinks.tables import COLUMNS, Heard, HeardFile, Row

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is reported of one recording."""

    heard: tuple[Heard, ...] = ()
    """what could be opened, with the detections that begin in each file: one, or one for each channel"""
    failures: tuple[Failure, ...] = ()
    """why it, or a part of it, was not heard"""
    heard_s: float = 0.0
    """by every model, on every channel"""
    start_utc: str | None = None
    zoneless: bool = False
    """it says when it began, but not in which time zone"""
    scores: bytes = b""
    """`Packed` rows of single windows"""

    @property
    def length_s(self) -> float:
        """Of what could be opened."""
        return max((sum(file.duration_s for file in one.files) for one in self.heard), default=0.0)

    @property
    def rows(self) -> list[Row]:
        """All detections."""
        return [row for one in self.heard for file in one.files for row in file.rows]

    def text(self) -> str:
        """All but the scores, as one line."""
        failures = [(failure.path, failure.reason) for failure in self.failures]
        heard = [_heard_cells(one) for one in self.heard]
        return json.dumps([heard, failures, self.heard_s, self.start_utc, self.zoneless])

    @staticmethod
    def read(text: str, scores: bytes) -> "Outcome":
        """What `text` wrote. ValueError or TypeError where it did not."""
        heard, failures, heard_s, start_utc, zoneless = json.loads(text)
        return Outcome(
            tuple(_heard(*cells) for cells in heard),
            tuple(Failure(*cells) for cells in failures),
            *(heard_s, start_utc, zoneless, scores),
        )


class Packed:
    """Rows, packed as they come."""

    def __init__(self) -> None:
        self._packer, self._packed, self._any = zlib.compressobj(1), bytearray(), False

    def write(self, rows: Iterable[Row], file_offset_s: float) -> None:
        """Add rows."""
        del file_offset_s
        for row in rows:
            self._any = True
            self._packed += self._packer.compress((json.dumps(_cells(row)) + "\n").encode("ascii"))

    def close(self) -> bytes:
        """All rows; empty where there were none. Nothing can be added afterwards."""
        self._packed += self._packer.flush()
        return bytes(self._packed) if self._any else b""


def unpack(packed: bytes) -> Iterator[Row]:
    """The rows that were packed, one by one."""
    unpacker, rest = zlib.decompressobj(), b""
    for at in range(0, len(packed), _READ_BYTES):
        *lines, rest = (rest + unpacker.decompress(packed[at : at + _READ_BYTES])).split(b"\n")
        for line in lines:
            yield Row(*json.loads(line))


def _cells(row: Row) -> list[object]:
    return [getattr(row, column) for column in COLUMNS]


def _heard_cells(heard: Heard) -> list[object]:
    hours = [msgspec.structs.asdict(hour) for hour in heard.hours]
    return [[_file_cells(file) for file in heard.files], [astuple(minute) for minute in heard.minutes], hours]


def _heard(files: list[list[object]], minutes: list[list[object]], hours: list[dict[str, object]]) -> Heard:
    return Heard(
        [_file(*cells) for cells in files],  # type: ignore[arg-type]
        [Minute(*cells) for cells in minutes],  # type: ignore[arg-type]
        [msgspec.convert(hour, EffortMessage) for hour in hours],
    )


def _file_cells(file: HeardFile) -> list[object]:
    return [file.name, file.duration_s, [_cells(row) for row in file.rows]]


def _file(name: str, duration_s: float, rows: list[list[object]]) -> HeardFile:
    return HeardFile(name, duration_s, [Row(*cells) for cells in rows])  # type: ignore[arg-type]

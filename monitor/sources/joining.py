"""Files that continue each other: recorders begin a new one every hour, or at 4 GiB, and birds do not wait for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path

from monitor.errors import RecordingError
from monitor.recorded import Part
from monitor.records import Block, Cause, Gap
from monitor.sources.headers import Header, read_header
from monitor.sources.names import without_time
from monitor.sources.remote import Named

SEAM_S = 1.0
"""names tell seconds, cut off: files that are no further apart, or overlap no more, follow each other at once"""

Open = Callable[[int], Iterator[Block]]
"""the blocks of a part by its index, counted from its start"""


def continuing(paths: Iterable[Named], zone: tzinfo | None, longest_gap_s: float = SEAM_S) -> list[tuple[Named, ...]]:
    """Recordings in their order, those together that continue each other.

    They lie in one folder, have the same name but for the time, the same rate and channels, and no more than
    `longest_gap_s` between them. What cannot be opened, or lies elsewhere, or does not say when it began or how long it
    is, stands alone.
    """
    groups: list[list[Named]] = []
    last: Header | None = None
    for path in paths:
        header = _readable(path, zone)
        if last is not None and header is not None and _continues(last, header, max(SEAM_S, longest_gap_s)):
            groups[-1].append(path)
        else:
            groups.append([path])
        last = header
    return [tuple(group) for group in groups]


def parts(headers: Sequence[Header]) -> list[Part]:
    """Where each of several files lies in the recording that they are together.

    One that begins within SEAM_S of where the last ended begins with the sample behind its last; else by its time.
    """
    found = [_part(headers[0], 0)]
    for before, header in pairwise(headers):
        begun = found[-1].start_sample + (before.frames or 0)
        away = round((_lag_s(before, header) or 0.0) * header.sample_rate)
        found.append(_part(header, begun + (away if away > SEAM_S * header.sample_rate else 0)))
    return found


def joined(found: Sequence[Part], opened: Open, report: Callable[[RecordingError], None]) -> Iterator[Block | Gap]:
    """The blocks of all parts as those of one recording.

    Where one cannot be decoded there is a gap until it ends, and why is reported: the others are heard all the same.
    """
    position = 0
    for index, part in enumerate(found):
        if part.start_sample > position:
            yield Gap(position, part.start_sample, Cause.UNKNOWN)
        position = part.start_sample
        end = part.end_sample or position
        try:
            for block in opened(index):
                kept = replace(block, start_sample=position, samples=block.samples[: end - position])
                position = kept.end_sample
                yield kept
        except RecordingError as error:
            report(error)
        if position < end:
            yield Gap(position, end, Cause.DAMAGED)
        position = end


def _readable(path: Named, zone: tzinfo | None) -> Header | None:
    """None where it must be opened again to say why it cannot be, or would have to be fetched."""
    try:
        return read_header(path, zone) if isinstance(path, Path) else None
    except RecordingError:
        return None


def _continues(before: Header, header: Header, longest_gap_s: float) -> bool:
    def kind(one: Header) -> tuple[object, ...]:
        return one.path.parent, without_time(one.path.name), one.sample_rate, one.channels, one.recorder

    lag_s = _lag_s(before, header)
    return (
        lag_s is not None
        and header.frames is not None
        and -SEAM_S <= lag_s <= longest_gap_s
        and kind(before) == kind(header)
    )


def _lag_s(before: Header, header: Header) -> float | None:
    """By how many seconds a file begins after the end of the one before; None where nobody knows."""
    if before.start is None or before.frames is None or header.start is None:
        return None
    return (header.start - before.start).total_seconds() - before.frames / before.sample_rate


def _part(header: Header, start_sample: int) -> Part:
    end_sample = None if header.frames is None else start_sample + header.frames
    return Part(str(header.path), start_sample, end_sample, header.start)

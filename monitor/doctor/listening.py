"""Listening for some seconds, as the service would: whether the source is there, opens, and keeps its rate."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monitor.config.source import LiveSource, PipeSource, RecordingsSource, Source, source_name
from monitor.doctor import sound
from monitor.doctor.finding import Finding, amber, green, red, sentence
from monitor.errors import MicrophoneError, RecordingError
from monitor.levels import Levels, OctaveMeter
from monitor.records import Block, Gap
from monitor.sources import Stream
from monitor.sources.live import open_streams
from monitor.sources.recordings import find_recordings

FIRST_S = 4.0
"""what the first sample may take: a sound server that has to wake up takes seconds"""
OFF, FAR_OFF = 0.02, 0.1
"""share of the rate by which samples may come too fast or too slow"""
LATE_S = 0.1
"""that the first or the last of them may be late, which matters less the longer one listens"""
FEW_S = 0.5
"""of sound are too few to judge"""

Show = Callable[[int, Block], None]
"""is given the rate in Hz and each block as it arrives"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came within some seconds."""

    samples: int
    """after the first block"""
    lost: int
    """samples in gaps between blocks"""
    seconds: float
    """from the end of the first block to the end of the last, on the monotonic clock"""
    levels: Levels | None
    """None where nothing came"""


def source(wanted: Source, seconds: float, show: Show) -> list[Finding]:
    """Look for recordings, or listen to what is live."""
    if isinstance(wanted, RecordingsSource):
        return [_recordings(wanted)]
    if isinstance(wanted, PipeSource):
        found = "Could not look: what comes through standard input is for the service."
        return [amber("source", found, "Look at what `dawnchorus run` says of it.")]
    return _live(wanted, seconds, show)


def _live(wanted: LiveSource, seconds: float, show: Show) -> list[Finding]:
    name, stop = source_name(wanted), threading.Event()
    troubles: list[MicrophoneError] = []
    (stream,) = open_streams([wanted], stop, troubles.append)
    heard = listen(stream, seconds, show, stop)
    if heard.levels is None:
        found = sentence(str(troubles[-1])) if troubles else f"{name} gave no sample within {FIRST_S:g} s."
        return [red("source", found, "See `dawnchorus devices`, plug it in, or correct source in the configuration.")]
    findings = [green("source", f"{name} opens, at {stream.sample_rate} Hz."), _pace(heard, stream.sample_rate)]
    if troubles:
        findings.append(red("source", sentence(str(troubles[-1])), "Look at its cable, its plug and its supply."))
    return findings + sound.findings(heard.levels)


def listen(stream: Stream, seconds: float, show: Show, stop: threading.Event) -> Heard:
    """Measure what comes within some seconds after the first block, and end the stream."""
    meter, lost, samples = OctaveMeter(stream.sample_rate), 0, 0
    first = last = None
    deadline = time.monotonic() + FIRST_S
    for piece in stream.blocks:
        now = time.monotonic()
        if isinstance(piece, Gap):
            lost += piece.end_sample - piece.start_sample if first is not None else 0
            meter.gap()
        else:
            meter.add(piece.samples)
            show(stream.sample_rate, piece)
            last = now if piece.captured is None else piece.captured
            if first is None:
                first, deadline = last, now + seconds
            else:
                samples += len(piece.samples)
        if now > deadline:
            stop.set()
    return Heard(samples, lost, (last or 0.0) - (first or 0.0), meter.take())


def _pace(heard: Heard, sample_rate: int) -> Finding:
    """Whether samples come as fast as they should, and all of them."""
    if heard.lost:
        found = f"{heard.lost / sample_rate:.2f} s of sound were lost while listening."
        return red("rate", found, "Use another USB port or cable, and end other programs.")
    if heard.seconds < FEW_S:
        return amber("rate", "Could not look: too few samples came to tell.", "Listen for longer, with --seconds.")
    pace = heard.samples / heard.seconds
    off = max(0.0, abs(pace / sample_rate - 1) - LATE_S / heard.seconds)
    found = f"{pace:.0f} samples a second came, and {sample_rate} should."
    if off < OFF:
        return green("rate", found)
    light = red if off > FAR_OFF else amber
    return light("rate", found, "This card does not keep its rate: choose another sample_rate or another card.")


def _recordings(wanted: RecordingsSource) -> Finding:
    try:
        found = find_recordings(Path(path) for path in wanted.paths)
    except RecordingError as error:
        return red("source", sentence(str(error)), "Correct the paths of the source.")
    if not found:
        return red("source", f"No recording lies in {', '.join(wanted.paths)}.", "Correct the paths of the source.")
    return green("source", f"{len(found)} recordings are there to be played; no microphone is looked at.")

"""The best clips of each species, small enough for a page: Opus in Ogg, and a spectrogram of sixteen colours.

Their names say what they hold, as `monitor.sinks.clips` writes them, and where in them a detection lies they say
themselves; those of earlier programs do not, and it is reckoned from their names and the store.
"""

import base64
import io
import os
import sqlite3
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest
from pathlib import Path

import numpy as np
import soundfile

from monitor.clock import rfc3339
from monitor.errors import RecordingError, StoreError
from monitor.pictures import png
from monitor.pictures.colours import shades
from monitor.pictures.drawing import shaded
from monitor.pictures.spectrum import Stretch, even_edges, spectrum
from monitor.recorded import guano
from monitor.records import Block, Samples
from monitor.resample import resample
from monitor.sinks.clips import naming
from monitor.sources.recordings import open_recording

COLUMNS, ROWS = 392, 98
"""of a spectrogram"""
LONGEST_S = 40.0
"""what is longer was not written by this program"""
_SHADES = 16
_OPUS_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
_COMPRESSION = 0.8
"""about 60 kbit/s at 48 kHz: birds stay birds"""


@dataclass(frozen=True, slots=True, order=True)
class ClipFile:
    """A clip in its folder, by what its name says. The more confident is the greater."""

    confidence: float
    path: Path
    species: str
    """scientific name in small letters, with hyphens"""
    started: str
    detection: str
    """the beginning of its id"""


@dataclass(frozen=True, slots=True)
class Sound:
    """A clip as the page holds it."""

    confidence: float
    onset_utc: str | None
    length_s: float
    top_hz: float
    picture: str
    """address of a PNG that holds it"""
    audio: str
    """address of an Ogg that holds it"""
    mark: tuple[float, float] | None
    """seconds between which the detection lies; None where the store does not know it"""

    @property
    def size(self) -> int:
        """Bytes that it adds to the page."""
        return len(self.picture) + len(self.audio)


def best_clips(folder: Path, most: int, rejected: Container[str] = ()) -> dict[str, list[ClipFile]]:
    """The most confident of each species, by its name in clips. StoreError where the folder cannot be read.

    `rejected`: beginnings of the ids of detections that somebody found to be none.
    """
    found: dict[str, list[ClipFile]] = {}
    for clip in _clips(folder):
        if clip.detection in rejected:
            continue
        kept = found.setdefault(clip.species, [])
        kept.append(clip)
        if len(kept) > 2 * most:
            found[clip.species] = nlargest(most, kept)
    return {species: nlargest(most, kept) for species, kept in found.items()}


def _clips(folder: Path) -> Iterator[ClipFile]:
    try:
        days = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        for day in sorted(days):
            for entry in os.scandir(day):
                named = naming.parse(entry.name)
                if named and entry.is_file(follow_symlinks=False):
                    path = Path(entry.path)
                    yield ClipFile(named.confidence, path, named.species, named.started, named.detection)
    except OSError as error:
        msg = f"clips in {folder} cannot be read: {error.strerror or error}"
        raise StoreError(msg) from error


def sound_of(clip: ClipFile, connection: sqlite3.Connection, before_s: float) -> Sound:
    """A clip for the page. RecordingError where it cannot be read.

    `before_s` is how much of it comes before the detection, where that is not cut short.
    """
    samples, rate = _read(clip.path)
    length_s = len(samples) / rate
    onset_utc, mark = _told(clip, length_s) or _detection(clip, connection, before_s, length_s)
    return Sound(clip.confidence, onset_utc, length_s, rate / 2, picture(samples, rate), opus(samples, rate), mark)


def picture(samples: Samples, rate: int) -> str:
    """Address of a spectrogram that holds it, of (n,) float32 in [-1, 1], up to half the rate in Hz."""
    stretch = Stretch(0, len(samples), rate)
    levels = spectrum([Block(0, samples)], stretch, COLUMNS, even_edges(stretch, ROWS))
    return png.uri(png.paletted(shaded(levels, _SHADES), shades(_SHADES)))


def _read(path: Path) -> tuple[Samples, int]:
    stream = open_recording(path)
    blocks = []
    for block in stream.blocks:
        if isinstance(block, Block):
            blocks.append(block.samples)
        if block.end_sample > LONGEST_S * stream.sample_rate:
            msg = f"{path}: longer than {LONGEST_S:g} s: a clip expected"
            raise RecordingError(msg)
    return np.concatenate(blocks), stream.sample_rate


def opus(samples: Samples, rate: int) -> str:
    """Address of an Ogg that holds it, of (n,) float32 in [-1, 1] at a rate in Hz."""
    opus_hz = next((one for one in _OPUS_HZ if one >= rate), _OPUS_HZ[-1])
    encoded = io.BytesIO()
    audio = samples if rate == opus_hz else resample(samples, rate, opus_hz)
    soundfile.write(encoded, audio, opus_hz, format="OGG", subtype="OPUS", compression_level=_COMPRESSION)
    return f"data:audio/ogg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _told(clip: ClipFile, length_s: float) -> tuple[str | None, tuple[float, float]] | None:
    """When the detection was and between which seconds, as the clip says; None where it does not."""
    with soundfile.SoundFile(os.fsencode(clip.path)) as sound:
        fields = guano.comment_fields(str(sound.comment))
    try:
        onset_s, offset_s = (float(fields[f"DawnChorus|{key}"]) for key in ("Onset", "Offset"))
        start = fields.get("Timestamp")
        onset = None if start is None else rfc3339(_utc(start) + timedelta(seconds=onset_s))
    except (KeyError, ValueError):
        return None
    return (onset, (onset_s, min(length_s, offset_s))) if 0 <= onset_s < length_s else None


def _detection(
    clip: ClipFile, connection: sqlite3.Connection, before_s: float, length_s: float
) -> tuple[str | None, tuple[float, float] | None]:
    """When it was, and between which seconds of the clip; the name tells its beginning only to a second."""
    query = "SELECT onset_utc, onset_s, offset_s - onset_s FROM found WHERE id >= ? AND id < ? AND id LIKE ? LIMIT 1"
    prefix = clip.detection
    row = connection.execute(query, (prefix, prefix + "\U0010ffff", f"{prefix}%")).fetchone()
    if row is None:
        return None, None
    onset_utc, onset_s, lasts_s = row
    if clip.started.endswith("Z"):
        since_s = (_utc(onset_utc) - _utc(clip.started)).total_seconds() if onset_utc else -1.0
        start_s = min(max(before_s, since_s - 1.0), since_s)
    else:
        start_s = onset_s - float(clip.started[:-1])
    known = 0 <= start_s < length_s
    return onset_utc, (start_s, min(length_s, start_s + lasts_s)) if known else None


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""A clip as a file that says what it holds, and its picture.

GUANO (version 1.0) is defined for the chunk `guan` of a WAV alone. In FLAC its text, lines and all, is the Vorbis
comment `COMMENT` (RFC 9639, section 8.6), which libsndfile writes and every player shows; `monitor.recorded.guano`
reads it back. What GUANO has no key for stands under `DawnChorus|`.
"""

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

from monitor.clock import rfc3339
from monitor.pictures import png
from monitor.pictures.drawing import Caption, drawing
from monitor.pictures.lanes import Mark
from monitor.pictures.spectrum import Stretch, even_edges, spectrum
from monitor.recorded import guano
from monitor.records import Block, Samples
from monitor.sinks.clips.clip import About, Clip

COLUMNS, ROWS = 700, 256
"""of the sound in a picture"""
SHADES = 12
"""with ink, paper, mark and nothing 16 colours, which take half a byte each: a picture has about 70 kB"""
FULL_SCALE = 32_768
BITS_16, BITS_24 = "PCM_16", "PCM_24"

Encodable = npt.NDArray[np.int16] | npt.NDArray[np.int32]


def encoded(clip: Clip) -> bytes:
    """A clip as FLAC."""
    return flac(clip.audio[clip.kept], clip.sample_rate, described(clip.about, clip.length_s, clip.sample_rate))


def pictured(clip: Clip) -> bytes:
    """Its spectrogram as PNG."""
    return picture(clip.audio[clip.kept].astype(np.float32) / np.float32(FULL_SCALE), clip.sample_rate, clip.about)


def flac(samples: Encodable, sample_rate: int, comment: str, subtype: str = BITS_16) -> bytes:
    """Samples, shape (n,), as FLAC. soundfile.LibsndfileError for a rate beyond 655,350 Hz."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sample_rate, 1, subtype, format="FLAC") as sound:
        sound.comment = comment
        sound.write(samples)
    return file.getvalue()


def picture(samples: Samples, sample_rate: int, about: About) -> bytes:
    """A spectrogram with its axes, on which the detection is marked, as PNG; shape (n,), float32 in [-1, 1]."""
    stretch = Stretch(0, len(samples), sample_rate)
    levels = spectrum([Block(0, samples)], stretch, COLUMNS, even_edges(stretch, ROWS))
    name = about.taxon.common_name or about.species
    mark = Mark(about.onset_s, about.offset_s, f"{name} {about.confidence:.2f}")
    when = rfc3339(about.start) if about.start else f"{about.start_s:.1f} s into {about.recording}"
    caption = Caption(f"{about.species}, {when}", [mark])
    return png.few_colours(drawing(levels, stretch, caption, SHADES))


def described(about: About, length_s: float, sample_rate: int) -> str:
    """The text of GUANO."""
    return guano.chunk(dict(_fields(about, length_s, sample_rate))).decode().rstrip(" ")


def _fields(about: About, length_s: float, sample_rate: int) -> Iterator[tuple[str, str]]:
    """Key and value. What is empty is left out."""
    if about.start is not None:
        yield "Timestamp", str(rfc3339(about.start))
    yield "Length", f"{length_s:.3f}"
    yield "Samplerate", str(sample_rate)
    if about.position is not None:
        yield "Loc Position", f"{about.position.latitude:.6f} {about.position.longitude:.6f}"
    recorder = about.recorder
    named = (("Make", recorder.make), ("Model", recorder.model), ("Serial", recorder.serial))
    yield from ((key, value) for key, value in named if value)
    yield "Original Filename", about.recording
    yield "Species Auto ID", about.species
    ours = (
        ("Station", about.station),
        ("Common Name", about.taxon.common_name),
        ("Label", about.label),
        ("Confidence", f"{about.confidence:.4f}"),
        ("Detection", about.detection),
        ("Onset", f"{about.onset_s:.3f}"),
        ("Offset", f"{about.offset_s:.3f}"),
        ("Classifier", about.model),
        ("Clock", about.clock_quality),
    )
    yield from ((f"DawnChorus|{key}", value) for key, value in ours if value)

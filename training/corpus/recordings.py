"""What training knows of a recording, whatever layout it came in."""

from dataclasses import dataclass
from pathlib import Path

AUDIO = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"})
BACKGROUND_FOLD = -1
"""in no fold"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where an annotator saw a call, in seconds from the start of the recording."""

    begin_s: float
    end_s: float
    scientific_name: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. `label` is None for sounds that hold none of the species."""

    path: Path
    label: str | None
    session: str
    """recordings of one visit, or cuts of one source: they never part over folds"""
    fold: int
    source: str
    """what an attribution names: the xeno-canto number, or the file"""
    boxes: tuple[Box, ...] | None = None
    """None: nobody annotated it. Empty: somebody looked and there was nothing."""
    also: tuple[str, ...] = ()
    """labels that may sound in the background: neither true nor false, training leaves them out"""
    recordist: str = ""
    licence: str = ""
    """address or name of the licence's text"""
    sha256: str = ""
    """of the file when the manifest was built, in hexadecimal digits; empty: nobody stated it"""

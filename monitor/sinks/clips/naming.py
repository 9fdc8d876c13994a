"""What the name of a clip says: `20260501T041203Z_parus-major_0.93_1a2b3c4d.flac`, or `3.0s_...` of unknown time."""

import re
from dataclasses import dataclass
from datetime import datetime

SUFFIX, PICTURE_SUFFIX = ".flac", ".png"
ID_LETTERS = 8
"""of the detection's id"""
_NAME = re.compile(r"(\d{8}T\d{6}Z|\d+\.\ds)_([a-z0-9-]+)_([01]\.\d\d)_([^_/]{8})\.flac")


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says."""

    started: str
    """UTC, or seconds from the start of the recording"""
    species: str
    """scientific name in small letters, with hyphens"""
    confidence: float
    detection: str
    """the beginning of its id"""


def hyphened(name: str) -> str:
    """A scientific name as it stands in the names of clips."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def name(start: datetime | None, start_s: float, species: str, confidence: float, detection: str) -> str:
    """Of a clip that begins at a time of UTC, or where nobody knows it so far behind the start of its recording."""
    time = f"{start:%Y%m%dT%H%M%SZ}" if start else f"{start_s:.1f}s"
    return f"{time}_{hyphened(species)}_{confidence:.2f}_{detection[:ID_LETTERS]}{SUFFIX}"


def parse(text: str) -> Named | None:
    """What a name says; None where it is not one of ours."""
    match = _NAME.fullmatch(text)
    return None if match is None else Named(match[1], match[2], float(match[3]), match[4])

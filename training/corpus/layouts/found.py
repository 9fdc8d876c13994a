"""What a layout hands to `build`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.records import Taxon
from training.corpus.recordings import Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording that nobody has decoded yet."""

    path: Path
    label: str | None
    """None: none of the species"""
    source: str
    """what an attribution names: the xeno-canto number, or the file"""
    keys: tuple[str, ...]
    """recordings that share a key are of one session"""
    also: tuple[str, ...] = ()
    """labels or names of what may sound in the background"""
    recordist: str = ""
    licence: str = ""
    boxes: tuple[Box, ...] | None = None
    fold: int | None = None
    """where it has to stay; None: wherever it fits"""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is left out, and why."""

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """All that a source holds."""

    candidates: tuple[Candidate, ...]
    taxa: Mapping[str, Taxon] = field(default_factory=dict)
    backgrounds: tuple[Path, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    """sentences that whoever builds should read"""

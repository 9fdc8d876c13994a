"""The models that are known, and whose licence somebody accepted."""

import difflib
import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from monitor.contract.foreign import SUFFIX, Download, GeoTerms, SoundTerms, parse_terms
from monitor.errors import ModelError, MonitorError

FOLDER = Path(__file__).parent.parent / "models" / "foreign"
ACCEPTED = "licences-accepted.txt"
"""in the folder of the models: a line for each acceptance, with its day, the model, the licence and the text's hash"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be fetched."""

    text: str
    """of the contract, as it will lie beside the model"""
    terms: GeoTerms | SoundTerms
    download: Download

    @property
    def hears(self) -> bool:
        """Whether it is a classifier; else it is a geo model."""
        return isinstance(self.terms, SoundTerms)

    @property
    def name(self) -> str:
        """Stem of its files."""
        return self.terms.name


def names() -> list[str]:
    """The models that are known by name."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def find(named: str) -> Entry:
    """The model of a name, or of a YAML file that says where it comes from.

    ModelError where there is none, or where it says what is not allowed.
    """
    path = Path(named) if named.endswith(SUFFIX) else FOLDER / f"{named}{SUFFIX}"
    if named not in names() and not path.is_file():
        nearest = difflib.get_close_matches(named, names(), n=1, cutoff=0.0)[0]
        msg = f"no model {named!r}: did you mean {nearest!r}? There are {', '.join(names())}, or a {SUFFIX} file"
        raise ModelError(msg)
    try:
        text = path.read_text(encoding="utf-8")
        terms = parse_terms(text, SoundTerms if _is_of_sound(text) else GeoTerms)
        if terms.download is None:
            msg = "unknown origin: its key download is missing"
            raise ModelError(msg)
    except (OSError, UnicodeDecodeError, ModelError) as error:
        msg = f"contract {path}: {getattr(error, 'strerror', None) or error}"
        raise ModelError(msg) from error
    return Entry(text, terms, terms.download)


def is_accepted(entry: Entry, folder: Path) -> bool:
    """Whether the licence was accepted for this folder, as it reads now."""
    path = folder / ACCEPTED
    if not path.is_file():
        return False
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.split("\t")[1:] == _acceptance(entry) for line in lines)


def accept(entry: Entry, folder: Path, today: date) -> None:
    """Remember that the licence was accepted. MonitorError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ACCEPTED).open("a", encoding="utf-8") as file:
            file.write("\t".join([today.isoformat(), *_acceptance(entry)]) + "\n")
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}"
        raise MonitorError(msg) from error


def _acceptance(entry: Entry) -> list[str]:
    return [entry.name, entry.terms.licence, hashlib.sha256(entry.download.licence_text.encode()).hexdigest()]


def _is_of_sound(text: str) -> bool:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return True  # reading it again says what is wrong
    return not isinstance(found, dict) or "input" in found or "sample_rate" in found

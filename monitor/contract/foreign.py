"""Somebody else's model: a YAML file beside the ONNX file, of the same stem, says what the file does not.

    version: 1
    name: birdnet-v2.4
    sample_rate: 48000
    window_samples: 144000
    input: {kind: waveform}                 # or {kind: log_mel, n_fft: ..., ...}, every constant of `features.MelSpec`
    output: {kind: logits, activation: sigmoid}
    labels: {file: birdnet-v2.4.labels.txt, format: scientific_common}
    threshold: 0.5                          # of every label ...
    thresholds: {Parus major: 0.7}          # ... but these
    licence: CC-BY-NC-SA-4.0

A geo model, which says what occurs at a place in a week, has the same file without the lines about sound.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import yaml

from monitor.config.reading import parse_as
from monitor.contract.labels import FileName, LabelFile, read_labels
from monitor.contract.names import Names
from monitor.contract.terms import (
    Contract,
    Count,
    Label,
    LogMel,
    Output,
    Parity,
    Provenance,
    Share,
    Waveform,
    check_version,
)
from monitor.errors import ConfigError, ModelError

SUFFIX = ".yaml"

T = TypeVar("T", bound="GeoTerms")


class Remote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that can be fetched."""

    url: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    """None: nobody vouches for the file, so the first copy that is fetched is the one that counts"""
    size: Count | None = None
    """bytes"""


class Download(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the files of a model are fetched from, and on which terms."""

    model: Remote
    labels: Remote
    licence_text: str
    """what the licence asks, as it is shown before anything is fetched"""


class GeoTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network that takes [latitude, longitude, week] and returns how likely each label occurs there."""

    version: int
    name: FileName
    labels: LabelFile
    output: Output = Output(kind="scores", activation="none")
    licence: str
    attribution: list[str] = []
    download: Download | None = None


class SoundTerms(GeoTerms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network that hears."""

    sample_rate: Count
    window_samples: Count
    input: LogMel | Waveform
    output: Output = Output()
    threshold: Share = 0.5
    thresholds: dict[str, Share] = {}
    parity: Parity | None = None


def beside(model: Path) -> Path:
    """Where the contract of a foreign model lies."""
    return model.with_suffix(SUFFIX)


def read_terms(path: Path, kind: type[T]) -> T:
    """What a YAML file says. ModelError, naming the file, where it cannot be read or says what is not allowed."""
    try:
        return parse_terms(path.read_text(encoding="utf-8"), kind)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"contract {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ModelError(msg) from error
    except ModelError as error:
        msg = f"contract {path}: {error}"
        raise ModelError(msg) from error


def parse_terms(text: str, kind: type[T]) -> T:
    """What YAML text says. ModelError where it is of another version or says what is not allowed."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None  # which parse_as tells in a sentence
    if isinstance(found, dict) and isinstance(found.get("version"), int):  # anything else is no version at all
        check_version(found["version"])
    try:
        return parse_as(text, kind)
    except ConfigError as error:
        raise ModelError(str(error)) from error


def read_contract(path: Path) -> Contract:
    """The contract of a foreign model, from its YAML file and its label file. ModelError names the file at fault."""
    terms = read_terms(path, SoundTerms)
    labels = read_labels(terms.labels, path.parent, terms.threshold)
    try:
        contract = Contract(
            version=terms.version,
            name=terms.name,
            input=terms.input,
            sample_rate=terms.sample_rate,
            window_samples=terms.window_samples,
            output=terms.output,
            labels=_with_thresholds(labels, terms.thresholds),
            provenance=Provenance("", "", {}, {}, terms.licence, terms.attribution),
            parity=terms.parity,
        )
        contract.check()
    except (ConfigError, ModelError) as error:
        msg = f"contract {path}: {error}"
        raise ModelError(msg) from error
    return contract


def _with_thresholds(labels: Sequence[Label], thresholds: dict[str, float]) -> list[Label]:
    names, changed = Names(labels), list(labels)
    names.check(thresholds, "thresholds")
    for name, threshold in thresholds.items():
        for index in names.indices(name):
            changed[index] = msgspec.structs.replace(changed[index], threshold=threshold)
    return changed

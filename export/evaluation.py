"""What `dawnchorus-training evaluate` wrote, as far as a contract needs it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from monitor.contract import Calibration, Share
from monitor.errors import ModelError


class Chosen(msgspec.Struct, frozen=True):
    """What a label is reported from."""

    threshold: Share = 0.5
    precision: Share | None = None


class _ByLabel(msgspec.Struct, frozen=True):
    thresholds: dict[str, Chosen] = {}
    calibration: dict[str, Calibration] = {}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of one network; empty where nobody evaluated it."""

    thresholds: dict[str, Chosen] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    """all other figures, as they were written"""


def read_evaluation(path: Path, labels: Sequence[str]) -> Evaluation:
    """Read an evaluation of a network with these labels. ModelError where it is missing, damaged or of other labels."""
    try:
        figures = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        found = msgspec.convert(figures, _ByLabel)
    except OSError as error:
        msg = f"evaluation {path} cannot be read: {error.strerror or error}"
        raise ModelError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"evaluation {path} is not what `dawnchorus-training evaluate` writes: {error}"
        raise ModelError(msg) from error
    for name in _ByLabel.__struct_fields__:
        theirs = figures.pop(name, {})
        if set(theirs) != set(labels):
            odd = ", ".join(sorted(set(theirs) ^ set(labels)))
            msg = f"evaluation {path} is of another network: its {name} and the checkpoint's labels differ in {odd}"
            raise ModelError(msg)
    return Evaluation(found.thresholds, found.calibration, figures)

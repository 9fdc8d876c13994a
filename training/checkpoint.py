"""What training leaves on the disk: a network with its own settings, or the state of a run that was cut short."""

from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from monitor.errors import ModelError
from monitor.features import MelSpec
from training.network import EfficientNetLite


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard to train."""

    steps: int = 2000
    batch: int = 32
    """windows a step, on each of the machines"""
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    average: float = 0.995
    """decay of the moving average of the weights; the average is what is kept"""
    beliefs: tuple[float, ...] = (0.4, 0.7)
    """shares of the steps after which windows are drawn anew by the network's own belief"""
    frozen: float = 0.0
    """share of the steps in which only the last layer learns; 1: for good"""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and all that is needed to use it or to train it again."""

    weights: dict[str, Tensor]
    labels: tuple[str, ...]
    size: str
    """of the network, as `training.network.size_of` knows it"""
    spec: MelSpec
    window_samples: int
    data_hash: str
    schedule: Schedule
    fold: int | None
    """the fold that was left out; None: trained on everything"""
    pretrained: str = ""
    """what the first of its line began with, and its version; empty: with chance"""
    teachers: tuple[str, ...] = ()
    """what `training.teaching` calls the networks that it learned from"""

    def network(self) -> EfficientNetLite:
        """The network with these weights, ready to score."""
        network = EfficientNetLite(len(self.labels), self.size, len(self.spec.channels))
        network.load_state_dict(self.weights)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write atomically, as plain values and tensors."""
        write(path, asdict(self))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `Checkpoint.save` wrote. ModelError where the file is missing or something else."""
    try:
        fields = read(path)
        fields["spec"] = MelSpec(**fields["spec"])
        fields["schedule"] = Schedule(**fields["schedule"])
        checkpoint = Checkpoint(**fields)
        checkpoint.network()
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        msg = f"{path} is not a checkpoint of this program ({type(error).__name__})"
        raise ModelError(msg) from error
    return checkpoint


def write(path: Path, fields: dict[str, Any]) -> None:
    """Write plain values and tensors at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    torch.save(fields, partial)
    partial.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote. ModelError where the file is missing or holds something else."""
    try:
        return dict(torch.load(path, weights_only=True, map_location="cpu"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise ModelError(msg) from error
    except (EOFError, UnpicklingError, RuntimeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} is not a checkpoint of this program ({type(error).__name__})"
        raise ModelError(msg) from error


def differences(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What differs between two sets of settings, in words; empty where nothing does."""
    return ", ".join(
        f"{name} is {one.get(name)!r} there and {other.get(name)!r} here"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    )

"""Targets from earlier networks: what several of them believe together, one learns to say alone.

A recording's label is weak: a window of it may hold no call, or another bird. Networks that began with other seeds err
in other windows, so that their mean is a better target than the label (Hinton, Vinyals and Dean 2015,
arXiv:1503.02531).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from monitor.errors import ModelError
from monitor.features import Floats, MelSpec
from training.checkpoint import Checkpoint, differences
from training.drawing.examples import MASKED
from training.network import EfficientNetLite

SHARE = 0.7
"""of a target, what the teachers believe; the rest is what the recording is said to hold"""


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """Networks that know the same labels."""

    networks: tuple[EfficientNetLite, ...]
    names: tuple[str, ...]
    """which they are, by their weights"""

    @staticmethod
    def of(checkpoints: Sequence[Checkpoint], labels: Sequence[str], spec: MelSpec) -> "Teaching":
        """ModelError where one knows other labels than `labels`, or in another order, or has another front end."""
        for checkpoint in checkpoints:
            if checkpoint.labels != tuple(labels):
                msg = f"a teacher knows {', '.join(checkpoint.labels)}: expected are {', '.join(labels)}"
                raise ModelError(msg)
            if found := differences(asdict(checkpoint.spec), asdict(spec)):
                msg = f"a teacher has another front end: {found}"
                raise ModelError(msg)
        return Teaching(tuple(one.network() for one in checkpoints), tuple(map(_named, checkpoints)))

    def on(self, device: torch.device) -> "Teaching":
        """The same on another device."""
        moved = tuple(network.to(device, memory_format=torch.channels_last) for network in self.networks)  # type: ignore[call-overload]
        return Teaching(moved, self.names)

    @torch.inference_mode()
    def taught(self, pictures: torch.Tensor, targets: Floats) -> Floats:
        """Targets (n, n_labels) of windows (n, n_channels, n_mels, n_frames), 1, 0 or MASKED, as values in [0, 1].

        What is MASKED is what the teachers believe. Windows that hold nothing by their making stay as they are: no
        network knows that better. A label that is MASKED in all of them is one without recordings, and says nothing
        of what a window holds.
        """
        if not self.networks:
            return targets
        logits = torch.stack([network(pictures) for network in self.networks]).mean(0)
        belief = torch.sigmoid(logits).cpu().numpy()
        drawn = np.where(targets == MASKED, belief, (1 - SHARE) * targets + SHARE * belief)
        heard = (targets != MASKED).any(axis=0)
        holding = (targets[:, heard] != 0).any(axis=1, keepdims=True)
        return np.where(holding, drawn, targets).astype(np.float32)


NOBODY = Teaching((), ())


def _named(checkpoint: Checkpoint) -> str:
    return hashlib.sha256(checkpoint.weights["classifier.weight"].numpy().tobytes()).hexdigest()[:16]

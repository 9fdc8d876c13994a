"""Several networks -> one: the mean of their weights.

Networks that went on from the same start lie in one valley of the loss, and the mean of their weights does better on
what none of them has heard than any of them does ("model soups", Wortsman et al. 2022, arXiv:2203.05482; of a start and
where it led: arXiv:2109.01903). It costs the device nothing: it is one network.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

import torch

from monitor.errors import ModelError
from training.checkpoint import Checkpoint, differences


def blend(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The mean of checkpoints' weights, with the window and schedule of the last.

    Raises ModelError where they are of different labels, size, front end, data or fold.
    """
    last = checkpoints[-1]
    for one in checkpoints[:-1]:
        if found := differences(_kept(one), _kept(last)):
            msg = f"networks that differ have no mean: {found}"
            raise ModelError(msg)
    # Counts of batches are whole numbers, and of no use to a finished network.
    weights = {
        name: torch.stack([one.weights[name] for one in checkpoints]).mean(0) if weight.is_floating_point() else weight
        for name, weight in last.weights.items()
    }
    return replace(last, weights=weights)


def _kept(checkpoint: Checkpoint) -> dict[str, object]:
    """What must be the same."""
    return {
        "labels": checkpoint.labels,
        "size": checkpoint.size,
        "data hash": checkpoint.data_hash,
        "fold": checkpoint.fold,
        **asdict(checkpoint.spec),
    }

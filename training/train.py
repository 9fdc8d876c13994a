"""The loop, top to bottom: recordings in, a checkpoint out that carries its own settings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from monitor.errors import ModelError
from monitor.features import Floats, MelSpec
from training.examples import MASKED, Examples
from training.network import EfficientNetLite

SPEC = MelSpec(sample_rate=24_000, n_fft=800, hop=400, n_mels=96, fmin_hz=150.0, fmax_hz=11_000.0, floor=1e-9)
"""24 kHz holds every call of the ten species and is half of what recorders write; frames of 33 ms every
17 ms, so that a step of one second is 60 whole frames; the floor is the noise of 16-bit rounding."""

WINDOW_SAMPLES = 3 * SPEC.sample_rate


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard to train."""

    steps: int = 2000
    batch: int = 32
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    average: float = 0.995
    """decay of the moving average of the weights; the average is what is kept"""
    beliefs: tuple[float, ...] = (0.4, 0.7)
    """shares of the steps after which windows are drawn anew by the network's own belief"""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and all that is needed to use it or to train it again."""

    weights: dict[str, Tensor]
    labels: tuple[str, ...]
    width: float
    spec: MelSpec
    window_samples: int
    data_hash: str
    schedule: Schedule
    fold: int | None
    """the fold that was left out; None: trained on everything"""

    def network(self) -> EfficientNetLite:
        """The network with these weights, ready to score."""
        network = EfficientNetLite(len(self.labels), self.width)
        network.load_state_dict(self.weights)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write atomically, as plain values and tensors."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(asdict(self), partial)
        partial.replace(path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `Checkpoint.save` wrote. ModelError where the file is missing or something else."""
    try:
        fields: dict[str, Any] = dict(torch.load(path, weights_only=True))
        fields["spec"] = MelSpec(**fields["spec"])
        fields["schedule"] = Schedule(**fields["schedule"])
        return Checkpoint(**fields)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise ModelError(msg) from error
    except (EOFError, UnpicklingError, RuntimeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} is not a checkpoint of this program ({type(error).__name__})"
        raise ModelError(msg) from error


def train(
    examples: Examples,
    width: float,
    schedule: Schedule,
    progress: Callable[[int, float], None] = lambda _step, _loss: None,
) -> dict[str, Tensor]:
    """Train a network and return its averaged weights. `progress` gets the step and its loss."""
    torch.manual_seed(schedule.seed)
    rng = np.random.default_rng(schedule.seed)
    network = EfficientNetLite(len(examples.labels), width)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average), use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), schedule.peak_rate, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.peak_rate, schedule.steps, pct_start=0.2)
    network.train()
    beliefs = {round(share * schedule.steps) for share in schedule.beliefs}
    for step in range(schedule.steps):
        if step in beliefs:
            examples = examples.believing(lambda windows: sigmoid(predict(average.module.eval(), windows)))
            average.module.train()
        inputs, targets = examples.batch(schedule.batch, rng)
        logits = network(torch.from_numpy(inputs).to(memory_format=torch.channels_last))
        loss = masked_loss(logits, torch.from_numpy(targets))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
        average.update_parameters(network)
        progress(step, loss.item())
    return {name: weight.contiguous() for name, weight in average.module.state_dict().items()}


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy over (batch, n_labels), leaving out targets that are MASKED."""
    known = (targets != MASKED).float()
    each = binary_cross_entropy_with_logits(logits, targets.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def sigmoid(logits: Floats) -> Floats:
    """Logits -> scores in [0, 1]."""
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


@torch.inference_mode()
def predict(network: nn.Module, windows: Sequence[Floats] | Floats, batch: int = 64) -> Floats:
    """Logits (n, n_labels) of standardised log-mel windows, each (n_mels, n_frames)."""
    stacked = torch.from_numpy(np.stack(list(windows))[:, None])
    return torch.cat([network(part) for part in stacked.split(batch)]).numpy()

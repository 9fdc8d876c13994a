"""The loop, top to bottom: recordings in, weights out. A run that was killed goes on and ends with the same weights."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from monitor.errors import ModelError
from monitor.features import Floats
from training.checkpoint import Checkpoint, Schedule, differences, read, write
from training.drawing.examples import MASKED, Examples
from training.machine import ALONE, Machine
from training.network import EfficientNetLite
from training.teaching import NOBODY, Teaching

SAVED_EVERY = 100
"""steps between two states on the disk: what a kill can cost"""


class Run:
    """A network on its way: weights, their average, the optimiser, and how far it has come."""

    def __init__(
        self,
        examples: Examples,
        size: str,
        schedule: Schedule,
        machine: Machine,
        origin: Checkpoint | None,
        teaching: Teaching,
    ) -> None:
        torch.manual_seed(schedule.seed)
        self.examples, self.schedule, self.machine, self.step = examples, schedule, machine, 0
        self.teaching = teaching.on(machine.device)
        network = EfficientNetLite(len(examples.labels), size, len(examples.spec.channels))
        if origin is not None:
            adopt(network, examples, size, origin)
        self.network = network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.learner = machine.shared(self.network)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), schedule.peak_rate, weight_decay=schedule.weight_decay
        )
        self.rates = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, schedule.peak_rate, schedule.steps, pct_start=0.2
        )
        self.scaler = torch.amp.GradScaler(machine.device.type, enabled=machine.precision is torch.float16)
        self.settings = {
            "schedule": asdict(schedule),
            "size": size,
            "labels": examples.labels,
            "front end": asdict(examples.spec),
            "frames": examples.n_frames,
            "recipe": asdict(examples.recipe),
            "recordings": len(examples.starts_by_path),
            "teachers": teaching.names,
        }

    def learn(self) -> float:
        """One step: draw windows, go down the gradient; return the loss."""
        rank = self.machine.rank
        torch.manual_seed(self.schedule.seed + self.step * self.machine.count + rank)
        inputs, targets = self.examples.batch(
            self.schedule.batch, np.random.default_rng([self.schedule.seed, self.step, rank])
        )
        self.network.train()
        self.network.freeze(frozen=self.step < self.schedule.frozen * self.schedule.steps)
        pictures = torch.from_numpy(inputs).to(self.machine.device, memory_format=torch.channels_last)
        precision = self.machine.precision
        with torch.autocast(self.machine.device.type, precision, enabled=precision is not None):
            logits = self.learner(pictures)
        wanted = torch.from_numpy(self.teaching.taught(pictures, targets))
        loss = masked_loss(logits.float(), wanted.to(self.machine.device))
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.rates.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.item()

    def believe(self) -> None:
        """Draw from now on where the averaged network hears what a recording is said to hold."""
        network = self.average.module.eval()
        self.examples = self.examples.believing(lambda pictures: sigmoid(predict(network, pictures)))

    def save(self, path: Path) -> None:
        """Write all that the next step depends on."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        starts = [torch.from_numpy(weights) for weights in self.examples.starts_by_path.values()]
        write(path, {"settings": self.settings, "step": self.step, "starts": starts, **parts})

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped. ModelError where that was another run, with the difference."""
        state: dict[str, Any] = read(path)
        if found := differences(state.get("settings", {}), self.settings):
            msg = f"{path} is the state of another run: {found}; delete it to start afresh"
            raise ModelError(msg)
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]
        starts = [weights.numpy() for weights in state["starts"]]
        self.examples = self.examples.drawn_at(dict(zip(self.examples.starts_by_path, starts, strict=True)))


PARTS = ("network", "average", "optimiser", "rates", "scaler")
"""of a Run, each with a state of its own"""


def train(  # noqa: PLR0913 - all that a run begins with
    examples: Examples,
    size: str,
    schedule: Schedule,
    *,
    machine: Machine = ALONE,
    origin: Checkpoint | None = None,
    teaching: Teaching = NOBODY,
    state: Path | None = None,
    progress: Callable[[int, float, float], None] = lambda _step, _loss, _rate: None,
) -> dict[str, Tensor]:
    """Train a network and return its averaged weights.

    `origin`: a network to start from, which is believed from the start if it knows labels. `teaching`: networks whose
    belief is what targets are made of, for the most part. `state`: where the run keeps
    itself every SAVED_EVERY steps and goes on from if it was killed; removed at the end. `progress` gets the step, its
    loss and its learning rate.
    Raises ModelError where `origin` or `state` is of another configuration.
    """
    run = Run(examples, size, schedule, machine, origin, teaching)
    if state is not None and state.exists():
        run.restore(state)
    beliefs = {round(share * schedule.steps) for share in schedule.beliefs}
    if origin is not None and origin.labels:
        beliefs.add(0)
    while run.step < schedule.steps:
        if run.step in beliefs:
            run.believe()
        rate = float(run.rates.get_last_lr()[0])
        loss = run.learn()
        progress(run.step - 1, loss, rate)
        if state is not None and machine.rank == 0 and run.step % SAVED_EVERY == 0:
            run.save(state)
    if state is not None and machine.rank == 0:
        state.unlink(missing_ok=True)
    return {name: weight.cpu().contiguous() for name, weight in run.average.module.state_dict().items()}


def adopt(network: EfficientNetLite, examples: Examples, size: str, origin: Checkpoint) -> None:
    """Copy a trained network's weights; a label that it knows keeps its output, a new one starts untrained.

    Its windows may have another length: every layer slides over time. Raises ModelError where it has another size
    or front end.
    """
    theirs = {"size": origin.size, **asdict(origin.spec)}
    ours = {"size": size, **asdict(examples.spec)}
    if found := differences(theirs, ours):
        msg = f"the checkpoint to start from is of another configuration: {found}"
        raise ModelError(msg)
    weights = dict(origin.weights)
    last = {name: weights.pop(f"classifier.{name}") for name in ("weight", "bias")}
    network.load_state_dict(weights, strict=False)
    with torch.no_grad():
        for index, label in enumerate(examples.labels):
            if label in origin.labels:
                row = origin.labels.index(label)
                network.classifier.weight[index] = last["weight"][row]
                network.classifier.bias[index] = last["bias"][row]


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
    """Logits (n, n_labels) of windows as `picture` makes them, each (n_channels, n_mels, n_frames)."""
    device = next(network.parameters()).device
    stacked = torch.from_numpy(np.stack(list(windows)))
    return torch.cat([network(part.to(device)).cpu() for part in stacked.split(batch)]).numpy()

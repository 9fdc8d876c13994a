"""`dawnchorus-training train`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from monitor.errors import ModelError
from training import train as loop
from training.checkpoint import Checkpoint, Schedule, read_checkpoint
from training.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    DataOption,
    OutOption,
    checkpoint_path,
    console,
    err,
)
from training.corpus.manifest import read_manifest
from training.drawing.material import SONGS, read_material
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.machine import Machine, machine
from training.network import size_of
from training.pretrained import IMAGENET, imagenet
from training.teaching import Teaching

WINDOW_S = WINDOW_SAMPLES / SPEC.sample_rate
DRAWS_OF_A_SONG = 8
"""windows drawn in all for each song that is made up: a short run needs few"""


def train(  # noqa: PLR0913 a command line has as many options as it needs
    data: DataOption = DEFAULT_DATA,
    out: OutOption = DEFAULT_OUT,
    *,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = Schedule().steps,
    batch: Annotated[int, typer.Option(min=1, help="Windows a step, in each process.")] = Schedule().batch,
    size: Annotated[str, typer.Option(help="nano, small, or a number: EfficientNet-Lite0 of that width.")] = "nano",
    window: Annotated[float, typer.Option(min=0.5, max=15, help="Seconds that the network sees at once.")] = WINDOW_S,
    fold: Annotated[list[int] | None, typer.Option(help="Leave this fold out; none: train on everything.")] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal networks.")] = Schedule().seed,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = Schedule().peak_rate,
    origin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start from this checkpoint, or the one of the same name in a folder; "
            f"{IMAGENET}: from what EfficientNet-Lite0 learned of photographs.",
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="Learn what this checkpoint believes, or the one of the same name in a folder; several together."
        ),
    ] = None,
    frozen: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the steps in which only the last layer learns.")
    ] = Schedule().frozen,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = os.cpu_count() or 1,
) -> None:
    """Train one network on everything, or one for each --fold that it then has never heard.

    A run that was killed goes on where it was. Curves for TensorBoard lie in OUT/tensorboard. On several GPUs:
    torchrun --nproc-per-node 4 -m training train ...

    Example: dawnchorus-training train --steps 1800 --fold 0 --fold 1 --fold 2 --fold 3
    """
    torch.set_num_threads(threads)
    manifest, size = read_manifest(data), size_of(size).name
    for number in fold or ():
        manifest.check_fold(number)
    schedule = Schedule(steps=steps, batch=batch, peak_rate=rate, frozen=frozen, seed=seed)
    console.print(f"{len(manifest.recordings)} recordings, {len(manifest.labels)} labels; decoding")
    window_samples = round(window * SPEC.sample_rate)
    material = read_material(manifest, min(SONGS, 1 + steps * batch // DRAWS_OF_A_SONG), seed, window_samples)
    data_hash = manifest.content_hash()
    with machine() as processor:
        for left_out in fold or (None,):
            path = checkpoint_path(out, left_out)
            start = _origin(origin, size, seed, path.name, left_out, data_hash)
            examples = material.examples(left_out, start.labels if start else ())
            if examples.unheard:
                unheard = ", ".join(examples.unheard)
                err.print(f"no recordings of {unheard}: they stay as they were, and the others learn nothing of them")
            teachers = [_unspoiled(one, path.name, left_out, data_hash) for one in teacher or ()]
            teaching = Teaching.of(teachers, examples.labels, examples.spec)
            with _shown(path, schedule, processor) as progress:
                weights = loop.train(
                    examples,
                    size,
                    schedule,
                    machine=processor,
                    origin=start,
                    teaching=teaching,
                    state=path.with_suffix(".state"),
                    progress=progress,
                )
            if processor.rank == 0:
                line = start.pretrained if start else ""
                settings = (size, SPEC, window_samples, data_hash, schedule, left_out, line, teaching.names)
                Checkpoint(weights, examples.labels, *settings).save(path)
                console.print(f"wrote {path}")


def _origin(
    path: Path | None, size: str, seed: int, name: str, left_out: int | None, data_hash: str
) -> Checkpoint | None:
    """What to start from: photographs or a checkpoint."""
    if path is None:
        return None
    if path == Path(IMAGENET):
        return imagenet(size, SPEC, seed)
    return _unspoiled(path, name, left_out, data_hash)


def _unspoiled(path: Path, name: str, left_out: int | None, data_hash: str) -> Checkpoint:
    """A checkpoint, or the one of this name in a folder. ModelError where it has heard the fold that is left out."""
    found = read_checkpoint(path / name if path.is_dir() else path)
    if left_out is not None and found.data_hash == data_hash and found.fold != left_out:
        msg = f"{path} has heard fold {left_out}: a network that learns from it cannot be judged by that fold"
        raise ModelError(msg)
    return found


@contextmanager
def _shown(path: Path, schedule: Schedule, processor: Machine) -> Iterator[Callable[[int, float, float], None]]:
    """A progress bar and curves for TensorBoard, by the first of all processes."""
    if processor.rank > 0:
        yield lambda _step, _loss, _rate: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar, SummaryWriter(path.parent / "tensorboard" / path.stem) as curves:
        task = bar.add_task(path.stem, total=schedule.steps)

        def progress(step: int, loss: float, rate: float) -> None:
            bar.update(task, completed=step + 1, description=f"{path.stem} loss {loss:.3f}")
            curves.add_scalar("loss", loss, step)
            curves.add_scalar("learning rate", rate, step)

        yield progress

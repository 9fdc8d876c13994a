"""`dawnchorus-training train`."""

import os
from typing import Annotated

import torch
import typer
from rich.progress import Progress

from training import train as loop
from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption, OutOption, checkpoint_path, console
from training.examples import Examples
from training.manifest import TAXA, read_manifest
from training.spectra import read_spectra
from training.train import SPEC, WINDOW_SAMPLES, Checkpoint, Schedule


def train(
    data: DataOption = DEFAULT_DATA,
    out: OutOption = DEFAULT_OUT,
    steps: Annotated[int, typer.Option(help="Training steps of 32 windows.")] = Schedule().steps,
    width: Annotated[float, typer.Option(help="Width of the network; 1 is EfficientNet-Lite0.")] = 0.5,
    fold: Annotated[list[int] | None, typer.Option(help="Leave this fold out; none: train on everything.")] = None,
) -> None:
    """Train one network on everything, or one for each --fold that it then has never heard.

    Example: dawnchorus-training train --steps 1800 --fold 0 --fold 1 --fold 2 --fold 3
    """
    torch.set_num_threads(os.cpu_count() or 1)
    manifest = read_manifest(data)
    for number in fold or ():
        manifest.check_fold(number)
    console.print(f"{len(manifest.recordings)} recordings, {len(manifest.labels)} labels; decoding")
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    backgrounds = tuple(read_spectra(manifest.backgrounds, SPEC, WINDOW_SAMPLES).values())
    data_hash = manifest.content_hash()
    folds: list[int | None] = [*fold] if fold else [None]
    for left_out in folds:
        names = {label: TAXA[label][0] for label in manifest.labels}
        recordings = manifest.without(left_out)
        examples = Examples(recordings, spectra, names, SPEC, SPEC.n_frames(WINDOW_SAMPLES), backgrounds=backgrounds)
        schedule = Schedule(steps=steps)
        with Progress(console=console) as progress:
            task = progress.add_task("training", total=steps)
            weights = loop.train(
                examples,
                width,
                schedule,
                lambda step, loss: progress.update(task, completed=step + 1, description=f"loss {loss:.3f}"),  # noqa: B023
            )
        path = checkpoint_path(out, left_out)
        Checkpoint(weights, manifest.labels, width, SPEC, WINDOW_SAMPLES, data_hash, schedule, left_out).save(path)
        console.print(f"wrote {path}")

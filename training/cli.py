"""`dawnchorus-training`: recordings in, checkpoints and an evaluation out."""

import json
import os
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from monitor.errors import MonitorError
from training.evaluate import report, score_recordings
from training.examples import Examples
from training.manifest import TAXA, Manifest, read_manifest
from training.spectra import read_spectra
from training.train import SPEC, WINDOW_SAMPLES, Checkpoint, Schedule, read_checkpoint, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console()
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

DataOption = Annotated[
    Path,
    typer.Option(
        "--data", envvar="DAWNCHORUS_DATA", help="Folder with birds/, negatives/ and, if there are any, background/."
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoints and scores.")]

DEFAULT_DATA = Path("../shared/data")
DEFAULT_OUT = Path("build/training")


@app.command(name="train")
def train_command(
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
            weights = train(
                examples,
                width,
                schedule,
                lambda step, loss: progress.update(task, completed=step + 1, description=f"loss {loss:.3f}"),  # noqa: B023
            )
        path = checkpoint_path(out, left_out)
        Checkpoint(weights, manifest.labels, width, SPEC, WINDOW_SAMPLES, data_hash, schedule, left_out).save(path)
        console.print(f"wrote {path}")


@app.command()
def evaluate(data: DataOption = DEFAULT_DATA, out: OutOption = DEFAULT_OUT) -> None:
    """Score every recording with the network that never heard it; write evaluation.json.

    Example: dawnchorus-training evaluate --out build/training
    """
    manifest = read_manifest(data)
    checkpoints = [(fold, read_checkpoint(checkpoint_path(out, fold))) for fold in manifest.folds]
    spectra = read_spectra(manifest.recordings, SPEC, WINDOW_SAMPLES)
    scored = []
    for fold, checkpoint in checkpoints:
        scored += score_recordings(checkpoint.network(), manifest.fold(fold), spectra)
    figures = report(scored, manifest.labels)
    figures["method"] = _method(manifest, checkpoints[0][1])
    (out / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print_json(data=figures)


def _method(manifest: Manifest, checkpoint: Checkpoint) -> str:
    schedule = checkpoint.schedule
    return (
        f"pooled out of fold over {len(manifest.folds)} folds grouped by session, float network, width "
        f"{checkpoint.width:g}, {schedule.steps} steps of {schedule.batch} windows, seed {schedule.seed}; "
        "a recording's score is the highest of its 3 s windows, one a second; 95 % interval by bootstrap over sessions"
    )


def checkpoint_path(out: Path, fold: int | None) -> Path:
    """Where `train` writes the network that left out `fold`."""
    return out / ("all.pt" if fold is None else f"fold{fold}.pt")


def main() -> None:
    """Run the command line; a known failure is one sentence and exit code 1."""
    try:
        app()
    except MonitorError as error:
        err.print(f"dawnchorus-training: {error}", style="red", markup=False)
        raise SystemExit(1) from error

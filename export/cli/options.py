"""What the commands share: options, and what they print."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from export.bars import Bar
from export.evaluation import Evaluation, read_evaluation
from export.windows import CALIBRATION_WINDOWS
from training.checkpoint import Checkpoint
from training.cli.options import DEFAULT_OUT

console = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

DEFAULT_CHECKPOINT = DEFAULT_OUT / "all.pt"
DEFAULT_NAME = "dawnchorus-starter-6"
DEFAULT_WINDOWS = CALIBRATION_WINDOWS

CheckpointOption = Annotated[Path, typer.Option("--checkpoint", help="What `dawnchorus-training train` wrote.")]
EvaluationOption = Annotated[
    Path | None,
    typer.Option("--evaluation", help="What `dawnchorus-training evaluate` wrote; none: thresholds of a half."),
]
NameOption = Annotated[str, typer.Option("--name", help="What the model is called.")]
WindowsOption = Annotated[int, typer.Option("--windows", min=1, help="Real windows that calibrate.")]


def read_figures(path: Path | None, checkpoint: Checkpoint) -> Evaluation:
    """The evaluation that was given, or an empty one."""
    return Evaluation() if path is None else read_evaluation(path, checkpoint.labels)


def show(figures: Mapping[str, float], bars: Sequence[Bar]) -> None:
    """Print a line for each figure."""
    for bar in bars:
        value = figures[bar.figure]
        console.print(f"{'' if bar.met(value) else 'MISSED: '}{bar.line(value)}", markup=False)


def wrote(*paths: Path) -> None:
    """Print what lies where now."""
    for path in paths:
        console.print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB", markup=False)

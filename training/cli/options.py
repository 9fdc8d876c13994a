"""What the commands share: options, where they print, and where things lie."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

DEFAULT_DATA = Path("../shared/data")
DEFAULT_OUT = Path("build/training")

DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="DAWNCHORUS_DATA",
        help="A manifest that `build` wrote, or a folder with birds/, negatives/ and, if there are any, background/.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoints and scores.")]


def checkpoint_path(out: Path, fold: int | None) -> Path:
    """Where `train` writes the network that left out `fold`."""
    return out / ("all.pt" if fold is None else f"fold{fold}.pt")

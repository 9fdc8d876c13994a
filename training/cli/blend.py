"""`dawnchorus-training blend`."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.errors import ModelError
from training.blend import blend as mean_of
from training.checkpoint import read_checkpoint
from training.cli.options import DEFAULT_OUT, OutOption, console

FEWEST = 2


def blend(
    folders: Annotated[list[Path], typer.Argument(help="Folders of checkpoints that went on from the same start.")],
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Average the weights of the checkpoints that have the same name in every folder: fold0.pt and so on, and all.pt.

    Example: dawnchorus-training blend build/second build/third --out build/training
    """
    if len(folders) < FEWEST:
        msg = f"a blend takes at least {FEWEST} folders of checkpoints, got {', '.join(map(str, folders))}"
        raise ModelError(msg)
    first, *others = [{path.name for path in folder.glob("*.pt")} for folder in folders]
    names = sorted(first.intersection(*others))
    if not names:
        msg = f"no checkpoint is in every one of {', '.join(map(str, folders))}: all.pt or fold0.pt and so on expected"
        raise ModelError(msg)
    for name in names:
        mean_of([read_checkpoint(folder / name) for folder in folders]).save(out / name)
        console.print(f"wrote {out / name}")

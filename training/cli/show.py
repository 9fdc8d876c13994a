"""`dawnchorus-training show`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from training.cli.options import DEFAULT_DATA, DataOption, console
from training.corpus.manifest import read_manifest
from training.drawing.batch import draw
from training.drawing.material import read_material

FEW_SONGS = 24


def show(
    data: DataOption = DEFAULT_DATA,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write, a PNG file.")] = Path("batch.png"),
    count: Annotated[int, typer.Option(min=1, max=64, help="Windows.")] = 16,
    fold: Annotated[int | None, typer.Option(help="Leave this fold out.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other windows.")] = 1,
) -> None:
    """Draw a batch as the network sees it, mixed, moved and masked, with its labels.

    Example: dawnchorus-training show --count 16 --out batch.png
    """
    manifest = read_manifest(data)
    if fold is not None:
        manifest.check_fold(fold)
    examples = read_material(manifest, FEW_SONGS, seed).examples(fold)
    pictures, targets = examples.batch(count, np.random.default_rng(seed))
    figure = draw(pictures, targets, [manifest.taxa[label].common_name for label in examples.labels], examples.spec)
    figure.savefig(out, format="png", dpi=110)
    console.print(f"wrote {out}")

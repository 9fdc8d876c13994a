"""`dawnchorus-training build`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.progress import Progress
from rich.table import Column, Table

from training.cli.options import console, err
from training.corpus.build import Built, Order
from training.corpus.build import build as build_manifest
from training.corpus.layouts.sources import Layout
from training.corpus.manifest import Manifest, write_manifest

SHOWN = 3
"""examples of each reason"""


def build(  # noqa: PLR0913, PLR0917 - a command line
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Folders of recordings, or data sets NAME[:CONFIG] of the hub."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The manifest to write.")] = Path("manifest.json"),
    folds: Annotated[int, typer.Option(min=2, help="How many folds; those that a source states are kept.")] = 4,
    seed: Annotated[int, typer.Option(help="Decides where folds could be either way.")] = 1,
    negatives: Annotated[Path | None, typer.Option(help="Folder of sounds that hold none of the species.")] = None,
    background: Annotated[Path | None, typer.Option(help="Folder of field recordings to mix in, unlabelled.")] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="Annotations: a table or a folder of tables (CSV, Raven, Audacity).")
    ] = None,
    layout: Annotated[Layout, typer.Option(help="How the sources lie; auto looks.")] = Layout.AUTO,
) -> None:
    """Check, group and split recordings; write the manifest that `train --data` reads.

    Example: dawnchorus-training build recordings --negatives noise -o manifest.json
    """
    spool = out.parent / f"{out.stem}-audio"
    order = Order(tuple(sources), spool, layout, negatives, background, boxes, folds, seed)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("decoding", total=None)
        built = build_manifest(order, lambda done, total: progress.update(task, completed=done, total=total))
    write_manifest(built.manifest, out)
    console.print(_table(built.manifest))
    _tell(built)
    console.print(
        f"wrote {out}: {len(built.manifest.recordings)} recordings, {len(built.skipped)} left out", markup=False
    )


def _table(manifest: Manifest) -> Table:
    """Recordings of each label and fold."""
    columns = [*(str(fold) for fold in manifest.folds), "all", "sessions", "boxed"]
    first, numbers = Column("label", no_wrap=True), (Column(name, justify="right") for name in columns)
    table = Table(first, *numbers, box=SIMPLE, title="recordings of each label and fold", title_justify="left")
    for label in (*manifest.labels, None):
        own = [r for r in manifest.recordings if r.label == label]
        if own:
            counts = Counter(r.fold for r in own)
            cells = [counts[fold] for fold in manifest.folds]
            cells += [len(own), len({r.session for r in own}), sum(r.boxes is not None for r in own)]
            table.add_row(label or "(negatives)", *map(str, cells))
    return table


def _tell(built: Built) -> None:
    for reason in dict.fromkeys(skipped.reason for skipped in built.skipped):
        some = [skipped for skipped in built.skipped if skipped.reason == reason]
        err.print(f"left out, {reason}: {len(some)}", style="yellow", markup=False)
        for one in some[:SHOWN]:
            err.print(f"    {one.path}{f' ({one.detail})' if one.detail else ''}", markup=False)
    for note in built.notes:
        err.print(f"note: {note}", style="yellow", markup=False)

"""`dawnchorus discover`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.looking import gathered, tell_failures
from monitor.cli.options import FAILED, ConfigOption, ModelOption, err, log, out, plain

if TYPE_CHECKING:
    from monitor.unknown.collection import Collection

Where = Annotated[
    list[Path] | None,
    typer.Argument(help="Recordings, folders of them, or what a station kept; without any the configured folder."),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="HTML", help="The page; its table lies beside it.")]
Below = Annotated[float, typer.Option(min=0, max=1, metavar="SCORE", help="What no label may reach in recordings.")]
Names = Annotated[
    Path | None, typer.Option("--label", metavar="CSV", help="Names of clusters: the page's labels.csv, or its table.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="With --label: a folder for each name.")]
Zone = Annotated[str | None, typer.Option(help="Of times in file names that do not say: UTC, +02:00.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor leave a file in the folders.")]


def discover(  # noqa: PLR0913, PLR0917
    where: Where = None,
    output: Output = Path("unknown.html"),
    label: Names = None,
    folder: Out = None,
    below: Below = 0.2,
    model: ModelOption = None,
    timezone: Zone = None,
    no_cache: NoCache = False,  # noqa: FBT002
    config: ConfigOption = None,
) -> None:
    """Show what is loud and unlike any label, sorted into clusters of what is alike, to be listened to and named.

    The page opens offline. Names given in it become folders that `dawnchorus-training build` reads.

    Examples: `dawnchorus discover /media/card -o unknown.html`, and then
    `dawnchorus discover /media/card -o unknown.html --label labels.csv --out training`
    """
    log("warning")
    if (label is None) != (folder is None):
        msg = "go together: names, and where to put what has one"
        raise typer.BadParameter(msg, param_hint="--label and --out")
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415
    from monitor.sources.names import read_zone  # noqa: PLC0415
    from monitor.sources.recordings import Reading  # noqa: PLC0415
    from monitor.unknown.clusters import require  # noqa: PLC0415

    if label is None:
        require()
    classifier = Classifier(model or STARTER)
    reading = Reading(read_zone(timezone) if timezone else None)
    there = gathered(where, config, classifier, reading, remember=not no_cache)
    if label is None or folder is None:
        _show(there.collection, output, below, _title(where))
    else:
        _label(there.collection, label, output.with_suffix(".csv"), folder)
    if tell_failures(there.failures):
        raise typer.Exit(FAILED)


def _show(collection: "Collection", output: Path, below: float, title: str) -> None:
    import numpy as np  # noqa: PLC0415

    from monitor.unknown.clusters import MOST, clustered  # noqa: PLC0415
    from monitor.unknown.labelled import write_table  # noqa: PLC0415
    from monitor.unknown.page import About, write_page  # noqa: PLC0415
    from monitor.unknown.sifting import sifted  # noqa: PLC0415

    left = sifted(collection, MOST, below)
    found = clustered(left.collection, np.random.default_rng(0))
    table = output.with_suffix(".csv")
    write_table(table, left.collection, found)
    about = About(title, left.left_out, output.name, table.name, datetime.now(UTC))
    size = write_page(output, left.collection, found, about)
    out.print(
        f"{len(left.collection):,} of {len(collection):,} windows are loud and unlike any label, "
        f"{len(found.clusters)} clusters of them; {plain(output)}, {size / 1e6:.2f} MB, and {plain(table)}"
    )


def _label(collection: "Collection", label: Path, table: Path, folder: Path) -> None:
    from monitor.unknown.labelled import read_names, write_labelled  # noqa: PLC0415

    result = write_labelled(folder, collection, read_names(label, table))
    for name, count in result.written.most_common():
        out.print(f"  {count:6d}  {plain(name)}")
    out.print(f"{result.written.total()} windows of {len(result.written)} names in {plain(folder)}")
    if result.missing:
        err.print(f"[red]error:[/] the sound of {result.missing} named windows is there no longer")
        raise typer.Exit(FAILED)


def _title(where: list[Path] | None) -> str:
    return where[0].resolve().name if where else "the station"

"""`dawnchorus model get`."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import err, out, plain
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.catalogue.entries import Entry

To = Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of the models.")]
Url = Annotated[str | None, typer.Option(help="A mirror: the address below which the files have their names here.")]
Sha256 = Annotated[str | None, typer.Option("--sha256", metavar="HEX", help="What the model's hash has to be.")]
Accept = Annotated[bool, typer.Option("--accept-licence", help="You have read it and accept it.")]


def get(
    name: Annotated[
        str | None, typer.Argument(help="Of the model, or a .yaml file; without it, all are listed.")
    ] = None,
    to: To = Path("models"),
    url: Url = None,
    sha256: Sha256 = None,
    accept_licence: Accept = False,  # noqa: FBT002
) -> None:
    """Fetch somebody else's model, its labels and its contract, and try it. Broken off, the same command goes on.

    Examples: `dawnchorus model get`, `dawnchorus model get perch-v2 --to /srv/models --accept-licence`
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415

    from monitor.catalogue.entries import find, names  # noqa: PLC0415
    from monitor.catalogue.get import get as fetch  # noqa: PLC0415

    if name is None:
        for known in names():
            out.print(plain(f"{known:24} {find(known).terms.licence}"))
        return
    entry = find(name)
    _accept(entry, to, accepted=accept_licence)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:

        def progress(file: str) -> Callable[[int, int | None], None]:
            task = bars.add_task(file, total=None)
            return lambda done, size: bars.update(task, completed=done, total=size)

        model, said = fetch(entry, to, progress, url, sha256)
    for line in said:
        out.print(plain(line))
    key = "model" if entry.hears else "species: geo_model"
    out.print(plain(f"tried, and it runs; in the configuration: {key}: {model}"))


def _accept(entry: "Entry", folder: Path, *, accepted: bool) -> None:
    """The licence, shown and accepted once a folder."""
    from monitor.catalogue.entries import accept, is_accepted  # noqa: PLC0415

    if is_accepted(entry, folder):
        return
    out.print(plain(f"{entry.name} is under {entry.terms.licence}\n{entry.download.licence_text}"))
    if not accepted and not (sys.stdin.isatty() and typer.confirm("Do you accept it?")):
        msg = f"the licence of {entry.name} is not accepted: read it, and say --accept-licence"
        raise MonitorError(msg)
    accept(entry, folder, datetime.now(UTC).date())

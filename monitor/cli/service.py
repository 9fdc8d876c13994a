"""`dawnchorus service`."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import out, plain
from monitor.errors import MonitorError

app = typer.Typer(no_args_is_help=True, help="Make this a service that systemd starts at each boot, without a package.")

Root = Annotated[Path, typer.Option(help="Of another system, such as a card's image: files only, nothing is started.")]


@app.command()
def install(root: Root = Path("/")) -> None:
    """Write units, user and folders, and a configuration if there is none; start it now and at each boot.

    Example: `sudo /opt/dawnchorus/bin/dawnchorus service install`
    """
    from monitor.installation import install as installed  # noqa: PLC0415

    for path in installed(root, _program()):
        out.print(f"wrote {plain(path)}")
    if root == Path("/"):
        out.print("it listens now; see: systemctl status dawnchorus")


@app.command()
def remove(root: Root = Path("/")) -> None:
    """Stop the service and take its units away; the configuration and what was heard stay.

    Example: `sudo /opt/dawnchorus/bin/dawnchorus service remove`
    """
    from monitor.installation import remove as removed  # noqa: PLC0415

    for path in removed(root):
        out.print(f"removed {plain(path)}")


def _program() -> Path:
    """This very program."""
    found = shutil.which(sys.argv[0])
    if found is None:
        msg = f"{sys.argv[0]} is no program that systemd could start: call it as dawnchorus"
        raise MonitorError(msg)
    return Path(found).absolute()

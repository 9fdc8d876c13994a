"""The commands, one file each: the only argument parsing and the only printing.

Exit codes: 0 all well, 1 something failed, 2 wrong usage, 78 wrong configuration (EX_CONFIG of sysexits.h).
Heavy imports stand inside the commands, so that `--help` and `config check` answer at once.
"""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from monitor.cli.analyze import analyze
from monitor.cli.collect import collect
from monitor.cli.command import app as command_app
from monitor.cli.config import app as config_app
from monitor.cli.demo import demo
from monitor.cli.devices import devices
from monitor.cli.diff import diff
from monitor.cli.discover import discover
from monitor.cli.doctor import doctor
from monitor.cli.effort import effort
from monitor.cli.evaluate import evaluate
from monitor.cli.find import find
from monitor.cli.messages import messages
from monitor.cli.model import app as model_app
from monitor.cli.options import EX_CONFIG, FAILED, err, out, plain
from monitor.cli.report import report
from monitor.cli.run import run
from monitor.cli.service import app as service_app
from monitor.cli.spectrogram import spectrogram
from monitor.cli.upkeep import upkeep
from monitor.cli.verdicts import app as verdicts_app
from monitor.cli.watch import watch
from monitor.cli.web import web
from monitor.errors import ConfigError, MonitorError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Dawn Chorus listens to a place, recognises species and publishes detections over MQTT.",
)
for command in (
    run,
    analyze,
    evaluate,
    diff,
    demo,
    devices,
    doctor,
    effort,
    messages,
    collect,
    watch,
    upkeep,
    spectrogram,
    report,
    find,
    discover,
    web,
):
    app.command()(command)
app.add_typer(model_app, name="model")
app.add_typer(config_app, name="config")
app.add_typer(service_app, name="service")
app.add_typer(command_app, name="command")
app.add_typer(verdicts_app, name="verdicts")


def _print_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        out.print(f"dawnchorus {version('dawnchorus')}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,  # noqa: FBT002
) -> None:
    """Options of every command."""


def main() -> None:
    """Run a command; a known failure is one sentence and its exit code."""
    # BLAS threads spin between windows, a tenth of a core for nothing. NumPy reads this when it is imported,
    # which no command has done yet.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except ConfigError as error:
        err.print(f"[red]dawnchorus:[/] {plain(error)}")
        raise SystemExit(EX_CONFIG) from error
    except MonitorError as error:
        err.print(f"[red]dawnchorus:[/] {plain(error)}")
        raise SystemExit(FAILED) from error

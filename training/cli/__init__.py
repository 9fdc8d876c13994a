"""`dawnchorus-training`: recordings in, checkpoints and an evaluation out. One file a command."""

import typer

from monitor.errors import MonitorError
from training.cli.blend import blend
from training.cli.build import build
from training.cli.evaluate import evaluate
from training.cli.fetch import fetch
from training.cli.options import err
from training.cli.show import show
from training.cli.survey import survey
from training.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for command in (fetch, survey, build, train, blend, show, evaluate):
    app.command()(command)


def main() -> None:
    """Run the command line; a known failure is one sentence and exit code 1."""
    try:
        app()
    except MonitorError as error:
        err.print(f"dawnchorus-training: {error}", style="red", markup=False)
        raise SystemExit(1) from error

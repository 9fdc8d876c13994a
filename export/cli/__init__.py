"""`dawnchorus-export`: a checkpoint becomes a verified, self-describing INT8 file with its card. One file a command."""

import typer

from export.cli.card import card
from export.cli.model import model
from export.cli.onnx import onnx
from export.cli.options import err
from export.cli.quantize import quantize
from export.cli.verify import verify
from monitor.errors import MonitorError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for command in (model, onnx, quantize, verify, card):
    app.command()(command)


def main() -> None:
    """Run the command line; a known failure is one sentence and exit code 1."""
    try:
        app()
    except (MonitorError, OSError) as error:
        err.print(f"dawnchorus-export: {error}", style="red", markup=False)
        raise SystemExit(1) from error

"""`dawnchorus model`: with the name of a file it shows it, without naming `show`."""

from typing import Any

import typer
from typer.core import TyperGroup

from monitor.cli.model_get import get
from monitor.cli.model_show import show


class _ShowsByDefault(TyperGroup):
    """`model valley.onnx` means `model show valley.onnx`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own click
        """Put `show` in front of what is no command."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_ShowsByDefault, help="Show what a model file says about itself, compare two, or fetch one.")
app.command()(show)
app.command()(get)

"""What the commands share: options, and where and how they print."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from monitor.cli.journal import formatter
from monitor.config.reading import SYSTEM_FILE

FAILED = 1
EX_CONFIG = 78
STDERR = 2

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"YAML file; without it {SYSTEM_FILE}, or else the defaults."),
]
ModelOption = Annotated[Path | None, typer.Option("--model", "-m", help="Model file; without it the bundled one.")]


def plain(text: Any) -> str:  # noqa: ANN401
    """Text that rich must not read as markup: names come from outside."""
    return escape(str(text))


def log(level: str) -> None:
    """Log to the error stream."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(STDERR))
    logging.basicConfig(level=level.upper(), handlers=[handler])

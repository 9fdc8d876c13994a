"""`dawnchorus run`."""

import typer

from monitor.cli.options import FAILED, ConfigOption, log
from monitor.config.reading import load


def run(config: ConfigOption = None) -> None:
    """Listen, recognise, keep and publish, until a signal asks to stop.

    Examples: `dawnchorus run`, or `dawnchorus run --config /etc/dawnchorus/config.yaml`
    """
    settings = load(config)
    log(settings.log)
    from monitor.service.serve import serve  # noqa: PLC0415

    if serve(settings):
        raise typer.Exit(FAILED)

"""`dawnchorus upkeep`."""

from datetime import UTC, datetime, timedelta

import typer

from monitor.cli.options import FAILED, ConfigOption, err, out, plain
from monitor.config.reading import load


def upkeep(config: ConfigOption = None) -> None:
    """Check the store, take out what is older than store.keep_days, shorten its log; the service may go on meanwhile.

    Exits with 1 where the store is damaged or space runs out.

    Example: `dawnchorus upkeep --config /etc/dawnchorus/config.yaml`
    """
    from monitor.config.settings import state_directory  # noqa: PLC0415
    from monitor.upkeep import look_after  # noqa: PLC0415

    settings = load(config)
    directory, days = state_directory(settings), settings.store.keep_days
    condition = look_after(directory, None if days is None else timedelta(days=days), datetime.now(UTC))
    out.print(plain(condition))
    if condition.short_of_space:
        err.print(f"[red]dawnchorus:[/] little space is left for {plain(directory)}: free some, or set store.keep_days")
        raise typer.Exit(FAILED)

"""`dawnchorus upkeep`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import typer

from monitor.cli.options import FAILED, ConfigOption, err, out, plain
from monitor.config.reading import load


def upkeep(config: ConfigOption = None) -> None:
    """Check the store, take out what is older than store.keep_days, shorten its log, and delete clips that must go.

    The service may go on meanwhile. Exits with 1 where the store is damaged, clips cannot be looked at, or there is
    little space.

    Example: `dawnchorus upkeep --config /etc/dawnchorus/config.yaml`
    """
    from monitor.config.settings import state_directory  # noqa: PLC0415
    from monitor.upkeep import look_after  # noqa: PLC0415

    settings = load(config)
    directory, days = state_directory(settings), settings.store.keep_days
    keep = None if days is None else timedelta(days=days)
    condition = look_after(directory, keep, datetime.now(UTC), settings.clips)
    if condition.clips_failed is None:
        out.print(plain(condition))
    else:
        out.print(plain(replace(condition, clips_failed=None)))
        err.print(f"[red]dawnchorus:[/] {plain(condition.clips_failed)}")
        raise typer.Exit(FAILED)
    if condition.short_of_space:
        err.print(f"[red]dawnchorus:[/] little space is left for {plain(directory)}: free some, or set store.keep_days")
        raise typer.Exit(FAILED)

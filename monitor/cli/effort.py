"""`dawnchorus effort`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.options import ConfigOption, err, out, plain
from monitor.config.reading import load
from monitor.errors import ConfigError

Store = Annotated[Path | None, typer.Option(help="Folder of the store; without it the configuration's.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="File of a csv, folder of a camtrap-dp.")]


def effort(
    store: Store = None,
    form: Annotated[Literal["csv", "camtrap-dp"], typer.Option("--format", "-f")] = "csv",
    output: Output = Path("effort.csv"),
    by: Annotated[Literal["minute", "hour"], typer.Option(help="Rows of a csv.")] = "hour",
    config: ConfigOption = None,
) -> None:
    """Write what was heard, lost and why, paused and withheld, by minute or by hour.

    Examples: `dawnchorus effort -o may.csv --by minute`, `dawnchorus effort --format camtrap-dp -o may`
    """
    from monitor.config.settings import state_directory  # noqa: PLC0415
    from monitor.sinks.deployments import Site, write_csv, write_package  # noqa: PLC0415
    from monitor.sinks.reading import (  # noqa: PLC0415
        by_hour,
        by_minute,
        in_all,
        read_marks,
        read_minutes,
        read_position,
    )

    settings = load(config)
    directory = store or state_directory(settings)
    minutes = read_minutes(directory)
    if form == "csv":
        stretches = by_minute(minutes) if by == "minute" else by_hour(minutes)
        write_csv(output, stretches)
    else:
        place = settings.place
        position = place.latitude, place.longitude
        if place.latitude is None or place.longitude is None:
            position = read_position(directory) or position
        latitude, longitude = position
        if latitude is None or longitude is None:
            msg = "a deployment needs its place: place.latitude and place.longitude expected in the configuration"
            raise ConfigError(msg)
        stretches = in_all(minutes)
        site = Site(settings.station, latitude, longitude)
        write_package(output, site, stretches, by_hour(minutes), read_marks(directory))
    if not minutes:
        err.print(f"the ledger in {plain(directory)} holds no minute yet")
    heard, lost = sum(s.heard_s for s in stretches), sum(s.lost_s for s in stretches)
    out.print(f"{len(stretches)} rows, {heard:.1f} s heard, {lost:.1f} s lost, in {plain(output)}")

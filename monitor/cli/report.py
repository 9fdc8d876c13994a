"""`dawnchorus report`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, err, out, plain
from monitor.config.reading import load
from monitor.errors import ModelError

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.report.card import Cards
    from monitor.report.columns import Form
    from monitor.report.period import Period
    from monitor.report.season import Clipping

Folder = Annotated[
    Path | None, typer.Argument(help="Of a store, or of what analyze wrote; without it the configured store.")
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="HTML", help="The page.")]
Tables = Annotated[Path | None, typer.Option(metavar="DIR", help="Also write the numbers, and Darwin Core.")]
Forms = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", metavar="csv|parquet", help="Of the tables; as often as one likes. csv."),
]
ClipFolder = Annotated[
    Path | None,
    typer.Option("--clips", metavar="DIR", help="Without it those of the analysis, or the configured ones."),
]
Models = Annotated[
    list[Path] | None, typer.Option("--model", "-m", help="Whose card is shown; without any the configured.")
]
Day = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")]
LastDay = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")]
Zone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="Its clocks without daylight saving time: UTC, +02:00, Europe/Berlin."),
]
At = Annotated[
    tuple[float, float] | None, typer.Option(metavar="LATITUDE LONGITUDE", help="Degrees: for sunrise and sunset.")
]
Title = Annotated[str | None, typer.Option(help="Without it the name of the station or the folder.")]


def report(  # noqa: PLR0913, PLR0917
    folder: Folder = None,
    output: Output = Path("report.html"),
    tables: Tables = None,
    form: Forms = None,
    clips: ClipFolder = None,
    model: Models = None,
    first: Day = None,
    last: LastDay = None,
    timezone: Zone = None,
    at: At = None,
    title: Title = None,
    config: ConfigOption = None,
) -> None:
    """Make one page of what was heard: effort, species by day and hour, noise, the best clips. It opens offline.

    Examples: `dawnchorus report -o may.html --from 2026-05-01 --to 2026-05-31`, or
    `dawnchorus report results -o card.html --tables card -f parquet --timezone Europe/Berlin --at 48.1 11.6`
    """
    from monitor.config.settings import state_directory  # noqa: PLC0415
    from monitor.report.opening import opened  # noqa: PLC0415
    from monitor.report.page import write_page  # noqa: PLC0415
    from monitor.report.season import Asked, read_season  # noqa: PLC0415

    settings, forms = load(config), _forms(form or ["csv"])
    asked = Asked(
        station=folder.resolve().name if folder and config is None else settings.station,
        title=title or "",
        period=_period(settings, timezone, first, last),
        place=at or _place(settings),
        cards=_cards(settings, model or []),
        clipping=_clipping(settings, folder, clips),
    )
    with opened(folder or state_directory(settings), asked.period) as connection:
        season = read_season(connection, asked)
        size = write_page(output, season, datetime.now(UTC))
        found = sum(one.detections for one in season.species)
        out.print(f"{found} detections of {len(season.species)} species, in {plain(output)}, {size / 1e6:.2f} MB")
        if tables is not None:
            from monitor.report.occurrences import write_camtrap, write_occurrences  # noqa: PLC0415
            from monitor.report.sheets import write_sheets  # noqa: PLC0415

            write_sheets(tables, season, forms)
            write_occurrences(tables, connection, season, forms)
            if not write_camtrap(tables / "camtrap-dp", connection, season):
                err.print("no camtrap-dp: a deployment needs its place, with --at or place in the configuration")
            out.print(f"tables in {plain(tables)}")


def _period(settings: "Config", zone: str | None, first: datetime | None, last: datetime | None) -> "Period":
    from monitor.report.period import Period, standard_offset  # noqa: PLC0415
    from monitor.sources.names import read_zone  # noqa: PLC0415

    if first and last and last < first:
        msg = f"{last:%Y-%m-%d}: a day that is not before --from expected"
        raise typer.BadParameter(msg, param_hint="--to")
    year = (first or datetime.now(UTC)).year
    offset = standard_offset(read_zone(zone or settings.place.timezone), year)
    return Period(timedelta(minutes=round(offset.total_seconds() / 60)), first and first.date(), last and last.date())


def _place(settings: "Config") -> tuple[float, float] | None:
    latitude, longitude = settings.place.latitude, settings.place.longitude
    return None if latitude is None or longitude is None else (latitude, longitude)


def _clipping(settings: "Config", results: Path | None, named: Path | None) -> "Clipping":
    """The clips that are named, or else lie beside the results of an analysis, or else are configured."""
    from monitor.batch.clips import FOLDER  # noqa: PLC0415
    from monitor.report.season import Clipping  # noqa: PLC0415

    if named is None and results is not None and (results / FOLDER).is_dir():
        named = results / FOLDER
    if settings.clips is None:
        return Clipping(named)
    return Clipping(named or Path(settings.clips.directory), settings.clips.before_s)


def _forms(names: list[str]) -> "tuple[Form, ...]":
    """What is asked for. ConfigError, before anything is read, where a library is missing."""
    from monitor.report.columns import Form, check  # noqa: PLC0415

    if unknown := [name for name in names if name not in set(Form)]:
        msg = f"{unknown[0]!r}: expected {', '.join(Form)}"
        raise typer.BadParameter(msg, param_hint="--format")
    forms = tuple(Form(name) for name in dict.fromkeys(names))
    check(forms)
    return forms


def _cards(settings: "Config", named: list[Path]) -> "Cards":
    """Of the models that are named, or else of those configured, as far as they are here."""
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415
    from monitor.report.card import Cards  # noqa: PLC0415

    if named:
        return Cards.of(Classifier(path).contract for path in named)
    configured = settings.model or str(STARTER)
    contracts = []
    for path in [configured] if isinstance(configured, str) else configured:
        try:
            contracts.append(Classifier(Path(path)).contract)
        except ModelError as error:
            err.print(f"the report goes without a card: {plain(error)}")
    return Cards.of(contracts)

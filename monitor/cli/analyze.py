"""`dawnchorus analyze`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import FAILED, err, log, out, plain

if TYPE_CHECKING:
    from monitor.batch import Summary

Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="For all species, instead of the model's own.")]
Floor = Annotated[
    float | None, typer.Option("--scores", min=0, max=1, metavar="FLOOR", help="Also write scores.csv from FLOOR up.")
]
Models = Annotated[
    list[Path] | None, typer.Option("--model", "-m", help="Model file, or several that hear the same; the bundled one.")
]
Include = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Report it; with one or more, only these.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Never report it.")]
ListFile = Annotated[
    Path | None, typer.Option("--species-list", metavar="FILE", help="Report what is listed, a name a line.")
]
GeoModel = Annotated[
    Path | None, typer.Option("--geo-model", metavar="FILE", help="Report what occurs --at the place, that week.")
]
At = Annotated[
    tuple[float, float] | None, typer.Option(metavar="LATITUDE LONGITUDE", help="Degrees: where it was recorded.")
]
Week = Annotated[
    int | None, typer.Option(min=1, max=48, help="Of 48 a year, where the recordings do not say when they were made.")
]


def analyze(  # noqa: PLR0913, PLR0917
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders that hold some.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables.")] = Path(),
    form: Annotated[str, typer.Option("--format", "-f", metavar="csv|jsonl|raven", help="Of the detections.")] = "csv",
    step: Annotated[float, typer.Option(metavar="SECONDS", help="Between the starts of windows.")] = 1.0,
    threshold: Threshold = None,
    model: Models = None,
    floor: Floor = None,
    timezone: Annotated[str | None, typer.Option(help="Of times in file names that do not say: UTC, +02:00.")] = None,
    include: Include = None,
    exclude: Exclude = None,
    species_list: ListFile = None,
    geo_model: GeoModel = None,
    at: At = None,
    week: Week = None,
) -> None:
    """Analyse recordings and write one table of detections, detections.csv by default.

    Examples: `dawnchorus analyze garden.wav`, or
    `dawnchorus analyze /media/card -o results --timezone UTC --scores 0.1`, or
    `dawnchorus analyze /media/card -m birdnet-v2.4.onnx --geo-model birdnet-geomodel-v3.onnx --at 48.2 11.6`
    """
    log("warning")
    from monitor.batch import Analysis, analyze, find  # noqa: PLC0415
    from monitor.config.detection import Detecting  # noqa: PLC0415
    from monitor.config.place import Place  # noqa: PLC0415
    from monitor.config.species import Species  # noqa: PLC0415
    from monitor.recogniser import open_models, recognisers  # noqa: PLC0415
    from monitor.sinks.tables import NAMES, Format  # noqa: PLC0415
    from monitor.sources.names import read_zone  # noqa: PLC0415

    if form not in set(Format):
        msg = f"{form!r}: expected {', '.join(Format)}"
        raise typer.BadParameter(msg, param_hint="--format")
    classifiers = open_models([str(path) for path in model] if model else None)
    longest = min(classifier.contract.window_s for classifier in classifiers)
    if not 1 / classifiers[0].contract.sample_rate <= step <= longest:
        msg = f"{step:g} s: expected more than 0 and at most the model's window of {longest:g} s"
        raise typer.BadParameter(msg, param_hint="--step")
    species = Species(include or [], exclude or [], _text(species_list), _text(geo_model), week)
    found = recognisers(classifiers, Detecting(step, threshold), species, Place(*(at or ())))
    for said in filter(None, (one.said(None) for one in found)):
        err.print(plain(said))
    analysis = Analysis(found, read_zone(timezone) if timezone else None, floor)
    recordings, errors = find(paths)
    with err.status("analysing", spinner="line") as status:

        def show(done: int, path: Path) -> None:
            status.update(f"{done + 1} of {len(recordings)}: {path.name}")

        summary = analyze(recordings, analysis, output, Format(form), show)
    errors += summary.errors
    for error in errors:
        err.print(f"[red]error:[/] {plain(error)}")
    _tell(summary, len(recordings), output / NAMES[Format(form)])
    if errors:
        raise typer.Exit(FAILED)


def _tell(summary: "Summary", recordings: int, table: Path) -> None:
    """What came of it, on a line, and a line each species."""
    out.print(
        f"{summary.files} of {recordings} recordings analysed, {summary.heard_s:.1f} s heard, "
        f"{summary.lost_s:.1f} s not; {summary.detections.total()} detections in {plain(table)}"
    )
    for name, count in summary.detections.most_common():
        out.print(f"  {count:6d}  {plain(name)}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

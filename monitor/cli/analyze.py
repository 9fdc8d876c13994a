"""`dawnchorus analyze`."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import FAILED, ModelOption, err, log, out, plain

Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="For all species, instead of the model's own.")]
Floor = Annotated[
    float | None, typer.Option("--scores", min=0, max=1, metavar="FLOOR", help="Also write scores.csv from FLOOR up.")
]


def analyze(  # noqa: PLR0913, PLR0917
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders that hold some.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables.")] = Path(),
    form: Annotated[str, typer.Option("--format", "-f", metavar="csv|jsonl|raven", help="Of the detections.")] = "csv",
    step: Annotated[float, typer.Option(metavar="SECONDS", help="Between the starts of windows.")] = 1.0,
    threshold: Threshold = None,
    model: ModelOption = None,
    floor: Floor = None,
    timezone: Annotated[str | None, typer.Option(help="Of times in file names that do not say: UTC, +02:00.")] = None,
) -> None:
    """Analyse recordings and write one table of detections, detections.csv by default.

    Examples: `dawnchorus analyze garden.wav`, or
    `dawnchorus analyze /media/card -o results --timezone UTC --scores 0.1`
    """
    log("warning")
    from monitor.batch import Analysis, analyze, find  # noqa: PLC0415
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415
    from monitor.sinks.tables import NAMES, Format  # noqa: PLC0415
    from monitor.sources.names import read_zone  # noqa: PLC0415
    from monitor.tracker import Rules  # noqa: PLC0415

    if form not in set(Format):
        msg = f"{form!r}: expected {', '.join(Format)}"
        raise typer.BadParameter(msg, param_hint="--format")
    classifier = Classifier(model or STARTER)
    contract = classifier.contract
    if not 1 / contract.sample_rate <= step <= contract.window_s:
        msg = f"{step:g} s: expected more than 0 and at most the model's window of {contract.window_s:g} s"
        raise typer.BadParameter(msg, param_hint="--step")
    rules = Rules.of(contract.labels, threshold=threshold, max_samples=60 * contract.sample_rate)
    zone = read_zone(timezone) if timezone else None
    analysis = Analysis(rules, round(step * contract.sample_rate), zone, floor)
    recordings, errors = find(paths)
    with err.status("analysing", spinner="line") as status:

        def show(done: int, path: Path) -> None:
            status.update(f"{done + 1} of {len(recordings)}: {path.name}")

        summary = analyze(recordings, classifier, analysis, output, Format(form), show)
    errors += summary.errors
    for error in errors:
        err.print(f"[red]error:[/] {plain(error)}")
    out.print(
        f"{summary.files} of {len(recordings)} recordings analysed, {summary.heard_s:.1f} s heard, "
        f"{summary.lost_s:.1f} s not; {summary.detections.total()} detections in {plain(output / NAMES[Format(form)])}"
    )
    for name, count in summary.detections.most_common():
        out.print(f"  {count:6d}  {plain(name)}")
    if errors:
        raise typer.Exit(FAILED)

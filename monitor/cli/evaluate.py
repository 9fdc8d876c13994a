"""`dawnchorus evaluate`."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from monitor.cli.options import err, out, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.comparison.measures import Judged

COLUMNS = ("species", "detections", "right", "annotations", "found", "precision", "recall", "f1", "average_precision")

Overlap = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Of overlap at least, or a shorter annotation whole.")
]
Iou = Annotated[float, typer.Option(min=0, max=1, help="Of the overlap in what both cover together, at least.")]
Once = Annotated[bool, typer.Option("--once", help="An annotation counts for one detection only.")]
AllFiles = Annotated[
    bool, typer.Option("--all-files", help="Recordings without annotations hold nothing: their detections are wrong.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also as CSV.")]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.svg", help="Precision against recall of each species, as a picture.")
]


def evaluate(  # noqa: PLR0913, PLR0917
    detections: Annotated[Path, typer.Argument(help="Table, or folder of tables, of a result.")],
    annotations: Annotated[Path, typer.Argument(help="Raven, Audacity, CSV or JSON lines: a table, or a folder.")],
    overlap: Overlap = 0.1,
    iou: Iou = 0.0,
    once: Once = False,  # noqa: FBT002
    all_files: AllFiles = False,  # noqa: FBT002
    output: Output = None,
    plot: Plot = None,
) -> None:
    """Hold a result against annotations: precision, recall, F1 and average precision of each species.

    Recordings are known by their names without folder and suffix, and species by either name. Average precision ends
    where the detections do: give `scores.csv` (`analyze --scores 0.01`) for all of it.

    Examples: `dawnchorus evaluate results/detections.csv annotations.csv`, or
    `dawnchorus evaluate results/scores.csv selections/ --iou 0.5 --once --plot curve.svg`
    """
    from monitor.comparison.curve import drawn  # noqa: PLC0415
    from monitor.comparison.matching import Rule  # noqa: PLC0415
    from monitor.comparison.measures import judge  # noqa: PLC0415
    from monitor.comparison.occurrences import same_names  # noqa: PLC0415
    from monitor.comparison.reading import read  # noqa: PLC0415

    found, wanted = read(detections).checked("detections"), read(annotations).checked("annotations")
    judged = [one for one in found.occurrences if all_files or one.recording in wanted.recordings]
    if left := len(found.occurrences) - len(judged):
        err.print(f"{left} detections are left out: nobody annotated their recordings (--all-files counts them)")
    species = judge(Rule(overlap, iou, once), *same_names(judged, wanted.occurrences))
    _print(species)
    if output is not None:
        _write(output, species)
    if plot is not None:
        _save(plot, drawn(species))


def _print(species: "Mapping[str, Judged]") -> None:
    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(COLUMNS):
        table.add_column(column.replace("_", " "), justify="right" if index else "left", overflow="fold")
    for name, one in species.items():
        table.add_row(plain(name), *("-" if cell is None else _text(cell) for cell in _cells(one)))
    out.print(table)


def _cells(one: "Judged") -> list[float | None]:
    """All columns but the first."""
    counts = [len(one.right), int(one.right.sum()), len(one.found_at), int((one.found_at > 0).sum())]
    return [*counts, one.precision, one.recall, one.f1, one.average_precision]


def _text(cell: float) -> str:
    return str(cell) if isinstance(cell, int) else f"{cell:.3f}"


def _write(path: Path, species: "Mapping[str, Judged]") -> None:
    from monitor.sinks.tables.whole import refusing, whole  # noqa: PLC0415

    with whole(path) as partial, refusing(path), partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, one in species.items():
            writer.writerow([name, *("" if cell is None else _text(cell) for cell in _cells(one))])


def _save(path: Path, text: str) -> None:
    from monitor.sinks.tables.whole import refusing, whole  # noqa: PLC0415

    with whole(path) as partial, refusing(path):
        partial.write_text(text, encoding="utf-8")

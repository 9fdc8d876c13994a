"""`dawnchorus diff`."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from monitor.cli.options import out, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.comparison.difference import Difference

ROWS = ("only_in", "file", "onset_s", "offset_s", "species", "confidence")

Overlap = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="From which two detections are the same.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="What only one of them holds, as CSV.")
]


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Table, or folder of tables, of a result.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The same of another, on the same recordings.")],
    overlap: Overlap = 0.1,
    output: Output = None,
) -> None:
    """Say what two results on the same recordings share, and what only one of them holds.

    Example: `dawnchorus diff old/detections.csv new/detections.csv -o changed.csv`
    """
    from monitor.comparison.difference import differences  # noqa: PLC0415
    from monitor.comparison.matching import Rule  # noqa: PLC0415
    from monitor.comparison.occurrences import same_names  # noqa: PLC0415
    from monitor.comparison.reading import read  # noqa: PLC0415

    results = read(first).checked("A").occurrences, read(second).checked("B").occurrences
    species = differences(Rule(overlap), *same_names(*results))
    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(("species", "in both", "only in A", "only in B", "confidence B - A")):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for name, one in species.items():
        gain = "-" if one.confidence is None else f"{one.confidence:+.3f}"
        table.add_row(plain(name), *map(str, (one.in_both, len(one.only_first), len(one.only_second))), gain)
    out.print(table)
    if output is not None:
        _write(output, species)


def _write(path: Path, species: "Mapping[str, Difference]") -> None:
    from monitor.sinks.tables.whole import refusing, whole  # noqa: PLC0415

    with (
        whole(path) as partial,
        refusing(path),
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROWS)
        for difference in species.values():
            for side, alone in (("A", difference.only_first), ("B", difference.only_second)):
                writer.writerows((side, o.file, o.onset_s, o.offset_s, o.species, o.confidence) for o in alone)

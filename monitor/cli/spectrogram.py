"""`dawnchorus spectrogram`."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ModelOption, err, out, plain
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.pictures.lanes import Mark
    from monitor.pictures.spectrum import Stretch
    from monitor.records import Block, Gap
    from monitor.sources import Stream

From = Annotated[float | None, typer.Option("--from", min=0, metavar="SECONDS", help="Without it the beginning.")]
To = Annotated[float | None, typer.Option("--to", min=0, metavar="SECONDS", help="Without it the end.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="PNG", help="Without it the terminal.")]
Table = Annotated[
    Path | None, typer.Option("--detections", metavar="CSV", help="Mark those of a table that analyze has written.")
]
Detect = Annotated[bool, typer.Option("--detect", help="Analyse the recording, and mark what is found.")]
BAR = "▔"
COLUMNS = ("file", "onset_s", "offset_s", "common_name", "confidence")
"""of a table that are needed"""


def spectrogram(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    start: From = None,
    end: To = None,
    output: Output = None,
    detections: Table = None,
    detect: Detect = False,  # noqa: FBT002
    model: ModelOption = None,
) -> None:
    """Draw any stretch of any recording with its time and frequency, and what was found in it.

    Examples: `dawnchorus spectrogram garden.wav`, or
    `dawnchorus spectrogram night.flac --from 3600 --to 3660 --detect -o night.png`
    """
    from monitor.sources.recordings import open_recording  # noqa: PLC0415

    if detect and detections:
        msg = "expected one of them"
        raise typer.BadParameter(msg, param_hint="--detect and --detections")
    stream = open_recording(file)
    stretch = _stretch(file, stream, start, end)
    found = _detected(file, model) if detect else [] if detections is None else _tabled(detections, file)
    marks = [mark for mark in found if mark.start_s < stretch.end_s and mark.end_s > stretch.start_s]
    if output is None:
        _print(stream, stretch, marks)
    else:
        _save(stream, stretch, marks, output)
    if detect or detections:
        out.print(f"{len(marks)} detections in this stretch")


def _stretch(file: Path, stream: "Stream", start: float | None, end: float | None) -> "Stretch":
    """What was asked for, as far as it is there; the length is counted where the file does not say it."""
    from monitor.pictures.spectrum import Stretch  # noqa: PLC0415

    rate = stream.sample_rate
    length = stream.recorded.parts[-1].end_sample if stream.recorded else None
    if length is None:
        length = _counted(file)
    first = round((start or 0) * rate)
    last = length if end is None else min(length, round(end * rate))
    if first >= last:
        asked = f"--from {start or 0:g}" + ("" if end is None else f" --to {end:g}")
        msg = f"{asked}: expected to begin before it ends, within the {length / rate:g} s of {file}"
        raise typer.BadParameter(msg)
    return Stretch(first, last, rate)


def _counted(file: Path) -> int:
    from monitor.sources.recordings import open_recording  # noqa: PLC0415

    end = 0
    for block in open_recording(file).blocks:
        end = block.end_sample
    return end


def _save(stream: "Stream", stretch: "Stretch", marks: "list[Mark]", output: Path) -> None:
    from monitor.pictures import png  # noqa: PLC0415
    from monitor.pictures.drawing import COLUMNS, ROWS, Caption, drawing  # noqa: PLC0415
    from monitor.pictures.spectrum import even_edges, spectrum  # noqa: PLC0415

    levels = spectrum(_told(stream), stretch, COLUMNS, even_edges(stretch, ROWS))
    picture = png.rgb(drawing(levels, stretch, Caption(Path(stream.name).name, marks)))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(picture)
    except OSError as error:
        msg = f"picture {output} cannot be written: {error.strerror or error}"
        raise StoreError(msg) from error
    out.print(f"{stretch.start_s:g} to {stretch.end_s:g} s of {plain(stream.name)}, in {plain(output)}")


def _print(stream: "Stream", stretch: "Stretch", marks: "list[Mark]") -> None:
    from monitor.pictures.spectrum import spectrum  # noqa: PLC0415
    from monitor.pictures.terminal import COLUMNS as WIDTH  # noqa: PLC0415
    from monitor.pictures.terminal import FRAME_S, drawn, edges_hz  # noqa: PLC0415

    levels = spectrum(_told(stream), stretch, WIDTH, edges_hz(stretch.sample_rate), FRAME_S)
    out.print(drawn(levels, stretch.sample_rate), end="")
    left = " " * 9
    out.print(left + _axis(stretch, WIDTH))
    for mark in marks:
        first, last = (_column(second, stretch, WIDTH) for second in (mark.start_s, mark.end_s))
        bar = " " * first + BAR * max(1, last - first)
        out.print(f"{left}{bar} {plain(mark.text)}")


def _axis(stretch: "Stretch", columns: int) -> str:
    """Times below the columns, as many as there is room for."""
    from monitor.pictures.ticks import clock, time_ticks  # noqa: PLC0415

    found = time_ticks(stretch.start_s, stretch.end_s, columns // 12)
    step = found[1] - found[0] if len(found) > 1 else 1.0
    line = ""
    for second in found:
        line = line.ljust(_column(second, stretch, columns)) + clock(second, step) + " "
    return line


def _column(second: float, stretch: "Stretch", columns: int) -> int:
    share = (second - stretch.start_s) / (stretch.end_s - stretch.start_s)
    return round(min(1.0, max(0.0, share)) * columns)


def _told(stream: "Stream") -> "Iterator[Block | Gap]":
    """What can be decoded; why it breaks off is told, and what comes after it is left empty."""
    from monitor.sources import until_broken  # noqa: PLC0415

    return until_broken(stream.blocks, lambda error: err.print(f"[red]error:[/] {plain(error)}"))


def _detected(file: Path, model: Path | None) -> "list[Mark]":
    """What the model finds in the whole recording, as `analyze` would."""
    from monitor.batch.terms import Terms  # noqa: PLC0415
    from monitor.pictures.lanes import Mark  # noqa: PLC0415

    outcome = Terms(models=() if model is None else (str(model),)).open().outcome([file])
    for failure in outcome.failures:
        err.print(f"[red]error:[/] {plain(failure)}")
    return [Mark(row.onset_s, row.offset_s, f"{row.common_name} {row.confidence:.2f}") for row in outcome.rows]


def _tabled(table: Path, file: Path) -> "list[Mark]":
    """The rows of a table that are about a file: of its path, or else of its name. ConfigError where it is no table."""
    from monitor.pictures.lanes import Mark  # noqa: PLC0415

    rows = _rows(table)
    found = [row for row in rows if Path(row["file"]).resolve() == file.resolve()]
    found = found or [row for row in rows if Path(row["file"]).name == file.name]
    try:
        return [
            Mark(float(row["onset_s"]), float(row["offset_s"]), f"{row['common_name']} {float(row['confidence']):.2f}")
            for row in found
        ]
    except (TypeError, ValueError) as error:
        msg = f"table {table}: {error}"
        raise ConfigError(msg) from error


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            reader = csv.DictReader(lines)
            rows, columns = list(reader), set(reader.fieldnames or ())
    except (OSError, csv.Error) as error:
        msg = f"table {table} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg) from error
    if missing := [name for name in COLUMNS if name not in columns]:
        msg = f"table {table} has no column {missing[0]}: one that analyze has written as CSV expected"
        raise ConfigError(msg)
    return rows

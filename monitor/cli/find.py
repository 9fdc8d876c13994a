"""`dawnchorus find`."""

import csv
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.looking import In, gathered, tell_failures
from monitor.cli.options import FAILED, ConfigOption, ModelOption, err, log, out, plain

if TYPE_CHECKING:
    from monitor.unknown.collection import Collection, Integers
    from monitor.unknown.likeness import Match

Clips = Annotated[list[Path], typer.Argument(help="Examples of one sound: short recordings, or folders of them.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="Windows to find.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="A table for programs.")]
Zone = Annotated[str | None, typer.Option(help="Of times in file names that do not say: UTC, +02:00.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor leave a file in the folders.")]
COLUMNS = ("likeness", "file", "start_s", "end_s", "start_utc", "best_label", "best_score")


def find(  # noqa: PLR0913, PLR0917
    clips: Clips,
    places: In = None,
    count: Count = 10,
    as_json: AsJson = False,  # noqa: FBT002
    as_csv: AsCsv = False,  # noqa: FBT002
    model: ModelOption = None,
    timezone: Zone = None,
    no_cache: NoCache = False,  # noqa: FBT002
    config: ConfigOption = None,
) -> None:
    """Find the windows that are most like some examples, whether the model has a name for them or not.

    Folders are listened to once; what was found there is kept in a file beside the recordings, so that the next
    question is answered at once. An example that lies among what is looked through is not found again.

    Examples: `dawnchorus find call.wav --in /media/card`, or `dawnchorus find examples/ --csv > found.csv`
    """
    if as_json and as_csv:
        msg = "expected one of them"
        raise typer.BadParameter(msg, param_hint="--json and --csv")
    log("warning")
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415
    from monitor.sources.names import read_zone  # noqa: PLC0415
    from monitor.sources.recordings import Reading  # noqa: PLC0415
    from monitor.unknown.gathering import from_recordings  # noqa: PLC0415
    from monitor.unknown.likeness import examples, likeness_of, ranked  # noqa: PLC0415

    classifier = Classifier(model or STARTER)
    reading = Reading(read_zone(timezone) if timezone else None)
    given = from_recordings(clips, classifier, reading, remember=False)
    rows = examples(given.collection)
    there = gathered(places, config, classifier, reading, remember=not no_cache)
    found = likeness_of(there.collection, given.collection.windows.vectors[rows])
    matches = ranked(there.collection, found, count, _barred(there.collection, given.collection))
    if as_json:
        typer.echo(json.dumps([_row(there.collection, match) for match in matches], indent=2))
    elif as_csv:
        _write(there.collection, matches)
    else:
        _print(there.collection, matches, len(rows))
    if tell_failures([*given.failures, *there.failures]):
        raise typer.Exit(FAILED)


def _barred(collection: "Collection", given: "Collection") -> "Integers":
    """Rows of the recordings that the examples are."""
    import numpy as np  # noqa: PLC0415

    names = {os.path.realpath(origin.name) for origin in given.origins}
    same = np.array([os.path.realpath(origin.name) in names for origin in collection.origins], bool)
    return np.flatnonzero(same[collection.origin])


def _row(collection: "Collection", match: "Match") -> dict[str, str | float | None]:
    start_s, windows = float(collection.windows.starts_s[match.row]), collection.windows
    values = (
        round(match.likeness, 4),
        os.fsencode(collection.name(match.row)).decode(errors="replace"),
        round(start_s, 3),
        round(start_s + collection.window_s, 3),
        collection.utc(match.row),
        collection.label_names[int(windows.labels[match.row])],
        round(float(windows.scores[match.row]), 4),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _write(collection: "Collection", matches: "list[Match]") -> None:
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(_row(collection, match) for match in matches)


def _print(collection: "Collection", matches: "list[Match]", examples: int) -> None:
    looked = f"{len(collection):,} windows of {len(collection.origins):,} recordings or moments"
    if not matches:
        err.print(f"nothing to find: {looked}, all of them examples")
        return
    out.print(
        f"most like {examples} examples, of {looked}; after each the label that the model thinks of most, and its score"
    )
    for match in matches:
        row = _row(collection, match)
        seconds = f"{row['start_s']:9.1f} to {row['end_s']:.1f} s"
        when = f"  {row['start_utc']}" if row["start_utc"] else ""
        guess = f"({row['best_label']} {row['best_score']:.2f})"
        out.print(f"  {match.likeness:5.2f}  {seconds}{when}  {plain(row['file'])}  {plain(guess)}")

"""`dawnchorus verdicts`."""

from collections import defaultdict
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import FAILED, ConfigOption, err, out, plain
from monitor.config.reading import load
from monitor.errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from monitor.sinks.verdicts import Judged

app = typer.Typer(no_args_is_help=True, help="Use what people found when they listened to detections.")

Store = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the store; without it the configured.")]


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Is made; must not be there yet.")],
    store: Store = None,
    clips: Annotated[Path | None, typer.Option(metavar="DIR", help="Without it the configured one.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write judged detections with their sound as folders that training reads.

    Example: `dawnchorus verdicts export judged`, then
    `dawnchorus-training build recordings judged/confirmed --negatives judged/negatives`
    """
    from monitor.sinks.judged_clips import export as write  # noqa: PLC0415
    from monitor.web.files import ClipFolder  # noqa: PLC0415

    settings = load(config)
    where = clips or (None if settings.clips is None else Path(settings.clips.directory))
    sounds = None if where is None else ClipFolder(where)
    with _judged(store, config) as (connection, judged):
        done = write(
            connection, judged, lambda one: sounds.read(one, "sound") if sounds else None, folder, settings.station
        )
    out.print(
        f"{done.verdicts} verdicts in {plain(folder)}: sound of {done.confirmed} of known species and of "
        f"{done.negatives} with none; {done.without_sound} have no clip, {done.unsure} were rejected beside another "
        "species"
    )


@app.command()
def thresholds(
    precision: Annotated[float, typer.Option(min=0.5, max=1, help="Share of detections that must be right.")] = 0.95,
    least: Annotated[int, typer.Option(min=5, help="Verdicts above a threshold, or else none is chosen.")] = 30,
    surely: Annotated[bool, typer.Option(help="The lower end of the interval must reach it, too.")] = False,  # noqa: FBT002
    store: Store = None,
    config: ConfigOption = None,
) -> None:
    """Choose from verdicts, species by species, the threshold that is right as often as asked; for the configuration.

    Thresholds can only be raised so: nobody has listened to what was not detected. Judge what comes, not what looks
    wrong, or the shares mean nothing.
    Example: `dawnchorus verdicts thresholds --precision 0.95`
    """
    from monitor.comparison.recalibration import Listened, choose  # noqa: PLC0415

    with _judged(store, config) as (_, judged):
        by_species: dict[tuple[str, str], list[Listened]] = defaultdict(list)
        for one in judged:
            by_species[one.model, one.scientific_name or one.label].append(
                Listened(one.confidence, one.verdict == "confirmed")
            )
    chosen: dict[str, float] = {}
    for (model, species), listened in sorted(by_species.items()):
        choice = choose(listened, precision, least, surely=surely)
        if choice is None:
            right = sum(one.right for one in listened)
            err.print(
                f"{plain(species)} ({plain(model)}): none; {right} of {len(listened)} verdicts say that it was right, "
                f"and no threshold with {least} of them reaches {precision:g}"
            )
            continue
        # shown with four digits, it must not lie above what was judged
        chosen[species] = max(chosen.get(species, 0.0), int(choice.threshold * 10_000) / 10_000)
        err.print(
            f"{plain(species)} ({plain(model)}): from {choice.threshold:.4f} on {choice.right} of {choice.judged} were "
            f"right, {choice.precision:.3f} ({choice.low:.3f} to {choice.high:.3f}); {choice.lost} right ones lie below"
        )
    if not chosen:
        err.print("no threshold can be chosen: more verdicts, or another --precision, expected")
        raise typer.Exit(FAILED)
    out.print("detection:\n  thresholds:")
    for species, threshold in chosen.items():
        out.print(f"    {plain(_quoted(species))}: {threshold:.4f}")


@contextmanager
def _judged(store: Path | None, config: Path | None) -> "Iterator[tuple[sqlite3.Connection, list[Judged]]]":
    """A store, and what was judged in it."""
    import sqlite3  # noqa: PLC0415

    from monitor.config.settings import state_directory  # noqa: PLC0415
    from monitor.sinks import verdicts  # noqa: PLC0415
    from monitor.sinks.database import FILE  # noqa: PLC0415
    from monitor.sinks.reading import open_read_only  # noqa: PLC0415

    folder = store or state_directory(load(config))
    if not (folder / FILE).is_file():
        msg = f"{folder}: no store in this folder: {FILE} expected"
        raise StoreError(msg)
    try:
        with closing(open_read_only(folder / FILE)) as connection:
            yield connection, list(verdicts.judged(connection))
    except sqlite3.Error as error:
        msg = f"{folder / FILE} cannot be read: {error}"
        raise StoreError(msg) from error


def _quoted(name: str) -> str:
    """A key of YAML, whatever it holds."""
    import json  # noqa: PLC0415

    return name if name.replace(" ", "").isalpha() else json.dumps(name, ensure_ascii=False)

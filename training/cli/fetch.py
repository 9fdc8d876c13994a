"""`dawnchorus-training fetch`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import requests
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from monitor.errors import ConfigError
from training.archive import fetch as fetching
from training.archive.collection import Fetched, opened, rows_here
from training.archive.fetch import GROUPS, LICENCES, QUALITIES, Box, Outcome, Region, Species, Wanted
from training.archive.xenocanto import KEY_VARIABLE, SERVER, Pace, XenoCanto
from training.cli.options import console, err

INTERRUPTED = 130
"""as a shell says it of a program that SIGINT ended"""

DEFAULT_FOLDER = Path("recordings")
ALL_LICENCES = ",".join(LICENCES)

AroundOption = Annotated[
    float | None,
    typer.Option(min=0, metavar="DEGREES", help="Only from the box and so far round it; or from anywhere."),
]
LicenceOption = Annotated[str, typer.Option(metavar="LICENCE,...", help="Creative Commons licences.")]
FolderOption = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the recordings.")]


def fetch(  # noqa: PLR0913, PLR0917
    box: Annotated[str | None, typer.Option(metavar="S,W,N,E", help="The region as a box, in degrees.")] = None,
    country: Annotated[str | None, typer.Option(help="The region as a country, in English.")] = None,
    group: Annotated[str | None, typer.Option(metavar="|".join(GROUPS), help="Of the region; or all.")] = None,
    least: Annotated[int, typer.Option(min=1, help="Leave out species recorded less often in the region.")] = 1,
    species: Annotated[list[str] | None, typer.Option(help="Scientific name; with a region: of those in it.")] = None,
    species_file: Annotated[Path | None, typer.Option(help="Scientific names, one a line.")] = None,
    per_species: Annotated[int, typer.Option(min=1, help="Recordings at most, those already there included.")] = 50,
    around: AroundOption = None,
    from_country: Annotated[str | None, typer.Option(help="Only from this country; or from anywhere.")] = None,
    quality: Annotated[str, typer.Option(metavar="A..E", help="The worst; E: also without a score.")] = "C",
    length: Annotated[str, typer.Option(metavar="LOW-HIGH", help="Seconds.")] = "0-3600",
    licence: LicenceOption = ALL_LICENCES,
    without_nd: Annotated[bool, typer.Option("--without-nd", help="None that forbids derivatives.")] = False,  # noqa: FBT002
    out: FolderOption = DEFAULT_FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show species and counts.")] = False,  # noqa: FBT002
    server: Annotated[str, typer.Option(hidden=True)] = SERVER,
    pause: Annotated[float, typer.Option(hidden=True, min=0, help="Seconds between requests.")] = 1.0,
) -> None:
    """Bring recordings of a region's species, or of named ones, from xeno-canto; started again it goes on.

    The key of xeno-canto's API is read from the environment variable XENO_CANTO_KEY.

    Example: dawnchorus-training fetch --box 48,11.34,48.282,11.851 --group birds --per-species 50 --out recordings
    """
    region = Region(None if box is None else Box.parse(box), country)
    origin = _origin(region, around, from_country)
    wanted = Wanted(per_species, origin, _quality(quality), _length(length), _licences(licence, without_nd=without_nd))
    asked = _Asked(region, _group(group), least, _names(species or [], species_file))
    quiet = not err.is_terminal
    with requests.Session() as session, Progress(*_columns(), console=err, transient=True, disable=quiet) as bar:
        shown = _Shown(bar, bar.add_task("asking for the species", total=None))
        pace = Pace(pause_s=pause)
        archive = XenoCanto(session, os.environ.get(KEY_VARIABLE, "").strip(), server, pace, shown.waiting)
        try:
            if dry_run:
                _show_plan(archive, asked.species(archive, shown), wanted, rows_here(out), shown)
                return
            with opened(out) as collection:
                outcome = fetching.fetch(archive, asked.species(archive, shown), wanted, collection, shown.doing)
        except KeyboardInterrupt:
            err.print("interrupted: the same command goes on from here")
            raise typer.Exit(INTERRUPTED) from None
    _tell(outcome, out)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which species are asked for."""

    region: Region
    group: str | None
    least: int
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names and self.region == Region():
            msg = "neither a region nor a species is given: expected --box, --country, --species or --species-file"
            raise ConfigError(msg)

    def species(self, archive: XenoCanto, shown: "_Shown") -> tuple[Species, ...]:
        found: tuple[Species, ...] = ()
        if self.region != Region():
            found = fetching.species_of(archive, self.region, self.group, shown.page)
        if self.names:
            found = fetching.named(archive, self.names, found)
        often = tuple(one for one in found if one.recordings is None or one.recordings >= self.least)
        if not often:
            msg = f"none of the {len(found)} species in {self.region} was recorded {self.least} times: lower --least"
            raise ConfigError(msg)
        shown.bar.reset(shown.task, total=len(often))
        return often


@dataclass(frozen=True, slots=True)
class _Shown:
    """The line that says what is on."""

    bar: Progress
    task: TaskID

    def page(self, page: int, pages: int) -> None:
        self.bar.update(self.task, completed=page, total=pages)

    def doing(self, done: int, what: str) -> None:
        self.bar.update(self.task, completed=done, description=what)

    def waiting(self, why: str, seconds: float) -> None:
        self.bar.update(self.task, description=f"{why}; again in {seconds:.0f} s")


def _columns() -> tuple[TextColumn, BarColumn, MofNCompleteColumn]:
    return TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()


def _show_plan(
    archive: XenoCanto, species: Sequence[Species], wanted: Wanted, rows: Sequence[Fetched], shown: _Shown
) -> None:
    table = Table("species", "", "in the region", "here", "to fetch")
    total = 0
    for done, one in enumerate(species):
        shown.doing(done, one.scientific_name)
        held = [row for row in rows if row.scientific_name == one.scientific_name]
        plan = fetching.planned(archive, one, wanted, held)
        total += len(plan)
        counts = ("" if one.recordings is None else str(one.recordings), str(len(held)), str(len(plan)))
        table.add_row(one.scientific_name, one.common_name, *counts)
    console.print(table)
    console.print(f"{len(species)} species, {total} recordings to fetch")


def _tell(outcome: Outcome, out: Path) -> None:
    for error in outcome.failures:
        err.print(f"failed: {error}", style="red", markup=False)
    if outcome.without:
        console.print(f"nothing as wanted of {', '.join(outcome.without)}", markup=False, soft_wrap=True)
    failed = len(outcome.failures)
    counts = f"{outcome.fetched} fetched, {outcome.kept} were there, {failed} failed: {out}"
    console.print(counts, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
    if not outcome.fetched + outcome.kept:
        msg = "no recording is as wanted: try a worse --quality, another --length, more --licence or a wider --around"
        raise ConfigError(msg)


def _origin(region: Region, around: float | None, country: str | None) -> Region:
    if around is None:
        return Region(country=country)
    if region.box is None or country is not None:
        msg = f"--around {around:g} is a margin round a box: expected --box with it, and no --from-country"
        raise ConfigError(msg)
    return Region(region.box.widened(around))


def _group(group: str | None) -> str | None:
    if group is not None and group not in GROUPS:
        msg = f"--group {group!r} is not known: expected {', '.join(GROUPS)}"
        raise ConfigError(msg)
    return group


def _quality(text: str) -> str:
    if len(text) != 1 or text.upper() not in QUALITIES:
        msg = f"--quality {text!r}: expected one letter from A, the best, to E"
        raise ConfigError(msg)
    return text.upper()


def _length(text: str) -> tuple[float, float]:
    try:
        low, high = (float(word) for word in text.split("-"))
    except ValueError:
        low = high = float("nan")
    if not low <= high:
        msg = f"--length {text!r}: expected two numbers of seconds, the lower first, as 5-60"
        raise ConfigError(msg)
    return low, high


def _licences(text: str, *, without_nd: bool) -> frozenset[str]:
    codes = [word.strip().lower() for word in text.split(",")]
    for code in codes:
        if code not in LICENCES:
            msg = f"--licence {code!r} is not known: expected some of {ALL_LICENCES}"
            raise ConfigError(msg)
    return frozenset(code for code in codes if not (without_nd and code.endswith("-nd")))


def _names(names: Sequence[str], file: Path | None) -> tuple[str, ...]:
    lines: list[str] = []
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"--species-file {file} cannot be read: {error}"
            raise ConfigError(msg) from error
        lines = [name for line in lines if (name := line.partition("#")[0].strip())]
        if not lines:
            msg = f"--species-file {file} names no species: expected scientific names, one a line"
            raise ConfigError(msg)
    return tuple(map(fetching.scientific, (*names, *lines)))

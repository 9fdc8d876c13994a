"""`dawnchorus-training survey`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from monitor.errors import RecordingError
from training.cli.options import console, err
from training.drawing.spectra import SPEC
from training.pages.page import write_page
from training.survey.findings import findings
from training.survey.listing import NEGATIVE, Listing, read_listing
from training.survey.measure import EXCERPT_S, Measured, Unreadable, measure_all
from training.survey.report import page_context
from training.survey.tally import shown_in_gallery

LISTED = 12
"""recordings of a finding that stand on the page without unfolding it"""


def survey(
    folder: Annotated[
        Path,
        typer.Argument(
            help="What `fetch` wrote, a data folder, folders of audio, one for each species, or a manifest of `build`."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("survey.html"),
    gallery: Annotated[int, typer.Option(min=0, help="Spectrograms a species.")] = 6,
) -> None:
    """Show on one HTML page what a folder or a manifest holds, and what to look at before training on it.

    Example: dawnchorus-training survey recordings -o survey.html
    """
    listing = read_listing(folder)
    measured, unreadable = _measured(listing, gallery)
    left_out = (*(one.reason for one in unreadable), *listing.passed_over)
    for reason in left_out:
        err.print(f"left out: {reason}", style="yellow", markup=False)
    if not measured:
        msg = f"none of the {len(unreadable)} recordings in {folder} can be read"
        raise RecordingError(msg)
    found = findings(listing, measured, unreadable)
    write_page(
        out,
        "survey.html",
        **page_context(listing, measured, unreadable, found, SPEC),
        folder=folder.resolve().name,
        listed=LISTED,
        excerpt_s=EXCERPT_S,
    )
    console.print(
        f"{len(measured)} recordings of {len({one.entry.species for one in measured} - {NEGATIVE})} species, "
        f"{len(left_out)} left out, {len(found)} to look at"
    )
    console.print(f"wrote {out}", markup=False, soft_wrap=True)


def _measured(listing: Listing, gallery: int) -> tuple[Sequence[Measured], Sequence[Unreadable]]:
    shown = frozenset(shown_in_gallery(listing.entries, gallery))
    results = measure_all(listing.entries, shown, SPEC)
    seen = list(track(results, "decoding", len(listing.entries), console=err, transient=True))
    measured = [one for one in seen if isinstance(one, Measured)]
    return measured, [one for one in seen if isinstance(one, Unreadable)]

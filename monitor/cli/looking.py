"""What `find` and `discover` share: where they look."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import err, plain
from monitor.config.reading import load

if TYPE_CHECKING:
    from monitor.batch.found import Failure
    from monitor.classifier import Classifier
    from monitor.sources.recordings import Reading
    from monitor.unknown.gathering import Gathered

In = Annotated[
    list[Path] | None,
    typer.Option("--in", metavar="WHERE", help="Recordings, folders, or what a station kept; the configured folder."),
]


def gathered(
    places: Sequence[Path] | None, config: Path | None, classifier: "Classifier", reading: "Reading", *, remember: bool
) -> "Gathered":
    """All that is to be looked through. ConfigError, RecordingError, StoreError or ModelError where that cannot be."""
    from monitor.errors import ConfigError  # noqa: PLC0415
    from monitor.unknown.gathering import Gathered, from_recordings, from_store, is_store  # noqa: PLC0415

    settings = None if places else load(config)
    if settings is not None and settings.unknown is None:
        msg = (
            "nowhere to look: recordings, a folder of them, or unknown: {directory: ...} in the configuration, expected"
        )
        raise ConfigError(msg)
    where = list(places or ()) if settings is None or settings.unknown is None else [Path(settings.unknown.directory)]
    stores = [path for path in where if is_store(path) or settings is not None]
    if stores and len(where) > 1:
        msg = f"{stores[0]} is what a station kept, and can be looked through by itself only, not beside other places"
        raise ConfigError(msg)
    if stores:
        return Gathered(from_store(stores[0], classifier))
    with _told() as told:
        return from_recordings(where, classifier, reading, told, remember=remember)


def tell_failures(failures: "Sequence[Failure]") -> bool:
    """What could not be looked at; whether there was any."""
    for failure in failures:
        err.print(f"[red]error:[/] {plain(failure)}")
    return bool(failures)


@contextmanager
def _told() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal."""
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("listening", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)

"""`dawnchorus analyze`."""

import logging
import signal
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import FAILED, err, log, plain
from monitor.cli.telling import Told, tell_end, telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.batch.alone import Crew
    from monitor.batch.analysis import Analysis
    from monitor.batch.analyze import Season
    from monitor.batch.clips import Clipping
    from monitor.batch.found import Failure, Recording, Search
    from monitor.batch.terms import Channels, Terms
    from monitor.sinks.tables import Format

INTERRUPTED = 130
"""as shells say it of SIGINT"""

Forms = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", metavar="FORMAT", help="Of the detections; as often as one likes. csv."),
]
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
Heard = Annotated[
    str, typer.Option(metavar="mix|each|N", help="All averaged, each as a recording of its own, or one, from 1.")
]
Sites = Annotated[
    Path | None, typer.Option("--deployments", metavar="FILE", help="CSV: site, latitude, longitude, start, end, path.")
]
Join = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Files with no more between them, by their times, are one recording."),
]
Lists = Annotated[
    list[Path] | None,
    typer.Option("--list", metavar="FILE", help="Recordings, a path a line or with zero bytes between; - is stdin."),
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=1024, help="Processes that analyse side by side.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="local|tcp://HOST:PORT", help="Of a Dask cluster that does the work.")
]
BestClips = Annotated[
    int | None,
    typer.Option(
        "--clips",
        min=1,
        metavar="N",
        help="Also write the sound of the best N detections of each species: FLAC and a spectrogram, in clips/. "
        "Whoever speaks in them is heard.",
    ),
]
Speechless = Annotated[bool, typer.Option("--withhold-speech", help="No clips in which somebody speaks.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever an earlier call has done.")]
KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Exit with 0 though recordings failed: see errors.csv.")]
WatchNew = Annotated[bool, typer.Option("--watch", help="Go on with recordings that are added, until interrupted.")]
Settle = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="For which a watched recording must not have grown.")
]
Shown = Annotated[Told, typer.Option("--progress", help="auto: a bar on a terminal. json: lines for a program.")]


def analyze(  # noqa: PLR0913, PLR0917
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings, folders that hold some, patterns such as 'card/**/*.wav', URLs such as s3://..."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the tables.")] = Path(),
    form: Forms = None,
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
    channels: Heard = "mix",
    deployments: Sites = None,
    join: Join = None,
    lists: Lists = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
    best_clips: BestClips = None,
    withhold_speech: Speechless = False,  # noqa: FBT002
    fresh: Fresh = False,  # noqa: FBT002
    keep_going: KeepGoing = False,  # noqa: FBT002
    watch: WatchNew = False,  # noqa: FBT002
    settle: Settle = 10.0,
    progress: Shown = "auto",
) -> None:
    """Analyse recordings and write tables of what was found, heard and not heard: detections, effort, errors.

    Ended at any moment, the same call goes on where it was.

    Examples: `dawnchorus analyze garden.wav`, or
    `dawnchorus analyze /media/card -o results --jobs 4 --timezone UTC -f csv -f raven`, or
    `dawnchorus analyze /media/card -m birdnet-v2.4.onnx --geo-model birdnet-geomodel-v3.onnx --at 48.2 11.6`
    """
    log("warning")
    if not paths and not lists:
        msg = "no recordings given: PATHS or --list expected"
        raise typer.BadParameter(msg)
    from monitor.batch.analyze import Season  # noqa: PLC0415
    from monitor.batch.found import Search  # noqa: PLC0415
    from monitor.batch.journal import Journal  # noqa: PLC0415
    from monitor.batch.sheets import Results  # noqa: PLC0415
    from monitor.batch.terms import Terms  # noqa: PLC0415
    from monitor.config.detection import Detecting  # noqa: PLC0415
    from monitor.config.place import Place  # noqa: PLC0415
    from monitor.config.species import Species  # noqa: PLC0415

    forms = _forms(form or ["csv"])
    species = Species(include or [], exclude or [], _text(species_list), _text(geo_model), week)
    terms = Terms(
        models=tuple(str(path) for path in model or ()),
        detecting=Detecting(step, threshold),
        species=species,
        place=Place(*(at or ())),
        zone=timezone,
        scores_floor=floor,
        channels=_channels(channels),
        deployments=_text(deployments),
    )
    places = _places(paths or [], lists or [])
    _check_remote(places, forms, join=join is not None, watch=watch)
    search = Search(places, terms.read_zone(), join)
    analysis = _opened(terms)
    try:
        with closing(Journal(output, terms.signature(), fresh=fresh)) as journal:
            if journal.replaced:
                err.print(f"done anew, because of another {plain(', '.join(journal.replaced))}")
            results = Results(output, forms, scores=floor is not None)
            clipping = _clipping(output, best_clips, analysis, withhold_speech=withhold_speech)
            season = Season(journal, _crew(terms, analysis, jobs, scheduler), results, analysis.band_hz, clipping)
            failed = _watched(season, search, settle, progress) if watch else _once(season, search, progress)
    except KeyboardInterrupt:
        err.print("interrupted: the same call goes on from here")
        raise typer.Exit(INTERRUPTED) from None
    if failed and not keep_going:
        raise typer.Exit(FAILED)


def _once(season: "Season", search: "Search", progress: Told) -> bool:
    """Analyse what there is; whether anything failed."""
    return _round(season, *search.find(), progress)


def _watched(season: "Season", search: "Search", settle_s: float, progress: Told) -> bool:
    """Analyse what there is and what is added, until SIGINT or SIGTERM; whether anything failed at last."""
    from monitor.batch.watching import Watch  # noqa: PLC0415

    failed = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        for recordings, failures in Watch(search, settle_s).rounds():
            failed = _round(season, recordings, failures, progress)
    return failed


def _round(season: "Season", recordings: "Sequence[Recording]", failures: "Sequence[Failure]", progress: Told) -> bool:
    with telling(progress) as told:
        summary = season.analyze(recordings, failures, told)
    tell_end(progress, summary, season.results.tables)
    return bool(summary.failures)


def _clipping(directory: Path, most: int | None, analysis: "Analysis", *, withhold_speech: bool) -> "Clipping | None":
    """None where no clips are asked for."""
    from monitor.batch.clips import Clipping  # noqa: PLC0415
    from monitor.config.privacy import Privacy  # noqa: PLC0415
    from monitor.privacy import Silero, VoiceGate  # noqa: PLC0415

    if most is None:
        return None
    gate = VoiceGate(Silero(), Privacy().threshold, Privacy().margin_s) if withhold_speech else None
    return Clipping(directory, most, analysis.reading, gate)


def _crew(terms: "Terms", analysis: "Analysis", jobs: int, scheduler: str | None) -> "Crew":
    from monitor.batch.alone import Alone  # noqa: PLC0415
    from monitor.batch.cluster import Cluster  # noqa: PLC0415
    from monitor.batch.workers import Workers  # noqa: PLC0415

    if scheduler is not None:
        for handler in logging.getLogger().handlers:  # Dask tells all it does, whatever level the program has
            handler.setLevel(logging.WARNING)
        return Cluster(terms, scheduler, jobs)
    return Alone(analysis) if jobs == 1 else Workers(terms, jobs, partial(log, "warning"))


def _opened(terms: "Terms") -> "Analysis":
    """Open the models here too: what does not fit is said before anything is written."""
    classifiers, step_s = terms.classifiers(), terms.detecting.step_s
    longest_s = min(classifier.contract.window_s for classifier in classifiers)
    if not 1 / classifiers[0].contract.sample_rate <= step_s <= longest_s:
        msg = f"{step_s:g} s: expected more than 0 and at most the model's window of {longest_s:g} s"
        raise typer.BadParameter(msg, param_hint="--step")
    analysis = terms.analysis(classifiers)
    for said in filter(None, (one.said(None) for one in analysis.recognisers)):
        err.print(plain(said))
    return analysis


def _check_remote(places: "Sequence[Path | str]", forms: "Sequence[Format]", *, join: bool, watch: bool) -> None:
    """What needs the files themselves more than once is not done with URLs. ConfigError for one that nothing knows."""
    from monitor.sources import remote  # noqa: PLC0415

    asked = {"--join": join, "--watch": watch, "--format guano": "guano" in forms}
    refused = [option for option, wanted in asked.items() if wanted]
    for url in (place for place in places if isinstance(place, str)):
        remote.check(url)
        if refused:
            msg = f"{url}: recordings elsewhere can be analysed, but not with {', '.join(refused)}: fetch them first"
            raise typer.BadParameter(msg)


def _places(paths: "Sequence[str]", lists: "Sequence[Path]") -> "list[Path | str]":
    """What was named, and what stands in lists, of which one may be the standard input; a text is a URL."""
    from monitor.sources.finding import listed  # noqa: PLC0415
    from monitor.sources.remote import named  # noqa: PLC0415

    found = [named(path) for path in paths]
    for path in lists:
        try:
            with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
                found += listed(file)
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise typer.BadParameter(msg, param_hint="--list") from error
    return found


def _channels(text: str) -> "Channels":
    words: dict[str, Channels] = {"mix": "mix", "each": "each"}
    if text in words:
        return words[text]
    if text.isdecimal() and int(text):
        return int(text)
    msg = f"{text!r}: mix, each or the number of a channel, from 1, expected"
    raise typer.BadParameter(msg, param_hint="--channels")


def _forms(names: "Sequence[str]") -> "list[Format]":
    """What is asked for. A library that is missing is told of before an earlier analysis is given up."""
    from monitor.sinks.tables import Format  # noqa: PLC0415
    from monitor.sinks.tables.parquet import require  # noqa: PLC0415

    for name in names:
        if name not in set(Format):
            msg = f"{name!r}: expected {', '.join(Format)}"
            raise typer.BadParameter(msg, param_hint="--format")
    if Format.PARQUET in names:
        require()
    return [Format(name) for name in dict.fromkeys(names)]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

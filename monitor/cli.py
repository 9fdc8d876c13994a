"""The commands: the only argument parsing and the only printing.

Exit codes: 0 all well, 1 something failed, 2 wrong usage, 78 wrong configuration (EX_CONFIG of sysexits.h).
Heavy imports stand inside the commands, so that `--help` and `config check` answer at once.
"""

import json
import logging
import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from monitor import config as configuration
from monitor.errors import ConfigError, MonitorError

FAILED = 1
EX_CONFIG = 78

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Dawn Chorus listens to a place, recognises species and publishes detections over MQTT.",
)
config_app = typer.Typer(no_args_is_help=True, help="Write, check and describe the configuration.")
app.add_typer(config_app, name="config")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"YAML file; without it {configuration.SYSTEM_FILE}, or else the defaults."),
]
ModelOption = Annotated[Path | None, typer.Option("--model", "-m", help="Model file; without it the bundled one.")]
Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="For all species, instead of the model's own.")]
Floor = Annotated[
    float | None, typer.Option("--scores", min=0, max=1, metavar="FLOOR", help="Also write scores.csv from FLOOR up.")
]


def _print_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        out.print(f"dawnchorus {version('dawnchorus')}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,  # noqa: FBT002
) -> None:
    """Options of every command."""


@app.command()
def run(config: ConfigOption = None) -> None:
    """Listen, recognise, keep and publish, until a signal asks to stop.

    Examples: `dawnchorus run`, or `dawnchorus run --config /etc/dawnchorus/config.yaml`
    """
    settings = configuration.load(config)
    _log(settings.log)
    from monitor.service import serve  # noqa: PLC0415

    if serve(settings):
        raise typer.Exit(FAILED)


@app.command()
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
    _log("warning")
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
        err.print(f"[red]error:[/] {_plain(error)}")
    out.print(
        f"{summary.files} of {len(recordings)} recordings analysed, {summary.heard_s:.1f} s heard, "
        f"{summary.lost_s:.1f} s not; {summary.detections.total()} detections in {_plain(output / NAMES[Format(form)])}"
    )
    for name, count in summary.detections.most_common():
        out.print(f"  {count:6d}  {_plain(name)}")
    if errors:
        raise typer.Exit(FAILED)


@app.command()
def demo(
    audio: Annotated[Path | None, typer.Option(help="A recording to play instead of the synthesised one.")] = None,
    microphone: Annotated[bool, typer.Option("--mic", help="Listen to the default microphone.")] = False,  # noqa: FBT002
    model: ModelOption = None,
) -> None:
    """Show the whole line at work: a broker, the daemon, and a subscriber that hears of every detection.

    Examples: `dawnchorus demo`, `dawnchorus demo --audio garden.wav`, `dawnchorus demo --mic`
    """
    from monitor.demo import Stage, demonstrate  # noqa: PLC0415
    from monitor.messages import DetectionMessage, EffortMessage, StatusMessage  # noqa: PLC0415

    if audio and microphone:
        msg = "--audio and --mic exclude each other"
        raise typer.BadParameter(msg)
    heard: dict[str, list[float]] = {}
    effort = [0.0, 0.0]
    for shown in demonstrate(audio, microphone=microphone, model=model):
        match shown:
            case Stage():
                pace = f", {shown.speed:.1f} times faster than real time" if shown.speed > 1 else ""
                out.print(f"broker    {shown.broker} on 127.0.0.1:{shown.port}")
                out.print(f"listening to {_plain(shown.source)}{pace}\n")
            case StatusMessage():
                out.print(f"[cyan]station {shown.station} is {shown.state}[/], model {_plain(shown.model)}")
            case DetectionMessage():
                when = shown.onset_utc[11:19] + " UTC" if shown.onset_utc else f"{shown.onset_s:.0f} s"
                span = f"{shown.onset_s:5.1f} to {shown.offset_s:5.1f} s"
                names = f"[bold green]{_plain(shown.common_name)}[/] ({_plain(shown.scientific_name)})"
                out.print(f"  {when}  {names}  confidence {shown.confidence:.2f}  {span}")
                heard.setdefault(shown.common_name, []).append(shown.confidence)
            case EffortMessage():
                effort = [effort[0] + shown.heard_s, effort[1] + shown.lost_s]
    out.print(f"\n[bold]Effort:[/] {effort[0]:.1f} s heard, {effort[1]:.1f} s lost")
    if not heard:
        out.print("[bold]Heard:[/] none of the model's species")
    for name, confidences in heard.items():
        count = f"{len(confidences)} detection{'s' if len(confidences) > 1 else ''}"
        out.print(f"[bold]Heard:[/] {_plain(name)}, {count}, confidence up to {max(confidences):.2f}")


@app.command()
def devices() -> None:
    """List the microphones, and what to write into the configuration for each.

    Example: `dawnchorus devices`
    """
    from monitor.sources.microphone import list_devices  # noqa: PLC0415

    found = list_devices()
    if not found:
        err.print("no sound input on this machine: plug one in, or look at the sound server")
        raise typer.Exit(FAILED)
    for device in found:
        default = ", the default" if device.default else ""
        out.print(
            _plain(f"{device.name}  ({device.host_api}, {device.channels} channels, {device.sample_rate} Hz{default})")
        )
        out.print(_plain(f"    source: {{kind: microphone, device: {json.dumps(device.name)}}}"))


@app.command(name="model")
def show_model(file: Annotated[Path | None, typer.Argument(help="Without it the bundled model.")] = None) -> None:
    """Print what a model file says about itself, after checking that it is true.

    Examples: `dawnchorus model`, `dawnchorus model valley.onnx`
    """
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415

    classifier = Classifier(file or STARTER)
    contract, spec = classifier.contract, classifier.contract.mel_spec
    provenance = contract.provenance
    size = classifier.path.stat().st_size
    out.print(f"[bold]{_plain(contract.name)}[/]  {_plain(classifier.path)}, {size / 1e6:.2f} MB, parity check passed")
    out.print(
        f"window    {contract.window_s:g} s at {contract.sample_rate} Hz; {spec.n_mels} mel bands from "
        f"{spec.fmin_hz:g} to {spec.fmax_hz:g} Hz, frames of {spec.n_fft} every {spec.hop} samples"
    )
    out.print(
        f"licence   {_plain(provenance.licence)}; "
        f"made {_plain(provenance.created)} from {_plain(provenance.training_data_sha256)}"
    )
    out.print("[bold]labels[/]")
    for label in contract.labels:
        names = _plain(f"{label.scientific_name:28} {label.common_name:24}")
        precision = "" if label.precision is None else f", precision {label.precision:.2f}"
        out.print(f"  {names} threshold {label.threshold:.2f}{precision}")
    out.print("[bold]figures[/]")
    for name, value in provenance.metrics.items():
        if isinstance(value, dict):
            continue  # whole tables: the card shows them
        out.print(_plain(f"  {name}: {value}"))
    out.print(f"[bold]attribution[/]  {len(provenance.attribution)} recordings")
    out.print(_plain("  " + ", ".join(provenance.attribution)))


@config_app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("config.yaml"),
) -> None:
    """Write a configuration with every default and a remark on each.

    Example: `dawnchorus config init /etc/dawnchorus/config.yaml`
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(configuration.TEMPLATE)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise MonitorError(msg) from error
    out.print(f"wrote {_plain(path)}; edit it, then: dawnchorus config check --config {_plain(path)}")


@config_app.command()
def check(config: ConfigOption = None) -> None:
    """Read the configuration as the service would, and print what is in force.

    Example: `dawnchorus config check --config config.yaml`
    """
    import msgspec  # noqa: PLC0415
    import yaml  # noqa: PLC0415

    settings = configuration.load(config)
    out.print(_plain(yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False, allow_unicode=True)), end="")
    err.print("configuration is valid")


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors and fleet tools.

    Example: `dawnchorus config schema > config.schema.json`
    """
    typer.echo(json.dumps(configuration.schema(), indent=2))


def main() -> None:
    """Run a command; a known failure is one sentence and its exit code."""
    # BLAS threads spin between windows, a tenth of a core for nothing. NumPy reads this when it is imported,
    # which no command has done yet.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except ConfigError as error:
        err.print(f"[red]dawnchorus:[/] {_plain(error)}")
        raise SystemExit(EX_CONFIG) from error
    except MonitorError as error:
        err.print(f"[red]dawnchorus:[/] {_plain(error)}")
        raise SystemExit(FAILED) from error


def _plain(text: Any) -> str:  # noqa: ANN401
    """Text that rich must not read as markup: names come from outside."""
    return escape(str(text))


def _log(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")

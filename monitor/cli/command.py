"""`dawnchorus command`."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.cli.options import FAILED, ConfigOption, err, out, plain
from monitor.config.commands import Commands
from monitor.config.reading import load
from monitor.config.settings import Config
from monitor.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Tell a station what to do, over MQTT, with the key that it was given.")

Station = Annotated[str | None, typer.Option(help="Who is told; without it the configuration's station.")]
Key = Annotated[Path | None, typer.Option("--key-file", help="Its first line is the key; without it the configured.")]
Patience = Annotated[float, typer.Option("--wait", min=0.1, max=600, metavar="SECONDS", help="For the answer.")]
Species = Annotated[str, typer.Argument(help="Scientific or common name, or label.")]

WAIT_S = 10.0


@app.command()
def status(config: ConfigOption = None, station: Station = None, key: Key = None, wait: Patience = WAIT_S) -> None:
    """Ask how the station is now; the answer is one JSON document.

    Example: `dawnchorus command status --station valley`
    """
    _send("status", {}, load(config), station, key, wait)


@app.command()
def mark(
    text: Annotated[str, typer.Argument(help="What has happened, such as: microphone changed.")],
    config: ConfigOption = None,
    station: Station = None,
    key: Key = None,
    wait: Patience = WAIT_S,
) -> None:
    """Have a remark about the deployment kept with its time.

    Example: `dawnchorus command mark "microphone changed" --station valley`
    """
    _send("mark", {"text": text}, load(config), station, key, wait)


@app.command()
def mute(
    seconds: Annotated[float, typer.Argument(min=0, max=86_400, help="0 ends it.")],
    species: Annotated[str | None, typer.Option(help="Of which alone; without it of all.")] = None,
    config: ConfigOption = None,
    station: Station = None,
    key: Key = None,
    wait: Patience = WAIT_S,
) -> None:
    """Silence alerts for a while: the lifecycle and Home Assistant's sensors. Detections are kept and delivered.

    Example: `dawnchorus command mute 600 --species "Parus major" --station valley`
    """
    _send("mute", {"seconds": seconds, "species": species}, load(config), station, key, wait)


@app.command()
def threshold(
    species: Species,
    value: Annotated[float | None, typer.Argument(min=0, max=1, help="Without it what is configured.")] = None,
    config: ConfigOption = None,
    station: Station = None,
    key: Key = None,
    wait: Patience = WAIT_S,
) -> None:
    """Have a species reported from another confidence on, at once and over restarts.

    Examples: `dawnchorus command threshold "Parus major" 0.8`, and `dawnchorus command threshold "Parus major"`
    """
    _send("threshold", {"species": species, "threshold": value}, load(config), station, key, wait)


@app.command()
def replay(
    first: Annotated[int, typer.Argument(min=1, help="Sequence number of a message.")],
    last: Annotated[int | None, typer.Argument(min=1, help="Without it all from the first on.")] = None,
    config: ConfigOption = None,
    station: Station = None,
    key: Key = None,
    wait: Patience = WAIT_S,
) -> None:
    """Have messages published again.

    Example: `dawnchorus command replay 120 140 --station valley`
    """
    _send("replay", {"first": first, "last": last}, load(config), station, key, wait)


def _send(
    command: str,
    arguments: Mapping[str, str | float | None],
    settings: Config,
    station: str | None,
    key_file: Path | None,
    wait_s: float,
) -> None:
    """Send a command and print the answer; exit with 1 where the station does not obey."""
    from monitor.clock import rfc3339  # noqa: PLC0415
    from monitor.delivery.commands.key import read_key  # noqa: PLC0415
    from monitor.delivery.commands.sender import ask, new_command  # noqa: PLC0415

    where = settings.mqtt.commands if key_file is None else Commands(key_file=str(key_file))
    if where is None:
        msg = "no key to sign with: --key-file, or mqtt.commands in the configuration, expected"
        raise ConfigError(msg)
    message = new_command(
        station or settings.station,
        command,
        arguments,
        command_id=str(uuid.uuid4()),
        issued_utc=str(rfc3339(datetime.now(UTC))),
        expires_s=round(wait_s) + 1,
    )
    answer = ask(settings.mqtt, read_key(where), message, wait_s)
    if not answer.ok:
        err.print(f"[red]dawnchorus:[/] {plain(message.station)} does not obey: {plain(answer.error)}")
        raise typer.Exit(FAILED)
    if answer.status is not None:
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        out.print(f"{plain(message.station)} obeys")

"""`dawnchorus run`."""

from typing import Annotated, Any

import msgspec
import typer

from monitor.cli.options import FAILED, ConfigOption, log
from monitor.config.reading import load
from monitor.config.settings import Config
from monitor.config.source import MicrophoneSource, NetworkSource, PipeSource, Source

Given = Annotated[
    str | None, typer.Option(help="In the place of the configured: - is standard input, an address, or a microphone.")
]


def run(
    config: ConfigOption = None,
    source: Given = None,
    rate: Annotated[int | None, typer.Option(metavar="HZ", help="Of --source.")] = None,
    encoding: Annotated[str, typer.Option(help="Of --source -: s16le, s24le, s32le or f32le.")] = "s16le",
    channels: Annotated[int, typer.Option(help="Of --source -, interleaved; the first is listened to.")] = 1,
) -> None:
    """Listen, recognise, keep and publish, until a signal asks to stop.

    Examples: `dawnchorus run`, `dawnchorus run --config /etc/dawnchorus/config.yaml`, or
    `arecord -f S16_LE -r 48000 | dawnchorus run --source - --rate 48000`
    """
    given: dict[str, Any] = {}
    if source is not None:
        given = {"source": _source(source, rate, encoding, channels), "sources": []}

    def read() -> Config:
        return msgspec.structs.replace(load(config), **given)

    settings = read()
    log(settings.log)
    from monitor.service.serve import serve  # noqa: PLC0415

    if serve(settings, read):
        raise typer.Exit(FAILED)


def _source(given: str, rate: int | None, encoding: str, channels: int) -> Source:
    """What --source names, and how it sounds."""
    pace = {} if rate is None else {"sample_rate": rate}
    try:
        if given == "-":
            return msgspec.convert(pace | {"kind": "pipe", "encoding": encoding, "channels": channels}, PipeSource)
        if "://" in given:
            return msgspec.convert(pace | {"kind": "network", "url": given}, NetworkSource)
        return msgspec.convert(pace | {"kind": "microphone", "device": given}, MicrophoneSource)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--source") from error

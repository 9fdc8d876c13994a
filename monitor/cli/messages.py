"""`dawnchorus messages`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import err, out, plain
from monitor.errors import ConfigError, MonitorError

Name = Annotated[str | None, typer.Argument(help="Of a topic's last level, or asyncapi; without one: what there is.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Write them all there.")]


def messages(name: Name = None, output: Output = None) -> None:
    """Print the JSON Schema of a message, or the AsyncAPI document of all, for those who receive them.

    Examples: `dawnchorus messages`, `dawnchorus messages detections`, `dawnchorus messages -o schemas`
    """
    from monitor.messages.published import published  # noqa: PLC0415

    schemas = published()
    if name is not None and name not in schemas:
        msg = f"messages: {name!r} is none; expected {', '.join(sorted(schemas))}"
        raise ConfigError(msg)
    texts = {one: json.dumps(schemas[one], indent=2, ensure_ascii=False) for one in ([name] if name else schemas)}
    if output is not None:
        _write(output, texts)
    elif name is not None:
        typer.echo(texts[name])
    else:
        _list()


def _write(folder: Path, texts: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}"
        raise MonitorError(msg) from error
    err.print(f"wrote {len(texts)} files to {plain(folder)}")


def _list() -> None:
    from monitor.messages.channels import CHANNELS  # noqa: PLC0415

    for channel in CHANNELS:
        retained = ", retained" if channel.retained else ""
        topic = f"<prefix>/<station>/{channel.level}"
        out.print(f"{topic:<34}QoS {channel.qos}{retained:<12}{channel.message.__name__}")

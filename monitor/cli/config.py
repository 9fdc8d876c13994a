"""`dawnchorus config`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, err, out, plain
from monitor.config.reading import load
from monitor.config.reading import schema as json_schema
from monitor.config.template import TEMPLATE
from monitor.errors import MonitorError

app = typer.Typer(no_args_is_help=True, help="Write, check and describe the configuration.")


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("config.yaml"),
) -> None:
    """Write a configuration with every default and a remark on each.

    Example: `dawnchorus config init /etc/dawnchorus/config.yaml`
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise MonitorError(msg) from error
    out.print(f"wrote {plain(path)}; edit it, then: dawnchorus config check --config {plain(path)}")


@app.command()
def check(config: ConfigOption = None) -> None:
    """Read the configuration as the service would, and print what is in force.

    Example: `dawnchorus config check --config config.yaml`
    """
    import msgspec  # noqa: PLC0415
    import yaml  # noqa: PLC0415

    settings = load(config)
    out.print(plain(yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False, allow_unicode=True)), end="")
    err.print("configuration is valid")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors and fleet tools.

    Example: `dawnchorus config schema > config.schema.json`
    """
    typer.echo(json.dumps(json_schema(), indent=2))

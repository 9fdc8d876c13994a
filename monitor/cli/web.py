"""`dawnchorus web`."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, err, log, plain
from monitor.config.reading import SYSTEM_FILE, load
from monitor.errors import ConfigError

Host = Annotated[str, typer.Option(help="Address to listen on; another than the loopback needs --token-file.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")]
Token = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Its first line lets people in and has verdicts taken; without it: look only."),
]
Names = Annotated[list[str] | None, typer.Option("--name", help="Of this host, as a proxy in front is called.")]
Certificate = Annotated[Path | None, typer.Option(metavar="PEM", help="Serve HTTPS.")]
Key = Annotated[Path | None, typer.Option(metavar="PEM", help="Of the certificate.")]
Broker = Annotated[bool, typer.Option("--broker", help="Show what the broker tells, where the store is elsewhere.")]


def web(  # noqa: PLR0913, PLR0917
    config: ConfigOption = None,
    host: Host = "127.0.0.1",
    port: Port = 8737,
    token_file: Token = None,
    name: Names = None,
    certificate: Certificate = None,
    key: Key = None,
    broker: Broker = False,  # noqa: FBT002
) -> None:
    """Serve a page: what the microphone hears, detections to listen to and judge, effort, health.

    Examples: `dawnchorus web`, or `dawnchorus web --host 0.0.0.0 --token-file /etc/dawnchorus/token`
    """
    settings = load(config)
    log(settings.log)
    if any(importlib.util.find_spec(package) is None for package in ("starlette", "uvicorn")):
        msg = "the page needs the packages starlette and uvicorn: install dawnchorus[web]"
        raise ConfigError(msg)
    from monitor.web.serve import Service, serve  # noqa: PLC0415

    path = config or (SYSTEM_FILE if SYSTEM_FILE.exists() else None)
    service = Service(host, port, token_file, tuple(name or ()), certificate, key, broker)
    serve(settings, path, service, lambda address: err.print(f"the page: {plain(address)}"))

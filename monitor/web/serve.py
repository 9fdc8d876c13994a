"""Where the page is served, and who may come."""

import logging
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from monitor.config.settings import Config, state_directory
from monitor.errors import ConfigError, MonitorError
from monitor.sinks.database import FILE
from monitor.web.access import LOOPBACK, Access, read_token
from monitor.web.app import Station, application
from monitor.web.checking import Checks
from monitor.web.files import ClipFolder
from monitor.web.happening import Happening, Socket
from monitor.web.heard import Heard
from monitor.web.stored import Stored

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 64
"""at a time; then the page answers 503, and nothing else on the device is the worse for it"""
IDLE_S = 5
NOT_HERE = (
    "This page listens to the broker and has no store: no sound, no verdicts, and only what came since its start.",
    "The picture of the sound is shown on the station itself; here are the scores, if the station has mqtt.live.",
)


@dataclass(frozen=True, slots=True)
class Service:
    """How it is served."""

    host: str = "127.0.0.1"
    port: int = 8737
    token_file: Path | None = None
    names: tuple[str, ...] = ()
    """of this host beside its address, as a proxy in front of us is called"""
    certificate: Path | None = None
    key: Path | None = None
    broker: bool = False
    """know what the broker tells, and not what a store on this device holds"""


def serve(config: Config, path: Path | None, service: Service, ready: Callable[[str], None]) -> None:
    """Serve until a signal asks to stop; `path` is the configuration's. `ready` gets the address.

    Raises ConfigError or BrokerError for what can never work, MonitorError where the port cannot be had.
    """
    access = _access(service)
    with ExitStack() as opened:
        door = opened.enter_context(_door(service))
        station = _station(config, path, service, access, opened)
        settings = uvicorn.Config(
            application(station),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=2,
            ssl_certfile=service.certificate,
            ssl_keyfile=service.key,
        )
        try:
            settings.load()
        except OSError as error:
            msg = f"certificate {service.certificate}: {error.strerror or error}"
            raise ConfigError(msg) from error
        ready(f"{'https' if access.secure else 'http'}://{_shown(service.host)}:{door.getsockname()[1]}/")
        _Server(settings, station.happening).run([door])


class _Server(uvicorn.Server):
    """Sends all away who look, before it waits for them to go."""

    def __init__(self, settings: uvicorn.Config, happening: Happening) -> None:
        super().__init__(settings)
        self._happening = happening

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._happening.close()
        await super().shutdown(sockets)


def _access(service: Service) -> Access:
    token = None if service.token_file is None else read_token(service.token_file)
    if token is None and service.host not in LOOPBACK:
        msg = (
            f"--host {service.host} without --token-file: everybody there could look; name a file whose first line is "
            "a token, or leave it on 127.0.0.1 and put a proxy in front"
        )
        raise ConfigError(msg)
    if (service.certificate is None) != (service.key is None):
        msg = "--certificate and --key belong together: both or neither expected"
        raise ConfigError(msg)
    names = LOOPBACK | {service.host, *service.names}
    if service.host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        names |= {socket.gethostname(), f"{socket.gethostname()}.local"}
    return Access(token, frozenset(name.lower() for name in names), secure=service.certificate is not None)


def _station(config: Config, path: Path | None, service: Service, access: Access, opened: ExitStack) -> Station:
    checks = Checks(path)
    if service.broker:
        heard = Heard(config.mqtt, config.station)
        heard.start()
        opened.callback(heard.close)
        return Station(config.station, access, heard, Happening(heard, heard), checks, None, None, NOT_HERE)
    folder = state_directory(config)
    clips = None if config.clips is None else ClipFolder(Path(config.clips.directory))
    knowing = Stored(folder, clips)
    live = Socket(config.web.path(folder))
    return Station(config.station, access, knowing, Happening(live, knowing), checks, folder / FILE, clips)


def _door(service: Service) -> socket.socket:
    """The port, before anything else is opened."""
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    try:
        return socket.create_server((service.host, service.port), family=family, backlog=MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else error  # create_server adds the address to the text
        msg = f"{service.host} port {service.port} cannot be served: {reason}; choose another with --host and --port"
        raise MonitorError(msg) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host

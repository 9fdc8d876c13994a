"""`dawnchorus watch`."""

import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, log, out
from monitor.config.reading import load
from monitor.errors import BrokerError, CommandError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.mqtt import Mqtt
    from monitor.fleet.asking import Asker
    from monitor.fleet.gaps import Span
    from monitor.fleet.stations import Fleet, Station
    from monitor.fleet.subscription import Subscription

REFRESH_S = 0.5
PATIENCE_S = 10.0
"""to reach a broker, where somebody looks once"""
QUIET_S = 1.0
"""without anything new, after which a broker has told all that it remembers"""
AT_ONCE = 5000

Name = Annotated[str | None, typer.Option("--station", metavar="NAME", help="Only this one, with all that is known.")]
Once = Annotated[bool, typer.Option("--once", help="Print what the broker remembers, and end.")]
Json = Annotated[bool, typer.Option("--json", help="A line of JSON for a station whenever it has said something.")]

Ask = Annotated[bool, typer.Option("--ask-replay", help="Have stations send again what stays missing.")]
Key = Annotated[Path | None, typer.Option(help="Its first line is the stations' key; without it the configured.")]


def watch(
    config: ConfigOption = None,
    station: Name = None,
    once: Once = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
    ask_replay: Ask = False,  # noqa: FBT002
    key_file: Key = None,
) -> None:
    """Show a station or a fleet as it is now: who is alive, what was heard, what is missing; trouble first.

    Examples: `dawnchorus watch`, `dawnchorus watch --station valley`, `dawnchorus watch --once --json`
    """
    settings = load(config)
    asker = _asker(settings.mqtt, key_file) if ask_replay else None
    log("critical")  # the view says what there is to say
    from monitor.fleet.stations import Fleet  # noqa: PLC0415
    from monitor.fleet.subscription import Subscription  # noqa: PLC0415

    fleet = Fleet()
    with _hearing(Subscription(settings.mqtt)) as subscription:
        if once:
            _wait(subscription, fleet)
            _print(fleet, subscription, station, as_json=as_json)
        elif as_json:
            _report(fleet, subscription, station, asker)
        else:
            _show(fleet, subscription, station, asker)


@contextmanager
def _hearing(subscription: "Subscription") -> "Iterator[Subscription]":
    """Listen until the end, or until somebody has seen enough."""
    subscription.start()
    try:
        yield subscription
    except KeyboardInterrupt:
        pass
    finally:
        subscription.close()


def _take(subscription: "Subscription", fleet: "Fleet", wait_s: float) -> set[str]:
    """Let the fleet know what has come; the stations that it is about."""
    from monitor.fleet.letters import read  # noqa: PLC0415

    taken = subscription.take(AT_ONCE, wait_s)
    items = [item for one in taken for item in read(one.topic, one.payload, retained=one.retained)]
    return fleet.take(items, datetime.now(UTC))


def _wait(subscription: "Subscription", fleet: "Fleet") -> None:
    """Until the broker has told all that it remembers. BrokerError where there is none."""
    deadline = time.monotonic() + PATIENCE_S
    while not subscription.state.connected:
        if time.monotonic() > deadline:
            msg = f"no broker within {PATIENCE_S:g} s: {subscription.state.about}"
            raise BrokerError(msg)
        time.sleep(0.05)
    while _take(subscription, fleet, QUIET_S) and time.monotonic() < deadline:
        pass


def _chosen(fleet: "Fleet", station: str | None) -> "list[Station]":
    if station is None:
        return list(fleet.stations.values())
    return [fleet.stations[station]] if station in fleet.stations else []


def _print(fleet: "Fleet", subscription: "Subscription", station: str | None, *, as_json: bool) -> None:
    from monitor.fleet.screen import screen  # noqa: PLC0415

    found = _chosen(fleet, station)
    if as_json:
        for one in found:
            typer.echo(_line(one))
    else:
        out.print(screen(found, subscription.state, datetime.now(UTC), (out.width, None)), soft_wrap=False)
    if station is not None and not found:
        known = ", ".join(sorted(fleet.stations)) or "none"
        msg = f"station {station!r}: the broker knows nothing of it, only of {known}"
        raise BrokerError(msg)


def _report(fleet: "Fleet", subscription: "Subscription", station: str | None, asker: "Asker | None") -> None:
    """Lines for a program, which ends when nobody reads them any more."""
    while True:
        changed = _take(subscription, fleet, REFRESH_S)
        chosen = _chosen(fleet, station)
        if asker:
            asker.look(chosen)
        for one in chosen:
            if one.name in changed:
                typer.echo(_line(one))


def _show(fleet: "Fleet", subscription: "Subscription", station: str | None, asker: "Asker | None") -> None:
    """The view, until somebody ends it."""
    from rich.live import Live  # noqa: PLC0415

    from monitor.fleet.screen import screen  # noqa: PLC0415

    with Live(console=out, screen=out.is_terminal, auto_refresh=False) as live:
        while True:
            _take(subscription, fleet, REFRESH_S)
            chosen = _chosen(fleet, station)
            if asker:
                asker.look(chosen)
            shown = screen(chosen, subscription.state, datetime.now(UTC), (out.width, out.height), _remark(asker))
            live.update(shown, refresh=True)


def _asker(settings: "Mqtt", key_file: Path | None) -> "Asker":
    """Asks for a replay with a signed command. BrokerError where the key cannot be read."""
    from monitor.clock import rfc3339  # noqa: PLC0415
    from monitor.config.commands import Commands  # noqa: PLC0415
    from monitor.delivery.commands.key import read_key  # noqa: PLC0415
    from monitor.delivery.commands.sender import ask, new_command  # noqa: PLC0415
    from monitor.fleet.asking import Asker  # noqa: PLC0415

    where = settings.commands if key_file is None else Commands(key_file=str(key_file))
    if where is None:
        msg = "no key to sign with: --key-file, or mqtt.commands in the configuration, expected"
        raise ConfigError(msg)
    key = read_key(where)

    def replay(station: str, span: "Span") -> None:
        command = new_command(
            station,
            "replay",
            {"first": span[0], "last": span[1]},
            command_id=str(uuid.uuid4()),
            issued_utc=str(rfc3339(datetime.now(UTC))),
            expires_s=round(PATIENCE_S) + 1,
        )
        answer = ask(settings, key, command, PATIENCE_S)
        if not answer.ok:
            msg = f"{station} does not obey: {answer.error}"
            raise CommandError(msg)

    return Asker(replay, time.monotonic)


def _remark(asker: "Asker | None") -> str:
    if asker is None:
        return ""
    refused = f"; of the last: {asker.refused}" if asker.refused else ""
    return f"{asker.requests} times asked for what is missing{refused}"


def _line(station: "Station") -> str:
    import msgspec  # noqa: PLC0415

    from monitor.fleet.troubles import troubles  # noqa: PLC0415

    return msgspec.json.encode(
        {
            "station": station.name,
            "state": station.status and station.status.state,
            "since": station.since,
            "heard_at": station.heard_at,
            "detections": station.detections,
            "last": station.last[-1] if station.last else None,
            "heard_share": station.heard_share,
            "missing": station.numbers.missing,
            "troubles": [trouble.what for trouble in troubles(station, datetime.now(UTC))],
            "health": station.health,
        }
    ).decode()

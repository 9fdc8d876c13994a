"""`dawnchorus collect`."""

import signal
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import FAILED, ConfigOption, err, log, out, plain
from monitor.config.reading import load
from monitor.signals import told

if TYPE_CHECKING:
    from monitor.fleet.archive import Archive
    from monitor.fleet.gaps import Account, Holdings, Span

SHOWN_SPANS = 5

Targets = Annotated[
    list[str], typer.Argument(metavar="FOLDER|postgresql://...", help="Where messages are kept; of a report, several.")
]
Group = Annotated[
    str | None, typer.Option(metavar="NAME", help="Share the fleet with all collectors of this group: each a part.")
]
Name = Annotated[
    str | None, typer.Option(help="Of this collector at the broker, for ever; this machine's and the target's.")
]
Every = Annotated[float, typer.Option(min=0.01, metavar="MINUTES", help="Between two Parquet files of a folder.")]


def collect(
    targets: Targets,
    config: ConfigOption = None,
    group: Group = None,
    name: Name = None,
    every: Every = 60.0,
    report: Annotated[bool, typer.Option("--report", help="Say what is missing, and end.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="The report as a line of JSON a station.")] = False,  # noqa: FBT002
) -> None:
    """Keep all messages of a fleet, each exactly once, in Parquet files or in PostgreSQL.

    Needs the extra `fleet`. The password of a database comes from PGPASSFILE or PGPASSWORD. A report exits with 1
    where something is missing. Examples: `dawnchorus collect /srv/fleet`,
    `dawnchorus collect postgresql://fleet@db/birds --group fleet`, `dawnchorus collect --report /srv/fleet`
    """
    if report:
        _report(targets, as_json=as_json)
        return
    if len(targets) != 1:
        msg = f"{len(targets)} of them: one expected, several are for --report"
        raise typer.BadParameter(msg, param_hint="FOLDER|postgresql://...")
    settings = load(config)
    log("warning" if settings.log == "error" else settings.log)
    from monitor.fleet.collector import Collector  # noqa: PLC0415
    from monitor.fleet.subscription import Subscription  # noqa: PLC0415

    archive = _archive(targets[0], timedelta(minutes=every))
    subscription = Subscription(settings.mqtt, name or _name(archive.name), group, durable=True)
    stop = threading.Event()
    told((signal.SIGTERM, signal.SIGINT), stop)
    err.print(plain(f"collecting into {archive.name}"))
    Collector(subscription, archive, lambda: datetime.now(UTC)).run(stop)


def _archive(target: str, every: timedelta) -> "Archive":
    from monitor.fleet.folder import Folder  # noqa: PLC0415
    from monitor.fleet.postgres import SCHEMES, Postgres  # noqa: PLC0415

    return Postgres(target) if target.startswith(SCHEMES) else Folder(Path(target), every)


def _look(target: str) -> "Holdings":
    from monitor.fleet import folder, postgres  # noqa: PLC0415

    return postgres.look(target) if target.startswith(postgres.SCHEMES) else folder.look(Path(target))


def _name(target: str) -> str:
    """The same whenever the same machine collects into the same place: the broker keeps messages under it."""
    place = str(Path(target).resolve()) if Path(target).is_dir() else target
    return f"dawnchorus-collect-{socket.gethostname()}-{blake2b(place.encode(), digest_size=4).hexdigest()}"


def _report(targets: Sequence[str], *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415

    from monitor.fleet.gaps import account, total  # noqa: PLC0415

    archives = [_look(target) for target in targets]
    accounts = account(archives)
    for one in accounts:
        out.print(msgspec.json.encode(one).decode() if as_json else plain(_line(one)), markup=not as_json)
    rejected = sum(archive.rejected for archive in archives)
    missing = sum(total(one.missing) for one in accounts)
    dropped = sum(total(one.dropped) for one in accounts)
    err.print(
        f"{len(accounts)} stations, {sum(one.received for one in accounts)} messages here, {missing} missing, "
        f"{dropped} dropped by their stations, {rejected} that cannot be read"
    )
    if missing:
        raise typer.Exit(FAILED)


def _line(one: "Account") -> str:
    from monitor.fleet.gaps import total  # noqa: PLC0415

    store = f" (store {one.generation})" if one.generation > 1 else ""
    parts = [f"{one.station}{store}: {one.received} messages, {one.first} to {one.last}"]
    if one.missing:
        parts.append(f"{total(one.missing)} missing: {_spans(one.missing)}")
    if one.dropped:
        parts.append(f"{total(one.dropped)} dropped by the station: {_spans(one.dropped)}")
    if one.awaited:
        parts.append(f"{one.awaited} not here yet")
    if one.waiting:
        parts.append(f"{one.waiting} in its outbox")
    return "; ".join([*parts, f"last heard {one.heard_utc or 'never'}"])


def _spans(spans: "Sequence[Span]") -> str:
    """The first few."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:SHOWN_SPANS]]
    return ", ".join(shown) + (f" and {len(spans) - SHOWN_SPANS} more stretches" if len(spans) > SHOWN_SPANS else "")

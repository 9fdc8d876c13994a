"""`dawnchorus doctor`."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from monitor.cli.options import FAILED, ConfigOption, log, out, plain
from monitor.config.reading import SYSTEM_FILE, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.cli.meter import Meter
    from monitor.doctor.finding import Finding

COLOURS = {"green": "green", "amber": "yellow", "red": "bold red"}
_VERDICTS = {
    "green": "this station can be left alone.",
    "amber": "this station works; look at what is amber.",
    "red": "this station will not do its work; mend what is red.",
}


def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
    seconds: Annotated[float, typer.Option(min=1, max=600, help="To listen to the microphone.")] = 10.0,
    meter: Annotated[bool, typer.Option(help="Show the level and a picture of the sound.")] = True,  # noqa: FBT002
) -> None:
    """Check a station before you leave it: microphone, clock, disk, model, broker.

    Red means that it will not work, and exits with 1; amber, that it could be better or that nobody could look.
    Examples: `dawnchorus doctor`, or `dawnchorus doctor --config /etc/dawnchorus/config.yaml --json`
    """
    settings = load(config)
    log("critical")
    from monitor.cli.meter import Meter  # noqa: PLC0415
    from monitor.clock import rfc3339  # noqa: PLC0415
    from monitor.doctor.examine import checks, examine  # noqa: PLC0415
    from monitor.doctor.finding import Light, Report, worst  # noqa: PLC0415

    path = config or (SYSTEM_FILE if SYSTEM_FILE.exists() else None)
    shown = Meter(out, visible=meter and out.is_terminal and not as_json)
    found = examine(checks(settings, path, seconds, shown.show), path)
    findings = list(found) if as_json else list(_told(found, shown))
    light = worst(findings)
    if as_json:
        utc = str(rfc3339(datetime.now(UTC)))
        report = Report(
            station=settings.station, version=version("dawnchorus"), utc=utc, light=light, findings=findings
        )
        typer.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        out.print(f"\n[{COLOURS[light]}]{light}[/]: {_VERDICTS[light]}")
    if light is Light.RED:
        raise typer.Exit(FAILED)


def _told(findings: "Iterator[Finding]", meter: "Meter") -> "Iterator[Finding]":
    """Print each finding as it comes."""
    for finding in findings:
        meter.close()
        out.print(f"[{COLOURS[finding.light]}]{finding.light:5}[/]  {finding.check:13} {plain(finding.found)}")
        if finding.advice:
            out.print(f"{'':21}{plain(finding.advice)}", style="dim")
        yield finding

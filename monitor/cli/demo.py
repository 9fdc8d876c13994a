"""`dawnchorus demo`."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ModelOption, out, plain


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
                out.print(f"listening to {plain(shown.source)}{pace}\n")
            case StatusMessage():
                out.print(f"[cyan]station {shown.station} is {shown.state}[/], model {plain(shown.model)}")
            case DetectionMessage():
                when = shown.onset_utc[11:19] + " UTC" if shown.onset_utc else f"{shown.onset_s:.0f} s"
                span = f"{shown.onset_s:5.1f} to {shown.offset_s:5.1f} s"
                names = f"[bold green]{plain(shown.common_name)}[/] ({plain(shown.scientific_name)})"
                out.print(f"  {when}  {names}  confidence {shown.confidence:.2f}  {span}")
                heard.setdefault(shown.common_name, []).append(shown.confidence)
            case EffortMessage():
                effort = [effort[0] + shown.heard_s, effort[1] + shown.lost_s]
    out.print(f"\n[bold]Effort:[/] {effort[0]:.1f} s heard, {effort[1]:.1f} s lost")
    if not heard:
        out.print("[bold]Heard:[/] none of the model's species")
    for name, confidences in heard.items():
        count = f"{len(confidences)} detection{'s' if len(confidences) > 1 else ''}"
        out.print(f"[bold]Heard:[/] {plain(name)}, {count}, confidence up to {max(confidences):.2f}")

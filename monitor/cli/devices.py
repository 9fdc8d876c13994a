"""`dawnchorus devices`."""

import json

import typer

from monitor.cli.options import FAILED, err, out, plain


def devices() -> None:
    """List the microphones, and what to write into the configuration for each.

    Example: `dawnchorus devices`
    """
    from monitor.sources.identity import lasting  # noqa: PLC0415
    from monitor.sources.microphone import list_devices  # noqa: PLC0415

    found = list_devices()
    if not found:
        err.print("no sound input on this machine: plug one in, or look at the sound server")
        raise typer.Exit(FAILED)
    for device in found:
        default = ", the default" if device.default else ""
        out.print(
            plain(f"{device.name}  ({device.host_api}, {device.channels} channels, {device.sample_rate} Hz{default})")
        )
        out.print(plain(f"    source: {{kind: microphone, device: {json.dumps(lasting(device, found))}}}"))
        if device.usb:
            _, kind, port = device.usb.identities()
            out.print(plain(f"    or by its kind: {kind}, or by where it is plugged in: {port}"))

"""What systemd is told, and asks, if it started us."""

import logging
import os
import socket

logger = logging.getLogger(__name__)


def notify(state: str) -> None:
    """sd_notify(3), one datagram to the socket it named."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(
                state.encode(errors="replace"), address.replace("@", "\0", 1) if address[0] == "@" else address
            )
        except OSError as error:
            logger.warning("systemd does not listen at %s: %s", address, error)


def watchdog_s() -> float | None:
    """Seconds within which it wants to hear that we live, as sd_watchdog_enabled(3) finds them; None: it does not."""
    asked = os.environ.get("WATCHDOG_USEC", "")
    return int(asked) / 1_000_000 if asked.isdecimal() and int(asked) else None

"""The computer itself: its clock, its temperature, and whether it is slowed down."""

from datetime import UTC, datetime
from pathlib import Path

from monitor.clock.kernel import kernel_clock, system_quality
from monitor.clock.times import Quality
from monitor.doctor.finding import Finding, amber, green, red
from monitor.hardware import temperature_c

WARM_C, HOT_C = 70.0, 80.0
"""a Raspberry Pi slows down at 80 to 85 degrees"""
EARLIEST_YEAR = 2025
"""a clock that shows less was never set"""
NOW_BITS = {0: "too low a supply voltage", 1: "a capped frequency", 2: "throttling", 3: "the soft temperature limit"}
BEFORE = 16
"""the same bits, this much higher: since the start"""


def clock() -> list[Finding]:
    """Whether somebody vouches for the time, and how far it may be off."""
    now = datetime.now(UTC)
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    kernel = kernel_clock()
    if kernel.synchronised:
        return [green("clock", f"It is {shown}, synchronised, at most {1000 * kernel.error_s:.0f} ms off.")]
    advice = "Connect a network with NTP or a GPS receiver; times are corrected once the clock is known."
    if now.year < EARLIEST_YEAR:
        return [red("clock", f"The clock says {shown}: it was never set.", advice)]
    source = "a battery-backed clock" if system_quality() is Quality.RTC else "nothing that vouches for it"
    return [amber("clock", f"It is {shown} from {source}, not synchronised, with an unknown error.", advice)]


def temperature(root: Path) -> list[Finding]:
    """The warmest sensor, and what the firmware of a Raspberry Pi says about its supply. `root` holds sys/."""
    return [_warmth(root), *_throttling(root)]


def _warmth(root: Path) -> Finding:
    warmest = temperature_c(root)
    if warmest is None:
        advice = "Feel whether the case is hot: nobody else will."
        return amber("temperature", "Could not look: no sensor on this machine can be read.", advice)
    found = f"The warmest sensor shows {warmest:.0f} degrees Celsius."
    if warmest < WARM_C:
        return green("temperature", found)
    light = red if warmest >= HOT_C else amber
    return light("temperature", found, "Give it shade and air, or a heat sink.")


def _throttling(root: Path) -> list[Finding]:
    """Nothing where this is no Raspberry Pi. Bits: raspberrypi.com, `vcgencmd get_throttled`."""
    path = root / "sys/devices/platform/soc/soc:firmware/get_throttled"
    try:
        bits = int(path.read_text(encoding="ascii"), 16)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [amber("supply", f"Could not look: {path} says {error}.", "Update the firmware.")]
    now = [what for bit, what in NOW_BITS.items() if bits >> bit & 1]
    before = [what for bit, what in NOW_BITS.items() if bits >> bit + BEFORE & 1]
    advice = "Use a stronger power supply and a shorter cable, and keep it cool."
    if now:
        return [red("supply", f"The processor is slowed down by {' and '.join(now)}.", advice)]
    if before:
        return [amber("supply", f"Since the start there was {' and '.join(before)}.", advice)]
    return [green("supply", "The supply voltage was never too low, and the processor never slowed down.")]

"""What the microphone gives, judged by its levels."""

from monitor.doctor.finding import Finding, amber, green, red
from monitor.levels import Levels

SOFT_DBFS, LOUD_DBFS = -75.0, -12.0
"""quiet woods through a fair microphone give -65 to -45 dBFS; a converter of 16 bits alone -98"""
CLIPPED_SHARE = 0.001
ALL_ZERO, MANY_ZEROS = 0.99, 0.5
OFFSET, LARGE_OFFSET = 0.01, 0.1
HUM_DB = 10.0


def findings(levels: Levels) -> list[Finding]:
    """One for each thing that can be wrong with sound; only the first where there is none."""
    silent = _silence(levels)
    if silent is not None:
        return [silent]
    return [_level(levels), _clipping(levels), _offset(levels), _hum(levels)]


def _silence(levels: Levels) -> Finding | None:
    share = levels.zero_samples / levels.samples
    if share < ALL_ZERO:
        return None
    found = f"Digital silence: {100 * share:.1f} % of the samples are exactly zero."
    return red("level", found, "Unmute the input, raise its gain, and look whether this is the right device.")


def _level(levels: Levels) -> Finding:
    found = f"The level is {levels.rms_dbfs:.0f} dBFS, with peaks of {levels.peak_dbfs:.0f} dBFS."
    if levels.rms_dbfs < SOFT_DBFS or levels.zero_samples / levels.samples > MANY_ZEROS:
        return amber("level", found, "This is very soft: raise the gain, and look for a plug or a cover in the way.")
    if levels.rms_dbfs > LOUD_DBFS:
        return amber("level", found, "This is very loud: lower the gain, or wait until the wind or the engine is over.")
    return green("level", found)


def _clipping(levels: Levels) -> Finding:
    share = levels.clipped_samples / levels.samples
    if not share:
        return green("clipping", "No sample is at full scale.")
    found = f"{levels.clipped_samples} samples ({100 * share:.2f} %) are at full scale."
    light = red if share > CLIPPED_SHARE else amber
    return light("clipping", found, "Lower the gain: what is clipped sounds like another species.")


def _offset(levels: Levels) -> Finding:
    found = f"The samples' mean is {levels.offset:+.4f} of full scale."
    if abs(levels.offset) < OFFSET:
        return green("offset", found)
    light = red if abs(levels.offset) > LARGE_OFFSET else amber
    return light("offset", found, "Direct current at the input: change the cable, the adapter or the sound card.")


def _hum(levels: Levels) -> Finding:
    if not levels.bands_dbfs:
        return amber("hum", "Could not look: too little sound to tell.", "Listen for longer, with --seconds.")
    if levels.hum_db < HUM_DB:
        return green("hum", f"Mains hum stands {max(0.0, levels.hum_db):.0f} dB over its neighbourhood.")
    found = f"Mains hum of {levels.hum_hz} Hz stands {levels.hum_db:.0f} dB over its neighbourhood."
    return amber("hum", found, "Run from a battery, keep the cable from power lines, and connect its shield.")

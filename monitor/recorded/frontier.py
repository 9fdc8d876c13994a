"""What the recorders of Frontier Labs write into the comments of a FLAC.

Source: QutEcoacoustics/emu, `FrontierLabs.cs`, for the maker has not published the format. `RecordingStart` is when the
first samples were taken, where the file's name says when they should have been.
"""

import re
from collections.abc import Mapping

MAKE = "Frontier Labs"
START, SERIAL, _FIRMWARE, _PLACE = "recordingstart", "sensoruid", "sensorfirmwareversion", "sensorlocation"
_DEGREES = re.compile(r"([+-]?\d{1,2}(?:\.\d+)?)[^\d+-]*([+-]\d{1,3}(?:\.\d+)?)[^\d+-]*")


def fields(comments: Mapping[str, str]) -> dict[str, str]:
    """The comments of a FLAC, by keys in lower case, if they are such a recorder's; none of any other."""
    return dict(comments) if _FIRMWARE in comments or {START, SERIAL} <= comments.keys() else {}


def degrees(fields: Mapping[str, str]) -> tuple[float, float] | None:
    """Latitude and longitude, of `+43.7043 -065.9508` for instance; None where there was no fix."""
    found = _DEGREES.fullmatch(fields.get(_PLACE, "").strip())
    return None if found is None else (float(found[1]), float(found[2]))

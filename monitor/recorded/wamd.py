"""What recorders of Wildlife Acoustics write into a WAV's chunk `wamd`: an id, a length and text, again and again.

Source: guano-py's `wamd2guano`, for the maker has not published the format.
"""

import struct

CHUNK = b"wamd"
MAKE = "Wildlife Acoustics"
_FIELD_IDS = {0x01: "model", 0x02: "serial", 0x04: "prefix", 0x05: "timestamp", 0x06: "gpsfirst"}
_EXPANSION_ID = 0x0F
"""a number of two bytes, not text"""
_HEADER_BYTES = 6
_HEMISPHERES = {"N": 1, "S": -1, "E": 1, "W": -1}


def fields(chunk: bytes) -> dict[str, str]:
    """Its fields that are of use here, by name; what cannot be read is left out."""
    found: dict[str, str] = {}
    position = 0
    while position + _HEADER_BYTES <= len(chunk):
        number, size = struct.unpack_from("<HI", chunk, position)
        position += _HEADER_BYTES
        if number in _FIELD_IDS and (text := chunk[position : position + size].decode(errors="replace").strip(" \0")):
            found.setdefault(_FIELD_IDS[number], text)
        if number == _EXPANSION_ID and size == 2 and position + 2 <= len(chunk):  # noqa: PLR2004
            found.setdefault("expansion", str(int.from_bytes(chunk[position : position + 2], "little")))
        position += size
    return found


def degrees(gpsfirst: str) -> tuple[float, float] | None:
    """Latitude and longitude of `WGS84,35.1,N,78.6,W`, or of `WGS84,35.1,-78.6`; None for anything else."""
    values = [value.strip() for value in gpsfirst.split(",")[1:]]
    try:
        if len(values) > 3 and {values[1], values[3]} <= _HEMISPHERES.keys():  # noqa: PLR2004 - two of a number and a letter
            return float(values[0]) * _HEMISPHERES[values[1]], float(values[2]) * _HEMISPHERES[values[3]]
        return float(values[0]), float(values[1])
    except (ValueError, IndexError):
        return None

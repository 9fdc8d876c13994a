"""The comments of a FLAC: `KEY=value`, as Vorbis has them.

Sources: RFC 9639, sections 8 and 8.6; the Vorbis I specification, section 5.
"""

import struct
from typing import BinaryIO

_MAGIC = b"fLaC"
_COMMENTS = 4
"""the type of the block that holds them"""
_LAST = 0x80
"""in front of the type: no further block follows"""
_MOST_BLOCKS, _MOST_BYTES = 100, 1 << 20


def comments(file: BinaryIO) -> dict[str, str]:
    """All comments by their keys in lower case, the first of a key; none where it is no FLAC, or as far as it goes."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        return {}
    for _ in range(_MOST_BLOCKS):
        head = file.read(4)
        if len(head) < 4:  # noqa: PLR2004 - the type and three bytes of size
            return {}
        size = int.from_bytes(head[1:], "big")
        if head[0] & ~_LAST == _COMMENTS:
            return _parsed(file.read(min(size, _MOST_BYTES)))
        if head[0] & _LAST:
            return {}
        file.seek(size, 1)
    return {}


def _parsed(block: bytes) -> dict[str, str]:
    """A vendor, a count, and as many comments, each behind its length."""
    found: dict[str, str] = {}
    try:
        (vendor_size,) = struct.unpack_from("<I", block, 0)
        (count,) = struct.unpack_from("<I", block, 4 + vendor_size)
        position = 8 + vendor_size
        for _ in range(count):
            (size,) = struct.unpack_from("<I", block, position)
            text = block[position + 4 : position + 4 + size].decode(errors="replace")
            key, equals, value = text.partition("=")
            if equals and value.strip(" \0"):
                found.setdefault(key.lower(), value.strip(" \0"))
            position += 4 + size
    except struct.error:  # it ends before it should: what came until then counts
        return found
    return found

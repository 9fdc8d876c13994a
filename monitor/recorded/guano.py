"""GUANO, the Grand Unified Acoustic Notation Ontology 1.0: UTF-8 lines `Key: value` in a WAV's chunk `guan`.

Other files have no place for it. Ours have it as their comment, where its first line tells it from any other.
"""

from collections.abc import Mapping

CHUNK = b"guan"
VERSION_KEY, VERSION = "GUANO|Version", "1.0"
_BLANKS = " \t\n\x0b\x0c\r\0"


def fields(chunk: bytes) -> dict[str, str]:
    """All fields by their keys, in their order; the first of a key counts. What is no field is passed over."""
    try:
        text = chunk.decode()
    except UnicodeDecodeError:
        text = chunk.decode("latin-1")  # which is wrong, and written all the same
    found: dict[str, str] = {}
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        key, value = key.strip(_BLANKS), value.strip(_BLANKS)
        if colon and key and value:
            found.setdefault(key, value)
    return found


def comment_fields(comment: str) -> dict[str, str]:
    """The fields of a comment that is GUANO; none of any other."""
    return fields(comment.encode(errors="replace")) if comment.startswith(f"{VERSION_KEY}:") else {}


def chunk(fields: Mapping[str, str]) -> bytes:
    """Fields as they are written, the version first, padded with a blank to an even number of bytes."""
    others = {key: value for key, value in fields.items() if key != VERSION_KEY}
    ordered = {VERSION_KEY: fields.get(VERSION_KEY, VERSION), **others}
    text = "".join(f"{key}: {value.replace(chr(10), ' ')}\n" for key, value in ordered.items()).encode(errors="replace")
    return text + b" " * (len(text) % 2)

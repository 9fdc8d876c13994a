"""Pixels as PNG: Portable Network Graphics, second edition (ISO/IEC 15948:2003)."""

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE = 0, 2, 3
_NO_FILTER = np.uint8(0)
_HALF_BYTE = 16
_NONE = 0xFF


def grey(pixels: Pixels) -> bytes:
    """(height, width) from 0, black, to 255, white."""
    return _file(pixels.shape, 8, _GREY, pixels)


def rgb(pixels: Pixels) -> bytes:
    """(height, width, 3) red, green and blue."""
    return _file(pixels.shape, 8, _RGB, pixels.reshape(len(pixels), -1))


def paletted(pixels: Pixels, colours: Pixels) -> bytes:
    """(height, width) of at most 16 colours, (n, 3) red, green and blue; ValueError for more. Half a byte a pixel."""
    if len(colours) > _HALF_BYTE:
        msg = f"{len(colours)} colours: at most {_HALF_BYTE} expected"
        raise ValueError(msg)
    even = np.pad(pixels, ((0, 0), (0, pixels.shape[1] % 2)))
    packed = (even[:, ::2] * np.uint8(_HALF_BYTE)) | even[:, 1::2]
    return _file(pixels.shape, 4, _PALETTE, packed, _chunk(b"PLTE", colours.tobytes()))


def few_colours(pixels: Pixels) -> bytes:
    """(height, width, 3) in which there are at most 16 colours; ValueError for more. Half a byte a pixel."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    numbers = np.full(packed.shape, _NONE, np.uint8)
    colours: list[Pixels] = []
    while len(left := np.flatnonzero(numbers == _NONE)) and len(colours) <= _HALF_BYTE:
        numbers[packed == packed.flat[left[0]]] = len(colours)
        colours.append(pixels.reshape(-1, 3)[left[0]])
    return paletted(numbers, np.array(colours))


def uri(png: bytes) -> str:
    """The picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _file(shape: tuple[int, ...], depth: int, kind: int, rows: Pixels, more: bytes = b"") -> bytes:
    lines = np.pad(rows, ((0, 0), (1, 0)), constant_values=_NO_FILTER)
    header = struct.pack(">IIBBBBB", shape[1], shape[0], depth, kind, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
    return _SIGNATURE + _chunk(b"IHDR", header) + more + body + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

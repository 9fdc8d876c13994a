"""The chunks of a WAV: RIFF, and RF64 or BW64 for those of more than 4 GiB.

Sources: Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft 1991; EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

FORMS = (b"RIFF", b"RF64", b"BW64")
HEADER_BYTES, CHUNK_HEADER_BYTES = 12, 8
UNKNOWN = 0xFFFFFFFF
"""a size that stands in `ds64`, or that a recorder which lost power never wrote"""
MOST_CHUNKS = 1000
_DS64_BYTES = 24
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the file; `size` bytes from `offset` on are there, whatever its header promised."""

    name: bytes
    offset: int
    size: int
    whole: bool
    """whether all that its header promises is there"""

    def read(self, file: BinaryIO, most: int = 1 << 20) -> bytes:
        """What is in it, `most` bytes of it."""
        file.seek(self.offset)
        return file.read(min(self.size, most))


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """All chunks of a WAV in their order, as far as they can be followed; none where it is no WAV."""
    present = file.seek(0, 2)
    file.seek(0)
    header = file.read(HEADER_BYTES)
    if header[:4] not in FORMS or header[8:] != b"WAVE":
        return
    position, long_data = HEADER_BYTES, None
    for _ in range(MOST_CHUNKS):
        file.seek(position)
        head = file.read(CHUNK_HEADER_BYTES)
        if len(head) < CHUNK_HEADER_BYTES:
            return
        name, promised = struct.unpack("<4sI", head)
        if name == b"ds64":
            long_data = _data_size(file.read(_DS64_BYTES))
        elif name == b"data" and promised == UNKNOWN and long_data is not None:
            promised = long_data
        offset = position + CHUNK_HEADER_BYTES
        size = min(promised, present - offset)
        yield Chunk(name, offset, size, whole=size == promised)
        position = offset + promised + promised % 2


def _data_size(ds64: bytes) -> int | None:
    return struct.unpack_from("<Q", ds64, 8)[0] if len(ds64) >= 16 else None  # noqa: PLR2004 - two sizes of 8 bytes


def copy_with(source: BinaryIO, target: BinaryIO, name: bytes, content: bytes) -> None:
    """Copy a WAV with a chunk `name` that holds `content`, an even number of bytes, in the place of any that it has.

    What the source lacks of what its headers promise, the copy promises no more. ValueError where the source is no
    WAV, or has grown beyond 4 GiB without being RF64.
    """
    copied = [chunk for chunk in chunks(source) if chunk.name != name]
    if not any(chunk.name == b"data" for chunk in copied):
        msg = "no WAV with samples"
        raise ValueError(msg)
    sizes = [chunk.size for chunk in copied] + [len(content)]
    size = len(b"WAVE") + sum(CHUNK_HEADER_BYTES + one + one % 2 for one in sizes)
    source.seek(0)
    form = source.read(4)
    if form == b"RIFF" and size >= UNKNOWN:
        msg = "a WAV of more than 4 GiB that is not RF64"
        raise ValueError(msg)
    target.write(struct.pack("<4sI4s", form, size if form == b"RIFF" else UNKNOWN, b"WAVE"))
    for chunk in copied:
        _copy(source, target, chunk, size)
    target.write(struct.pack("<4sI", name, len(content)) + content)


def _copy(source: BinaryIO, target: BinaryIO, chunk: Chunk, riff_size: int) -> None:
    """Copy a chunk; in `ds64` the size of the file is another now."""
    target.write(struct.pack("<4sI", chunk.name, min(chunk.size, UNKNOWN)))
    if chunk.name == b"ds64":
        target.write(struct.pack("<Q", riff_size) + chunk.read(source)[8:])
    else:
        source.seek(chunk.offset)
        left = chunk.size
        while left and (piece := source.read(min(left, _PIECE_BYTES))):
            target.write(piece)
            left -= len(piece)
    target.write(bytes(chunk.size % 2))

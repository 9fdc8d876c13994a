"""Letters as pixels: the font 6x13 of the X Window System, which is in the public domain ("Share and enjoy").

`fixed_6x13.hex` has a line for each letter, as GNU Unifont's files do: its code point, and a byte for each row from
above, whose highest bit is the leftmost pixel. Latin, Greek and Cyrillic.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 6, 13
"""of a letter"""
_UNKNOWN = "?"

Mask = npt.NDArray[np.bool_]


def written(text: str, zoom: int = 1) -> Mask:
    """(13 zoom, 6 zoom n), true where there is ink; a letter that the font lacks is a question mark."""
    letters = _letters()
    rows = [letters.get(letter, letters[_UNKNOWN]) for letter in text]
    bits = np.unpackbits(np.array(rows, np.uint8).reshape(-1, HEIGHT, 1), axis=2)[:, :, :WIDTH]
    line = bits.transpose(1, 0, 2).reshape(HEIGHT, -1).astype(bool)
    return np.kron(line, np.ones((zoom, zoom), bool)) if zoom > 1 else line


@cache
def _letters() -> dict[str, list[int]]:
    lines = (files("monitor.pictures") / "fixed_6x13.hex").read_text(encoding="ascii").split()
    parted = (line.split(":") for line in lines)
    return {chr(int(code, 16)): list(bytes.fromhex(rows)) for code, rows in parted}

"""From dark to bright: each step is lighter than the one before, also to who sees no colours."""

import numpy as np

from monitor.pictures.png import Pixels

_DARK_TO_BRIGHT = np.array([(0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)])
"""red, green, blue; as in matplotlib's magma (Smith and van der Walt 2015)"""


def shades(count: int) -> Pixels:
    """(count, 3) red, green and blue, at least two."""
    place = np.linspace(0, len(_DARK_TO_BRIGHT) - 1, count)
    steps = np.arange(len(_DARK_TO_BRIGHT))
    return np.stack([np.interp(place, steps, channel) for channel in _DARK_TO_BRIGHT.T], axis=-1).astype(np.uint8)

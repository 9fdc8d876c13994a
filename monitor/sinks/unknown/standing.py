"""How far a window stands out of the noise floor of the minutes before it."""

from collections import deque
from collections.abc import Sequence

from monitor.levels import OctaveMeter, dbfs, octaves
from monitor.noise_floor import floor
from monitor.records import Samples

LOUD_DB = 10.0
"""from here a window counts as loud: what stands out less is hardly more than weather"""
LEAST_WINDOWS = 30
"""with fewer there is no floor to compare with"""
REMEMBERED = 120
"""windows that the floor of a stream is taken from: rain that lasts two minutes is the floor"""

Bands = tuple[float, ...]
"""dBFS, one an octave band as `monitor.levels.octaves` names them"""


class Loudness:
    """Measures windows at `sample_rate` Hz, in the octave bands whose middle lies in `band_hz`."""

    def __init__(self, sample_rate: int, band_hz: tuple[float, float]) -> None:
        self._meter = OctaveMeter(sample_rate)
        low_hz, high_hz = band_hz
        self._inside = [index for index, middle in enumerate(octaves(sample_rate)) if low_hz <= middle <= high_hz]

    def bands(self, samples: Samples) -> Bands:
        """Levels of a window, shape (n,), float32 in [-1, 1]; empty where it is too short to say."""
        self._meter.gap()
        self._meter.add(samples)
        levels = self._meter.take()
        if levels is None or not levels.bands_dbfs:
            return ()
        return tuple(levels.bands_dbfs[index] for index in self._inside)


def standing_db(bands: Bands, quiet: Bands) -> float:
    """How far the band that stands out most lies over its floor; NaN where one of them is not known."""
    if not bands or not quiet:
        return float("nan")
    return max(level - least for level, least in zip(bands, quiet, strict=True))


def together_dbfs(bands: Bands) -> float:
    """The level of all bands together; NaN where they are not known."""
    return dbfs(sum(10 ** (level / 10) for level in bands)) if bands else float("nan")


def standings_db(windows: Sequence[Bands]) -> list[float]:
    """Of all windows of a recording, over the recording's own floor; NaN for all where it is too short to have one."""
    heard = [bands for bands in windows if bands]
    quiet = floor(heard) if len(heard) >= LEAST_WINDOWS else ()
    return [standing_db(bands, quiet) for bands in windows]


class Floor:
    """The floor of a stream, as far as it was heard of late."""

    def __init__(self) -> None:
        self._past: deque[Bands] = deque(maxlen=REMEMBERED)

    def standing_db(self, bands: Bands) -> float:
        """How far a window stands out of those before it, which it then is one of; NaN where those are too few."""
        quiet = floor(self._past) if len(self._past) >= LEAST_WINDOWS else ()
        if bands:
            self._past.append(bands)
        return standing_db(bands, quiet)

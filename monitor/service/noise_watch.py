"""The slow alarm in service: once an hour the noise floor of each source is held against its own week."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from monitor.errors import StoreError
from monitor.noise_floor import Change, Hour, alarms, floor
from monitor.service.regular import Regular
from monitor.sinks.reading import Loudness, read_loudness

logger = logging.getLogger(__name__)

LOOK_S = 3600.0
MEMORY = timedelta(days=9)
"""a week to compare with, and the time in which a change has to last"""
SILENCE = timedelta(days=7)
LIKELY = {
    Change.FALLEN: "the microphone may be wet, dirty or inhabited",
    Change.RISEN: "a cable may be damaged, or a machine runs there now",
}

Trouble = tuple[str, str, Change]
"""source, octave band in Hz, and what became of it"""


class NoiseWatch:
    """Says when a band of a source leaves its week; not again for a week, for by then the change has become usual."""

    def __init__(self, directory: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`directory`: of the store, whose ledger has the levels."""
        self._directory, self._now = directory, now
        self._said: dict[Trouble, datetime] = {}
        self._regular = Regular("noise", LOOK_S, self.look)

    def start(self) -> None:
        """Look once an hour, in a thread."""
        self._regular.start()

    def close(self) -> None:
        """Look no more."""
        self._regular.close()

    def look(self) -> None:
        """Compare the hours that are over, and log what is new. What cannot be read is tried again in an hour."""
        now = self._now()
        try:
            minutes = read_loudness(self._directory, now - MEMORY)
        except StoreError as error:
            logger.warning("noise floor: could not look: %s", error)
            return
        for recording, group in groupby(minutes, key=lambda minute: minute.recording):
            for trouble, by_db in _troubles(recording, list(group), _hour(now)).items():
                if now - self._said.get(trouble, now - SILENCE) >= SILENCE:
                    self._said[trouble] = now
                    source, band, change = trouble
                    said = "noise floor of %s at %s Hz has %s by %.0f dB against its week: %s"
                    logger.warning(said, source, band, change, abs(by_db), LIKELY[change])


def _troubles(source: str, minutes: Sequence[Loudness], this_hour: int) -> dict[Trouble, float]:
    """What is unusual in the hours before `this_hour`, in dB; of several models that listen, the last one's minutes."""
    over = [one for one in minutes if one.model == minutes[-1].model and _hour(one.start) < this_hour]
    heard = [one for one in over if one.noise_dbfs]
    if not heard:
        return {}
    bands = list(heard[-1].noise_dbfs)
    alike = [one for one in heard if list(one.noise_dbfs) == bands]  # another sample rate has other bands
    by_hour = groupby(alike, key=lambda one: _hour(one.start))
    hours = [Hour(hour, floor(list(one.noise_dbfs.values()) for one in group)) for hour, group in by_hour]
    # None: there is no week to compare with yet
    return {(source, bands[one.band], one.change): one.by_db for one in alarms(hours) or ()}


def _hour(time: datetime) -> int:
    """UTC hours since 1970."""
    return int(time.timestamp() // 3600)

"""What ails a microphone that is there: silence, an offset, clipping. Said when it begins and when it ends."""

import logging
from collections import Counter
from enum import StrEnum

import numpy as np

from monitor.levels import FULL_SCALE
from monitor.sources.feed import Channels

logger = logging.getLogger(__name__)

SILENT_S = 60.0
"""zeros, and nothing else, for so long, are digital silence: the microphone is muted or not connected"""
PERIOD_S = 60.0
"""the other symptoms are judged by the minute"""
MOST_OFFSET = 0.1
"""of the mean, in full scales: a microphone's is near 0"""
MOST_CLIPPED = 0.01
"""share of samples at full scale"""


class Symptom(StrEnum):
    """What is wrong, as the log says it."""

    SILENCE = "gives nothing but zeros, as if it was muted or not connected: this counts as lost"
    OFFSET = "has a constant offset, as if the card or its supply was faulty"
    CLIPPING = "clips, as if it was too loud or the gain too high"


class Symptoms:
    """Watches what one listener gets, before gain and filter."""

    def __init__(self, sample_rate: int, name: str) -> None:
        self._name, self._rate = name, sample_rate
        self._present: set[Symptom] = set()
        self.times: Counter[Symptom] = Counter()
        """how often each began"""
        self._zeros = 0
        self._clear()

    @property
    def silent(self) -> bool:
        """Whether nothing but zeros has come for long."""
        return Symptom.SILENCE in self._present

    @property
    def present(self) -> frozenset[Symptom]:
        """What is wrong now."""
        return frozenset(self._present)

    def watch(self, samples: Channels) -> None:
        """Look at the next samples, (n,) or (n, channels)."""
        some = bool(samples.any())
        self._zeros = 0 if some else self._zeros + len(samples)
        self._note(Symptom.SILENCE, present=self._zeros >= SILENT_S * self._rate)
        self._count += len(samples)
        if some:
            self._sum += float(samples.sum(dtype=np.float64)) / (samples.size / len(samples))
            self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        if self._count >= PERIOD_S * self._rate:
            self._note(Symptom.OFFSET, present=abs(self._sum) > MOST_OFFSET * self._count)
            self._note(Symptom.CLIPPING, present=self._clipped > MOST_CLIPPED * self._count)
            self._clear()

    def _note(self, symptom: Symptom, *, present: bool) -> None:
        if present and symptom not in self._present:
            self._present.add(symptom)
            self.times[symptom] += 1
            logger.warning("%s %s; for the %d. time", self._name, symptom, self.times[symptom])
        elif not present and symptom in self._present:
            self._present.remove(symptom)
            logger.info("%s no longer %s", self._name, symptom)

    def _clear(self) -> None:
        self._count = self._clipped = 0
        self._sum = 0.0

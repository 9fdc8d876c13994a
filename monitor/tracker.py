"""Scores of overlapping windows -> detections with an onset and an offset.

A label becomes active at its threshold and stays active until its score falls below the threshold less
the hysteresis, or below half the threshold where that is more. Active windows that touch or overlap are
one detection, from the start of the first to the end of the last: the sound lies in there. Everything
counts samples, so a replay gives the same.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.contract import Label
from monitor.contract.names import Names
from monitor.features import Floats
from monitor.records import Detection, Window


@dataclass(frozen=True, slots=True)
class Rules:
    """When a label counts as heard."""

    thresholds: tuple[float, ...]
    """one a label, in the model's order"""
    hysteresis: float
    max_samples: int
    """a longer detection is reported in pieces, so that a bird that sings all morning is not kept back"""

    @staticmethod
    def of(
        labels: Sequence[Label],
        *,
        threshold: float | None = None,
        own: dict[str, float] | None = None,
        hysteresis: float = 0.1,
        max_samples: int,
    ) -> "Rules":
        """The model's thresholds, unless one `threshold` for all, or one's `own` by label or name, is given.

        ConfigError where `own` names a label that the model does not know.
        """
        names = Names(labels)
        names.check(own or {}, "detection.thresholds")
        thresholds = [label.threshold if threshold is None else threshold for label in labels]
        for name, one in (own or {}).items():
            for index in names.indices(name):
                thresholds[index] = one
        return Rules(tuple(thresholds), hysteresis, max_samples)


class Thresholds:
    """The thresholds of a model's labels, which may be changed while trackers use them; for any number of threads."""

    def __init__(self, configured: Sequence[float]) -> None:
        self._configured = np.array(configured)
        self._ordered = np.full(len(configured), np.nan)
        """NaN: nobody did"""
        self.values = self._configured.copy()
        """(n_labels,), as they are now"""

    def change(self, indices: Sequence[int], threshold: float | None) -> None:
        """Give labels another threshold; None: the one that is configured."""
        self._ordered[list(indices)] = np.nan if threshold is None else threshold
        self._settle()

    def configure(self, configured: Sequence[float]) -> None:
        """Configure others; what was changed stays changed."""
        self._configured = np.array(configured)
        self._settle()

    def _settle(self) -> None:
        self.values[:] = np.where(np.isnan(self._ordered), self._configured, self._ordered)


@dataclass(slots=True)
class _Open:
    """A detection that may still grow."""

    onset_sample: int
    offset_sample: int
    confidence: float
    active: bool


class Tracker:
    """Holds the open detections of one recording."""

    def __init__(
        self, labels: Sequence[Label], rules: Rules, recording_id: uuid.UUID, thresholds: Thresholds | None = None
    ) -> None:
        """`thresholds`: in the place of those of the rules, and may change."""
        self._labels, self._rules, self._recording_id = labels, rules, recording_id
        self._thresholds = (thresholds or Thresholds(rules.thresholds)).values
        self._open: dict[int, _Open] = {}

    def update(self, window: Window, scores: Floats) -> list[Detection]:
        """Take the next window and its scores (n_labels,); return the detections that it completes.

        Labels that are neither open nor at their threshold cost nothing: there may be ten thousand of them.
        """
        done: list[Detection] = []
        for index in sorted({*np.flatnonzero(scores >= self._thresholds).tolist(), *self._open}):
            done += self._update_label(index, window, float(scores[index]))
        return done

    def open(self) -> list[Detection]:
        """Those that are not complete, as they are so far, with the ids that they will have in the end."""
        return [self._detection(index, held) for index, held in sorted(self._open.items())]

    def finish(self) -> list[Detection]:
        """The recording has ended: return what was still open."""
        return [self._close(index) for index in sorted(self._open)]

    def _update_label(self, index: int, window: Window, score: float) -> list[Detection]:
        held = self._open.get(index)
        done: list[Detection] = []
        if held is not None and window.start_sample > held.offset_sample:
            done.append(self._close(index))
            held = None
        threshold = float(self._thresholds[index])
        if held is not None and held.active:
            threshold = max(threshold - self._rules.hysteresis, threshold / 2)
        active = score >= threshold
        if held is None:
            if active:
                self._open[index] = _Open(window.start_sample, window.end_sample, score, active=True)
            return done
        held.active = active
        if active and window.end_sample - held.onset_sample > self._rules.max_samples:
            done.append(self._close(index))
            self._open[index] = _Open(held.offset_sample, window.end_sample, score, active=True)
        elif active:
            held.offset_sample = window.end_sample
            held.confidence = max(held.confidence, score)
        return done

    def _close(self, index: int) -> Detection:
        return self._detection(index, self._open.pop(index))

    def _detection(self, index: int, held: _Open) -> Detection:
        label = self._labels[index]
        name = f"{label.label}:{held.onset_sample}"
        return Detection(
            id=str(uuid.uuid5(self._recording_id, name)),
            label=label.label,
            taxon=label.taxon,
            onset_sample=held.onset_sample,
            offset_sample=held.offset_sample,
            confidence=held.confidence,
        )

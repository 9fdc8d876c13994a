"""Scores of overlapping windows -> detections with an onset and an offset.

A label becomes active at its threshold and stays active until its score falls below the threshold less
the hysteresis, or below half the threshold where that is more. Active windows that touch or overlap are
one detection, from the start of the first to the end of the last: the sound lies in there. Everything
counts samples, so a replay gives the same.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.contract import Label
from monitor.errors import ConfigError
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
        own = own or {}
        known = [(label.label, label.scientific_name, label.common_name) for label in labels]
        if strangers := set(own) - {name for names in known for name in names}:
            species = ", ".join(label.scientific_name for label in labels)
            named = ", ".join(sorted(map(repr, strangers)))
            msg = f"detection.thresholds names {named}, which the model does not know; it knows {species}"
            raise ConfigError(msg)
        thresholds = []
        for label, names in zip(labels, known, strict=True):
            found = [own[name] for name in names if name in own]
            thresholds.append(found[0] if found else label.threshold if threshold is None else threshold)
        return Rules(tuple(thresholds), hysteresis, max_samples)


@dataclass(slots=True)
class _Open:
    """A detection that may still grow."""

    onset_sample: int
    offset_sample: int
    confidence: float
    active: bool


class Tracker:
    """Holds the open detections of one recording."""

    def __init__(self, labels: Sequence[Label], rules: Rules, recording_id: uuid.UUID) -> None:
        self._labels, self._rules, self._recording_id = labels, rules, recording_id
        self._open: list[_Open | None] = [None] * len(labels)

    def update(self, window: Window, scores: Floats) -> list[Detection]:
        """Take the next window and its scores (n_labels,); return the detections that it completes."""
        done: list[Detection] = []
        for index, score in enumerate(scores):
            done += self._update_label(index, window, float(score))
        return done

    def finish(self) -> list[Detection]:
        """The recording has ended: return what was still open."""
        done = [self._close(index) for index, held in enumerate(self._open) if held is not None]
        self._open = [None] * len(self._labels)
        return done

    def _update_label(self, index: int, window: Window, score: float) -> list[Detection]:
        held = self._open[index]
        done: list[Detection] = []
        if held is not None and window.start_sample > held.offset_sample:
            done.append(self._close(index))
            held = None
        threshold = self._rules.thresholds[index]
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
        held, label = self._open[index], self._labels[index]
        self._open[index] = None
        assert held is not None  # noqa: S101
        name = f"{label.label}:{held.onset_sample}"
        return Detection(
            id=str(uuid.uuid5(self._recording_id, name)),
            label=label.label,
            taxon=label.taxon,
            onset_sample=held.onset_sample,
            offset_sample=held.offset_sample,
            confidence=held.confidence,
        )

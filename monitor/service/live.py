"""The scores of each window, as they come, for who watches a dashboard."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from monitor.clock import rfc3339
from monitor.contract import Label
from monitor.delivery.publication import Publication
from monitor.features import Floats
from monitor.messages import LiveMessage
from monitor.records import Detection, Gap, Window
from monitor.sinks.origin import Origin


@dataclass(frozen=True, slots=True)
class LiveScores:
    """Publishes the scores at or above a floor, at QoS 0; where there is none, nothing."""

    origin: Origin
    labels: list[Label]
    floor: float
    say: Callable[[Publication], None]
    topic: str

    def heard(self, window: Window, scores: Floats) -> None:
        """Publish what was found in a window; what may not be reported is NaN, and at no floor."""
        found = np.flatnonzero(scores >= self.floor).tolist()
        if not found:
            return
        clock = self.origin.clock
        message = LiveMessage(
            station=self.origin.station,
            recording=self.origin.recording,
            start_utc=rfc3339(clock.at(window.start_sample).utc),
            end_utc=rfc3339(clock.at(window.end_sample).utc),
            start_s=round(clock.seconds(window.start_sample), 3),
            end_s=round(clock.seconds(window.end_sample), 3),
            scores={self.labels[index].label: round(float(scores[index]), 4) for index in found},
            model=self.origin.model,
        )
        self.say(Publication(self.topic, msgspec.json.encode(message)))

    def lost(self, gap: Gap) -> None:
        """Nothing to show."""

    def handle(self, detection: Detection) -> None:
        """The topic `detections` tells of it."""

    def ended(self, end_sample: int) -> None:
        """Nothing more to show."""

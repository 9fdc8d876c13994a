"""What one model's analysis of a stream says of itself while it goes on."""

import logging
from dataclasses import dataclass

from monitor.clock import Clock, rfc3339
from monitor.features import Floats
from monitor.records import Detection, Gap, Window
from monitor.service.progress import Progress
from monitor.service.today import Today

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Notes that analysis advances, and what was detected."""

    progress: Progress
    today: Today
    clock: Clock

    def heard(self, window: Window, scores: Floats) -> None:
        """Audio arrives and inference works."""
        del window, scores
        self.progress.heard()

    def lost(self, gap: Gap) -> None:
        """The microphone may be gone, or nobody wants to listen: both are looked after."""
        self.progress.lost(gap)

    def handle(self, detection: Detection) -> None:
        """Count a detection, and say what it was."""
        onset, name = detection.onset_sample, detection.taxon.common_name
        when = rfc3339(self.clock.at(onset).utc) or f"{self.clock.seconds(onset):.0f} s"
        logger.info("heard %s (%.2f) at %s", name, detection.confidence, when)
        self.today.detected()
        self.progress.detected(f"{name} at {when}")

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""

"""What Home Assistant hears of one stream and one model."""

from collections.abc import Callable, Sequence

from monitor.delivery.homeassistant.assistant import HomeAssistant
from monitor.features import Floats
from monitor.records import Detection, Gap, Window
from monitor.sinks.lifecycle import occurrence
from monitor.sinks.origin import Origin


class Listener:
    """A sink that passes on what is heard, but for what nobody wants to hear now: `muted` says so of a label."""

    def __init__(self, assistant: HomeAssistant, origin: Origin, muted: Callable[[str], bool]) -> None:
        self._assistant, self._origin, self._muted = assistant, origin, muted

    def heard(self, window: Window, scores: Floats) -> None:
        """Time passes."""
        del window, scores
        self._assistant.settle()

    def lost(self, gap: Gap) -> None:
        """Time passes without audio, too."""
        del gap
        self._assistant.settle()

    def lasting(self, detections: Sequence[Detection]) -> None:
        """These are not complete: they are heard now."""
        self._assistant.lasting([one.label for one in detections if not self._muted(one.label)])

    def handle(self, detection: Detection) -> None:
        """One is complete."""
        if not self._muted(detection.label):
            self._assistant.detected(occurrence(self._origin, detection))

    def ended(self, end_sample: int) -> None:
        """Nothing to do: what is on is turned off in its time, or by Home Assistant."""

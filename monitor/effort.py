"""The account of what was heard: windows -> Effort, one a period and one at the end."""

from monitor.records import Effort, Window


class EffortMeter:
    """Counts the samples that windows covered, each once."""

    def __init__(self, period_samples: int) -> None:
        self._period = period_samples
        self._start = self._covered = self._heard = 0

    def heard(self, window: Window) -> Effort | None:
        """Count a window; return the account of the period that it completes, if it does."""
        self._heard += window.end_sample - max(self._covered, window.start_sample)
        self._covered = window.end_sample
        return self._close() if self._covered - self._start >= self._period else None

    def ended(self, end_sample: int) -> Effort | None:
        """The recording ended before `end_sample`; return the account of what is left, if anything."""
        self._covered = max(self._covered, end_sample)
        return self._close() if self._covered > self._start else None

    def _close(self) -> Effort:
        effort = Effort(self._start, self._covered, self._heard)
        self._start, self._heard = self._covered, 0
        return effort

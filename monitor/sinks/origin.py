"""What the records of one recording have in common."""

from dataclasses import dataclass

from monitor.clock import Clock


@dataclass(frozen=True, slots=True)
class Origin:
    """What the records of one recording have in common."""

    station: str
    recording: str
    clock: Clock
    """at the model's rate"""
    model: str

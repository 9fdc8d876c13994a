"""What was found in a stretch, and which of it can stand beside each other in one line."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was found, in seconds from the start of the recording."""

    start_s: float
    end_s: float
    text: str


def lanes(marks: Sequence[Mark], letter_s: float) -> list[list[Mark]]:
    """Marks in as few lines as it takes, by their beginning; a letter of their text is `letter_s` wide."""
    found: list[list[Mark]] = []
    ends: list[float] = []
    for mark in sorted(marks, key=lambda one: (one.start_s, one.end_s)):
        end = max(mark.end_s, mark.start_s + letter_s * (len(mark.text) + 1))
        free = next((index for index, taken in enumerate(ends) if taken <= mark.start_s), None)
        if free is None:
            found.append([mark])
            ends.append(end)
        else:
            found[free].append(mark)
            ends[free] = end
    return found

"""What the page shows, whoever knows it."""

from typing import Literal, Protocol

import msgspec

Asked = Literal["any", "open", "confirmed", "rejected", "other"]
"""which detections: by their verdict; open: those that nobody has judged"""


class Judgement(msgspec.Struct, frozen=True):
    """The verdict that counts."""

    verdict: str
    scientific_name: str
    """what is heard, in the opinion of who judged; empty: nobody could say"""
    who: str
    at_utc: str
    note: str


class Found(msgspec.Struct, frozen=True):
    """A detection on the page."""

    sequence: int
    id: str
    label: str
    scientific_name: str
    common_name: str
    confidence: float
    onset_utc: str | None
    offset_utc: str | None
    onset_s: float
    offset_s: float
    clock_quality: str
    clock_error_s: float | None
    recording: str
    model: str
    verdict: Judgement | None = None
    clip: bool = False
    """whether its sound can be heard"""


class Sheet(msgspec.Struct, frozen=True):
    """Detections, the newest first."""

    detections: list[Found]
    next: int | None
    """older ones are before this sequence number; null: there are none"""


class Hour(msgspec.Struct, frozen=True):
    """An account of effort: heard + lost + paused + withheld is all of it."""

    recording: str
    start_utc: str | None
    end_utc: str | None
    heard_s: float
    lost_s: float
    paused_s: float
    withheld_s: float


class Change(msgspec.Struct, frozen=True):
    """What is new since it was looked last."""

    last: int
    """sequence number to ask after the next time"""
    detections: list[Found]
    """oldest first"""
    judged: list[str]
    """ids of detections on which there is a new verdict"""


class Knowing(Protocol):
    """Somebody who knows. StoreError where it cannot be found out."""

    def sheet(self, before: int | None, limit: int, species: str, asked: Asked) -> Sheet:
        """Detections before a sequence number, of one label or scientific name unless that is empty."""

    def one(self, detection: str) -> Found | None:
        """A detection by its id."""

    def effort(self, hours: int) -> list[Hour]:
        """The last accounts, the newest first."""

    def since(self, last: int | None) -> Change:
        """What came after a sequence number; None: nothing, but where it stands."""

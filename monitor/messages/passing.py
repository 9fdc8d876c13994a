"""What is of use for a moment only: published at QoS 0, and lost where nobody listens."""

import msgspec

from monitor.messages.delivered import SCHEMA


class LiveMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/live, at QoS 0, where asked for: the scores of one window, for dashboards.

    None is sent for a window without a score at the floor.
    """

    schema: int = SCHEMA
    station: str
    recording: str
    start_utc: str | None
    end_utc: str | None
    start_s: float
    end_s: float
    scores: dict[str, float]
    """by label, those at or above the floor"""
    model: str

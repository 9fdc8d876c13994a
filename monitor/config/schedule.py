"""When the station listens."""

from typing import Annotated

import msgspec

from monitor.config.values import Positive

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_SUN = r"(sunrise|sunset)( ?[+-] ?\d{1,3} ?m(in)?)?"
_POINT = f"({_CLOCK}|{_SUN})"
WINDOW = f"^({_CLOCK} ?- ?{_CLOCK}|{_POINT} to {_POINT})$"

Span = Annotated[
    str,
    msgspec.Meta(pattern=WINDOW, description="such as 04:30-09:00, 21:00 to 03:00 or sunrise-60m to sunrise+120m"),
]


class Scheduling(msgspec.Struct, frozen=True):
    """When the station listens: within any of the windows and, of these, while the duty cycle is on."""

    windows: Annotated[list[Span], msgspec.Meta(description="by the clock of place.timezone; empty: always")] = []
    on_s: Annotated[Positive, msgspec.Meta(description="of a duty cycle, which begins at 00:00 UTC")] | None = None
    off_s: Annotated[Positive, msgspec.Meta(description="of a duty cycle")] | None = None

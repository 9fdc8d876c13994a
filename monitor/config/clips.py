"""Which audio is kept. None, unless this section is there."""

from typing import Annotated

import msgspec

Around = Annotated[float, msgspec.Meta(ge=0, le=10)]


class Clips(msgspec.Struct, frozen=True):
    """The audio around detections, as files. What holds speech is never among them."""

    directory: Annotated[str, msgspec.Meta(min_length=1, description="folder; each day has one below it")]
    before_s: Around = 2.0
    after_s: Around = 2.0
    at_most_per_species_and_day: Annotated[int, msgspec.Meta(ge=1)] = 20

"""Which audio is kept, and for how long. None, unless this section is there."""

from typing import Annotated

import msgspec

from monitor.config.values import Share

Around = Annotated[float, msgspec.Meta(ge=0, le=10)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ClipRule(msgspec.Struct, frozen=True):
    """Which detections become clips: those of which all that stands here is true."""

    species: Annotated[list[str], msgspec.Meta(description="scientific or common names, or labels; empty: any")] = []
    above: Annotated[Share, msgspec.Meta(description="least confidence")] = 0.0
    at_most: Annotated[Count, msgspec.Meta(description="clips of a species and day")] | None = None
    first_of_day: Annotated[bool, msgspec.Meta(description="no clip of the species was kept on that day")] = False
    new: Annotated[bool, msgspec.Meta(description="no clip of the species was ever kept at this station")] = False
    rare: (
        Annotated[Count, msgspec.Meta(description="fewer detections than this, it included, in all that is stored")]
        | None
    ) = None

    @property
    def precious(self) -> bool:
        """Whether it is for what nobody wants to miss: no bound of a day keeps that away."""
        return self.new or self.rare is not None


class ClipKeeping(msgspec.Struct, frozen=True):
    """What goes, so that there is room. Null: nothing goes for that reason."""

    days: Annotated[Count, msgspec.Meta(description="older ones go, but for those of unknown time")] | None = None
    megabytes: Annotated[float, msgspec.Meta(gt=0, description="of all clips at most")] | None = None
    free_megabytes: Annotated[float, msgspec.Meta(ge=0, description="of the disk that stay free")] = 100.0
    free_percent: Annotated[float, msgspec.Meta(ge=0, le=90, description="of the disk that stay free")] = 0.0
    per_species: Annotated[Count, msgspec.Meta(description="clips of each at most; the best stay")] | None = None


class Clips(msgspec.Struct, frozen=True):
    """The audio around detections, as files. What holds speech is never among them."""

    directory: Annotated[str, msgspec.Meta(min_length=1, description="folder; each day has one below it")]
    before_s: Around = 2.0
    after_s: Around = 2.0
    pictures: Annotated[bool, msgspec.Meta(description="a spectrogram beside each clip")] = True
    at_most_per_species_and_day: Count = 20
    rules: Annotated[list[ClipRule], msgspec.Meta(description="one of which must fit; empty: all are kept")] = []
    keep: ClipKeeping = ClipKeeping()

"""What counts as speech, where clips are kept."""

from typing import Annotated

import msgspec

from monitor.config.values import Share

Margin = Annotated[float, msgspec.Meta(ge=0, le=30)]


class Privacy(msgspec.Struct, frozen=True):
    """What counts as speech. No clip that holds some is ever written; its detection is."""

    threshold: Annotated[Share, msgspec.Meta(description="of the voice detector; lower withholds more")] = 0.3
    margin_s: Annotated[Margin, msgspec.Meta(description="around speech that counts as speech")] = 1.0

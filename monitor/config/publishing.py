"""What is published besides detections and effort, where somebody asks for it."""

from typing import Annotated

import msgspec

from monitor.config.values import Share


class Live(msgspec.Struct, frozen=True):
    """The scores of each window on the topic `live`, for dashboards."""

    floor: Annotated[Share, msgspec.Meta(description="lower scores are not published")] = 0.1

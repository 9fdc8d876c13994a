"""When a species counts as heard."""

from typing import Annotated

import msgspec

from monitor.config.values import Positive, Share


class Detecting(msgspec.Struct, frozen=True):
    """When a species counts as heard."""

    step_s: Annotated[float, msgspec.Meta(gt=0, le=86_400, description="seconds between the starts of windows")] = 1.0
    threshold: Annotated[Share, msgspec.Meta(description="for all labels; null: the model's own")] | None = None
    thresholds: Annotated[dict[str, Share], msgspec.Meta(description="by label, scientific or common name")] = {}
    hysteresis: Share = 0.1
    max_duration_s: Positive = 60.0

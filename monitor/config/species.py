"""Which species may be reported."""

from typing import Annotated

import msgspec

from monitor.config.values import Share


class Species(msgspec.Struct, frozen=True):
    """Which species may be reported, for models that know more of them than a place has.

    What `include` names and what the list or the geo model says occurs; without any of these, everything. Never what
    `exclude` names.
    """

    include: Annotated[list[str], msgspec.Meta(description="scientific or common names, or labels")] = []
    exclude: Annotated[list[str], msgspec.Meta(description="scientific or common names, or labels")] = []
    list_file: Annotated[str, msgspec.Meta(description="what occurs here, one name a line")] | None = None
    geo_model: Annotated[str, msgspec.Meta(description="ONNX file that says what occurs here")] | None = None
    week: Annotated[int, msgspec.Meta(ge=1, le=48, description="of 48 a year; null: by the clock")] | None = None
    geo_threshold: Annotated[Share, msgspec.Meta(description="of the geo model's scores, from which it occurs")] = 0.03

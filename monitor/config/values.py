"""Kinds of values that several sections share."""

from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
TopicLevel = Annotated[str, msgspec.Meta(pattern=r"^[^+#/\s\x00]{1,64}$", description="letters, no + # / or blanks")]

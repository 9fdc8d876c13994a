"""Where audio comes from."""

from typing import Annotated

import msgspec


class MicrophoneSource(msgspec.Struct, frozen=True, tag_field="kind", tag="microphone"):
    """Listen to a sound card."""

    device: Annotated[str, msgspec.Meta(description="its name or part of it; empty: the default input")] = ""
    sample_rate: Annotated[int, msgspec.Meta(ge=4000, le=768000)] | None = None


class RecordingsSource(msgspec.Struct, frozen=True, tag_field="kind", tag="recordings"):
    """Play recordings as if a microphone heard them, then stop."""

    paths: list[str]
    speed: Annotated[float, msgspec.Meta(gt=0, description="times real time")] | None = None
    timezone: Annotated[str, msgspec.Meta(description="of times in file names that do not say")] | None = None

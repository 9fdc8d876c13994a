"""Where audio comes from."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from monitor.config.values import TopicLevel

Rate = Annotated[int, msgspec.Meta(ge=4000, le=768_000)]
Name = Annotated[TopicLevel, msgspec.Meta(description="of this source in all that is kept and published")]
Channel = Annotated[int, msgspec.Meta(ge=1, le=1024, description="which channel, from 1; mix: all, averaged")]


class Sound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all live sources have in common."""

    name: Name | None = None
    channel: Channel | Literal["mix"] = 1
    gain_db: Annotated[float, msgspec.Meta(ge=-60, le=60)] = 0.0
    high_pass_hz: Annotated[float, msgspec.Meta(ge=10, le=20_000, description="takes off what is below")] | None = None
    buffer_s: Annotated[float, msgspec.Meta(ge=5, le=600, description="audio that may wait for its analysis")] = 30.0


class MicrophoneSource(Sound, frozen=True, tag_field="kind", tag="microphone"):
    """Listen to a sound card."""

    device: Annotated[str, msgspec.Meta(description="as `dawnchorus devices` shows it; empty: the default input")] = ""
    sample_rate: Rate | None = None


class PipeSource(Sound, frozen=True, tag_field="kind", tag="pipe"):
    """Listen to standard input: raw samples of this form, or a WAV, which says its form itself."""

    sample_rate: Rate = 48_000
    encoding: Literal["s16le", "s24le", "s32le", "f32le"] = "s16le"
    channels: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1


class NetworkSource(Sound, frozen=True, tag_field="kind", tag="network", kw_only=True):
    """Listen to what ffmpeg can open: RTSP, HTTP, UDP."""

    url: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9+.-]*://\S+$")]
    sample_rate: Rate = 48_000


class RecordingsSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="recordings"):
    """Play recordings as if a microphone heard them, then stop."""

    paths: list[str]
    speed: Annotated[float, msgspec.Meta(gt=0, description="times real time")] | None = None
    timezone: Annotated[str, msgspec.Meta(description="of times in file names that do not say")] | None = None


LiveSource: TypeAlias = MicrophoneSource | PipeSource | NetworkSource
Source: TypeAlias = LiveSource | RecordingsSource


def source_name(source: LiveSource) -> str:
    """What a live source is called: the same whether it is there or not."""
    if source.name is not None:
        return source.name
    return (source.device if isinstance(source, MicrophoneSource) else "") or str(source.__struct_config__.tag)

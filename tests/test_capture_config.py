"""Sources as they are written into the configuration: one, several, and what does not go together."""

from pathlib import Path

import pytest
from rigs import Broker, Daemon, configure, kept, recordings, song

from monitor.config.reading import parse
from monitor.config.source import LiveSource, MicrophoneSource, NetworkSource, PipeSource, source_name
from monitor.errors import ConfigError
from monitor.sources.live import shared

MOTH = "device: 'usb:16d0:06f3'"


def test_one_source_is_what_is_listened_to_or_several_in_its_place() -> None:
    assert parse("").listening == [MicrophoneSource()]
    assert parse("source: {kind: pipe, encoding: f32le}").listening == [PipeSource(encoding="f32le")]
    several = parse(
        f"sources: [{{kind: microphone, name: canopy, {MOTH}, channel: mix}}, {{kind: network, url: 'rtsp://a'}}]"
    )
    assert several.listening == [
        MicrophoneSource(name="canopy", device="usb:16d0:06f3", channel="mix"),
        NetworkSource(url="rtsp://a"),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sources: [{kind: microphone, devise: x}]", ("sources", "devise")),
        ("sources: [{kind: microphone, channel: 0}]", ("sources[0].channel", ">= 1", "0")),
        ("source: {kind: microphone, channel: left}", ("source.channel", "'left'")),
        ("source: {kind: network}", ("source", "url")),
        ("source: {kind: network, url: garden}", ("source.url", "'garden'")),
        ("source: {kind: pipe, encoding: mp3}", ("source.encoding", "s16le", "'mp3'")),
        ("source: {kind: microphone, name: a/b}", ("source.name", "'a/b'")),
        ("sources: [{kind: microphone}, {kind: microphone}]", ("several are called microphone", "a name of its own")),
        ("source: {kind: pipe}\nsources: [{kind: pipe}]", ("source and sources exclude each other",)),
    ],
)
def test_what_is_not_possible_is_refused_with_its_key_and_value(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    for part in parts:
        assert part in str(caught.value)


def test_a_source_is_called_the_same_whether_it_is_there_or_not() -> None:
    sources: list[LiveSource] = [
        MicrophoneSource(),
        MicrophoneSource(device="port:1-1.2"),
        MicrophoneSource(name="canopy", device="port:1-1.2"),
        PipeSource(),
        NetworkSource(url="rtsp://warden:s3cret@camera/nest"),
    ]
    assert [source_name(s) for s in sources] == ["microphone", "port:1-1.2", "canopy", "pipe", "network"]


def test_what_listens_to_the_same_device_shares_it_and_must_want_the_same_of_it() -> None:
    left, right = (MicrophoneSource(name=str(n), device="pair", channel=n) for n in (1, 2))
    other, pipe, network = MicrophoneSource(), PipeSource(), NetworkSource(url="rtsp://a")
    assert shared([left, other, right, pipe, network, NetworkSource(url="rtsp://a")]) == [
        [left, right],
        [other],
        [pipe],
        [network],
        [network],
    ]
    with pytest.raises(ConfigError, match="sources 1, 3 share microphone: the same sample_rate and encoding expected"):
        shared([left, MicrophoneSource(name="3", device="pair", sample_rate=96_000)])


def test_several_sources_are_heard_at_the_same_time_and_the_daemon_ends_with_the_last(
    broker: Broker, tmp_path: Path
) -> None:
    paths = [song(tmp_path / name) for name in ("first.wav", "second.wav", "third.wav")]
    sources = [recordings(*paths[:2]), recordings(paths[2], speed=4.0)]
    config = configure(tmp_path, {"kind": "microphone"}, broker.port, sources=sources)
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    tables = kept(tmp_path / "store")
    assert sorted(row["recording"] for row in tables["detections"]) == [str(path) for path in paths]
    assert sorted(row["recording"] for row in tables["effort"]) == [str(path) for path in paths]
    assert tables["outbox"] == []


def test_a_source_that_cannot_start_stops_this_start(broker: Broker, tmp_path: Path) -> None:
    sources = [recordings(tmp_path / "nowhere.wav"), {"kind": "microphone"}]
    with Daemon(configure(tmp_path, {"kind": "microphone"}, broker.port, sources=sources)) as daemon:
        assert daemon.ended() == 1
    assert "nowhere.wav: no such file or folder" in daemon.said()

"""The scores of each window on the topic `live`: those at or above the floor, and nothing where nobody asked."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import Broker, Daemon, Subscriber, configure, recordings, song, until

from monitor.classifier import Classifier
from monitor.clock import Quality, SampleClock
from monitor.contract import Calibration, Label
from monitor.delivery.publication import Publication
from monitor.features import Floats
from monitor.messages import LiveMessage
from monitor.records import Window
from monitor.service.live import LiveScores
from monitor.sinks.origin import Origin

RATE = 100
LABELS = [Label(name, f"{name} minor", name, "species", 0.5, Calibration()) for name in ("tit", "jay", "rook")]
ORIGIN = Origin("valley", "mic", SampleClock(RATE, datetime(2026, 5, 1, tzinfo=UTC), Quality.NTP), "starter")


def said(scores: Floats, floor: float) -> list[LiveMessage]:
    """What is published of the scores of a window."""
    publications: list[Publication] = []
    live = LiveScores(ORIGIN, LABELS, floor, publications.append, "dawnchorus/valley/live")
    live.heard(Window(150, 450, np.zeros(300, np.float32)), scores)
    assert all((p.topic, p.qos, p.retain) == ("dawnchorus/valley/live", 0, False) for p in publications)
    return [msgspec.json.decode(p.payload, type=LiveMessage) for p in publications]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    scores=st.lists(st.floats(0, 1, width=32) | st.just(np.nan), min_size=3, max_size=3),
    floor=st.floats(0, 1, width=32),
)
def test_what_is_at_the_floor_is_told_and_what_is_below_or_may_not_be_reported_is_not(
    scores: list[float], floor: float
) -> None:
    messages = said(np.array(scores, np.float32), floor)
    expected = {label.label: round(one, 4) for label, one in zip(LABELS, scores, strict=True) if one >= floor}
    assert [message.scores for message in messages] == ([expected] if expected else [])


def test_a_window_is_named_by_its_time_in_the_recording_and_in_the_world() -> None:
    (message,) = said(np.array([0.25, 0.0, 0.5], np.float32), 0.2)
    assert (message.start_s, message.end_s) == (1.5, 4.5)
    assert (message.start_utc, message.end_utc) == ("2026-05-01T00:00:01.500Z", "2026-05-01T00:00:04.500Z")
    assert message.scores == {"tit": 0.25, "rook": 0.5}


@pytest.mark.parametrize("asked", [True, False])
def test_a_dashboard_is_shown_the_song_window_by_window_if_it_is_asked_for(
    asked: bool,  # noqa: FBT001
    broker: Broker,
    subscriber: Subscriber,
    tmp_path: Path,
) -> None:
    mqtt = {"host": "127.0.0.1", "port": broker.port} | ({"live": {"floor": 0.5}} if asked else {})
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav", 3, 11), speed=4.0), broker.port, mqtt=mqtt)
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    until(lambda: subscriber.states()[-1:] == ["offline"], "the last word")
    live = [m for m in subscriber.received() if m.level == "live"]
    if not asked:
        assert live == []
        return
    messages = [msgspec.json.decode(m.payload, type=LiveMessage) for m in live]
    window_s = Classifier().contract.window_s
    assert messages, "the great tit sings from 1.0 to 5.5 s"
    assert all(message.end_s > 1.0 and message.start_s < 5.5 for message in messages)
    assert all(message.end_s - message.start_s == window_s for message in messages)
    assert all(0.5 <= score <= 1 for message in messages for score in message.scores.values())
    assert len({message.start_s for message in messages}) == len(messages)

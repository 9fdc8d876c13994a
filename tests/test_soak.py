"""Faults strewn over a soundscape, heard by the real model: each sample is accounted for, nothing else changes."""

import os
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rigs import Broker, Subscriber, configure, kept, until
from test_clock_live import NOON, UPTIME_S, World
from test_keeping import adds_up
from test_store import opened

from monitor import pipeline
from monitor.classifier import Classifier
from monitor.clock import Quality, minute_after
from monitor.clock.kernel import Kernel
from monitor.clock.live import LiveClock, timed
from monitor.clock.timeline import Timeline
from monitor.config.place import Place
from monitor.config.reading import load
from monitor.config.schedule import Scheduling
from monitor.effort import Minutes
from monitor.features import Floats
from monitor.recogniser import recognisers
from monitor.records import Block, Cause, Detection, Gap, Samples, Window
from monitor.schedule import Schedule, scheduled
from monitor.service.session import Session
from monitor.sinks.keeping import StoreSink
from monitor.sinks.origin import Origin
from monitor.soundscape import SOUNDSCAPE_S, soundscape
from monitor.sources import Stream
from monitor.sources.feed import Frames
from monitor.sources.hearing import Hearing, heard
from monitor.sources.ring import Ring
from monitor.tracker import Rules, Tracker

RATE = 48_000
TIMES = int(os.environ.get("SOAK_TIMES", "5"))
"""how often the half minute is heard; 120 make an hour, and take some ten minutes"""
SPEED = float(os.environ.get("SOAK_SPEED", "50"))
"""times real time, where audio is paced; SOAK_TIMES=120 SOAK_SPEED=20 is an hour in three minutes"""
LENGTH_S = round(TIMES * SOUNDSCAPE_S)
DRIFT, LATE_S = 60e-6, 0.004
FAULTS = (Cause.DEVICE, Cause.OVERRUN, Cause.OVERLOAD, None)
"""None: audio goes on later without a word"""

Fault = tuple[int, int, Cause | None]
"""from one second to another"""


class _Notebook:
    """What the analysis said."""

    def __init__(self) -> None:
        self.windows: list[tuple[int, int]] = []
        self.detections: list[Detection] = []

    def heard(self, window: Window, scores: Floats) -> None:
        del scores
        self.windows.append((window.start_sample, window.end_sample))

    def lost(self, gap: Gap) -> None:
        """Nothing to do."""

    def handle(self, detection: Detection) -> None:
        self.detections.append(detection)

    def ended(self, end_sample: int) -> None:
        """Nothing to do."""


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Two and a half minutes in which a great tit sings fifteen times, shape (n,)."""
    return np.tile(soundscape(RATE), TIMES)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The bundled model."""
    return Classifier()


def faults(seed: int) -> list[Fault]:
    """Some faults of whole seconds, so that windows begin at the same samples; far enough apart to hear between."""
    rng, found, second = np.random.default_rng(seed), list[Fault](), 0
    while (second := second + int(rng.integers(5, 35))) < LENGTH_S - 12:
        end = second + int(rng.integers(1, 9))
        found.append((second, end, FAULTS[rng.integers(len(FAULTS))]))
        second = end
    return found


def stream(samples: Samples, faults: Sequence[Fault], seed: int) -> list[Block | Gap]:
    """Blocks as a drifting sound card gives them, each seen a little late, with faults in their places."""
    rng, pieces, second = np.random.default_rng(seed), list[Block | Gap](), 0
    for begin, end, cause in [*faults, (LENGTH_S, LENGTH_S, None)]:
        position = second * RATE
        while position < begin * RATE:
            stop = min(position + int(rng.integers(500, 9000)), begin * RATE)
            captured = UPTIME_S + stop / RATE * (1 + DRIFT) + float(rng.exponential(LATE_S))
            pieces.append(Block(position, samples[position:stop], captured))
            position = stop
        for piece in range(begin, end) if cause else ():
            pieces.append(Gap(piece * RATE, (piece + 1) * RATE, cause or Cause.UNKNOWN))
        second = end
    return pieces


def analysed(
    pieces: Sequence[Block | Gap], classifier: Classifier, folder: Path, schedule: Scheduling | None = None
) -> _Notebook:
    """Through all stages into a store, as the daemon does it."""
    world, timeline, contract = World(), Timeline(UPTIME_S), classifier.contract
    world.kernel = Kernel(synchronised=True, error_s=0.01)
    clock, source_clock = (LiveClock(rate, timeline, world.station()) for rate in (contract.sample_rate, RATE))
    minutes = Minutes(RATE, partial(minute_after, source_clock))
    plan = Schedule.of(schedule or Scheduling(), Place(), UTC)
    audio = minutes.watched(scheduled(timed(pieces, RATE, timeline), source_clock, plan))
    notebook, store = _Notebook(), opened(folder)
    sinks: list[pipeline.Sink] = [StoreSink(store, Origin("valley", "mic", clock, contract.name), minutes), notebook]
    rules = Rules.of(contract.labels, max_samples=60 * contract.sample_rate)
    tracker = Tracker(contract.labels, rules, uuid.UUID(int=1))
    pipeline.run(audio, RATE, [pipeline.Chain(classifier, tracker, contract.sample_rate, sinks)])
    store.close()
    return notebook


@pytest.fixture(scope="module")
def undisturbed(samples: Samples, classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> _Notebook:
    """The same without a fault."""
    return analysed(stream(samples, [], 0), classifier, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("seed", [1, 2])
def test_through_random_faults_the_ledger_is_exact_and_all_else_is_as_if_there_were_none(
    seed: int, samples: Samples, classifier: Classifier, undisturbed: _Notebook, tmp_path: Path
) -> None:
    strewn, rate = faults(seed), classifier.contract.sample_rate
    notebook = analysed(stream(samples, strewn, seed), classifier, tmp_path)

    minutes = kept(tmp_path)["minutes"]
    assert adds_up(minutes) == LENGTH_S * rate
    for cause in ("device", "overrun", "overload", "unknown"):
        named = sum(end - begin for begin, end, why in strewn if (why or "unknown") == cause)
        assert sum(row[f"lost_{cause}"] for row in minutes) == named * rate
    assert sum(row["elapsed"] for row in minutes[1:-1]) == pytest.approx(60 * rate * (len(minutes) - 2), abs=2 * rate)

    holes = [(begin * rate, end * rate) for begin, end, _ in strewn]
    assert not [w for w in notebook.windows for begin, end in holes if w[0] < end and begin < w[1]]

    def apart(detection: Detection) -> bool:
        margin = 2 * classifier.contract.window_samples
        return not [1 for a, b in holes if detection.onset_sample - margin < b and a < detection.offset_sample + margin]

    expected = [d for d in undisturbed.detections if apart(d)]
    found = [d for d in notebook.detections if apart(d)]
    assert len(expected) >= 3
    assert [(d.id, d.onset_sample, d.offset_sample) for d in found] == [
        (d.id, d.onset_sample, d.offset_sample) for d in expected
    ]
    assert [d.confidence for d in found] == pytest.approx([d.confidence for d in expected], abs=0.01)


def test_a_duty_cycle_leaves_the_detections_of_its_minutes_and_the_ledger_says_what_was_paused(
    samples: Samples, classifier: Classifier, undisturbed: _Notebook, tmp_path: Path
) -> None:
    notebook = analysed(stream(samples, [], 4), classifier, tmp_path, Scheduling(on_s=60, off_s=30))
    rate = classifier.contract.sample_rate
    minutes = kept(tmp_path)["minutes"]
    assert adds_up(minutes) == pytest.approx(LENGTH_S * rate, abs=1)  # pauses begin between two samples of the model
    # the card's samples are late by its drift, so pauses begin a few of them early
    assert sum(row["paused"] for row in minutes) == pytest.approx(30 * rate, abs=0.05 * rate)
    assert sum(row["lost_unknown"] for row in minutes) == 0
    ends = [d.offset_sample / rate for d in notebook.detections]
    assert not [end for end in ends if 63 < end < 89]
    assert 8 <= len(ends) < len(undisturbed.detections)


def test_each_detection_is_right_to_what_its_error_says(
    samples: Samples, classifier: Classifier, tmp_path: Path
) -> None:
    analysed(stream(samples, [], 5), classifier, tmp_path)
    rows = kept(tmp_path)["detections"]
    assert len(rows) >= 10
    assert {row["clock_quality"] for row in rows} == {Quality.NTP}
    for row in rows:
        late_s = datetime.fromisoformat(row["onset_utc"]).timestamp() - NOON - row["onset_s"] * (1 + DRIFT)
        assert abs(late_s) <= row["clock_error_s"] < 0.1


def captured(pieces: Sequence[Block | Gap], ring: Ring) -> None:
    """Put audio into a ring at its pace, as a capture does, whoever takes it from there."""
    began = time.monotonic()
    for piece in pieces:
        time.sleep(max(0.0, began + piece.end_sample / RATE / SPEED - time.monotonic()))
        if isinstance(piece, Block):
            ring.put(Frames(piece.start_sample, piece.samples[:, None], piece.captured or 0.0))
        else:
            ring.put(piece)
    ring.close()


def listened(session: Session, pieces: Sequence[Block | Gap]) -> None:
    """A microphone that gives these, through all that lies between it and the broker."""
    ring = Ring(RATE, held_s=600.0)  # what is given up when analysis cannot keep up is not the matter here
    stream = Stream(
        id=uuid.UUID(int=1),
        name="mic",
        sample_rate=RATE,
        start=None,
        quality=Quality.UNSYNCED,
        blocks=heard(ring.pieces(session.stop), RATE, Hearing(0), "mic"),
        began=UPTIME_S,
    )
    capture = threading.Thread(target=captured, args=(pieces, ring))
    capture.start()
    session.publisher.start()
    session.analyse(stream, session.row())
    capture.join()
    session.close()


def published(subscriber: Subscriber, level: str) -> list[dict[str, Any]]:
    """What a subscriber was sent there."""
    return [message.content for message in subscriber.received() if message.level == level]


def test_what_a_microphone_gives_at_its_pace_through_random_faults_is_delivered_and_accounted_for(
    samples: Samples,
    classifier: Classifier,
    undisturbed: _Notebook,
    tmp_path: Path,
    broker: Broker,
    subscriber: Subscriber,
) -> None:
    strewn = faults(3)
    mqtt = {"host": "127.0.0.1", "port": broker.port, "live": {"floor": 0.0}}
    config = load(configure(tmp_path, {"kind": "pipe"}, broker.port, mqtt=mqtt, clock={"gpsd_host": None}))
    found = recognisers([classifier], config.detection, config.species, config.place)
    listened(Session(config, found, threading.Event()), stream(samples, strewn, 3))
    until(lambda: "offline" in subscriber.states(), "the station's last word")

    minutes, rate = kept(tmp_path / "store")["minutes"], classifier.contract.sample_rate
    assert adds_up(minutes) == LENGTH_S * rate
    told = published(subscriber, "effort")
    assert sum(one["end_s"] - one["start_s"] for one in told) == pytest.approx(LENGTH_S)
    for cause in ("device", "overrun", "overload", "unknown"):
        named_s = sum(end - begin for begin, end, why in strewn if (why or "unknown") == cause)
        assert sum(row[f"lost_{cause}"] for row in minutes) == named_s * rate
        assert sum(one[f"lost_{cause}_s"] for one in told) == pytest.approx(named_s)

    windows = [(one["start_s"], one["end_s"]) for one in published(subscriber, "live")]
    assert len(windows) > LENGTH_S / 3
    assert not [one for one in windows for begin, end, _ in strewn if one[0] < end and begin < one[1]]

    delivered = [one for m in subscriber.received() if "sequence" in (one := m.content)]
    assert [one["sequence"] for one in delivered] == list(range(1, len(delivered) + 1))
    margin_s = 2 * classifier.contract.window_s

    def apart(onset_s: float, offset_s: float) -> bool:
        return not [1 for begin, end, _ in strewn if onset_s - margin_s < end and begin < offset_s + margin_s]

    detections = [(one["onset_s"], one["offset_s"]) for one in published(subscriber, "detections")]
    expected = [(one.onset_sample / rate, one.offset_sample / rate) for one in undisturbed.detections]
    assert [one for one in detections if apart(*one)] == [one for one in expected if apart(*one)]
    assert [one for one in expected if apart(*one)]

"""Sounds without a name on the station: what is kept, what never is, and that the rare survives a flood."""

import json
import logging
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import Broker, Daemon, configure, kept, recordings, run, until
from standins import write_small
from strange import RATE, buzz, calm, clicks, placed, whistle, write
from voice import voice

from monitor.classifier import Classifier
from monitor.clock import Quality, SampleClock
from monitor.errors import StoreError
from monitor.features import Floats
from monitor.privacy import Silero, VoiceGate
from monitor.records import Block, Samples
from monitor.sinks.origin import Origin
from monitor.sinks.unknown import keeper as keeping
from monitor.sinks.unknown.keeper import MOST_AT_ONCE, Fate, Keeper
from monitor.sinks.unknown.reservoir import Reservoir
from monitor.sinks.unknown.shelf import ASIDE, FILE, Network, Shelf, Unknown, read_flac, read_unknowns
from monitor.sinks.unknown.sink import UNLIKE, UnknownSink
from monitor.windows import windows

START = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)
HERE = Network("0123456789abcdef", "here", RATE)
ORIGIN = Origin("valley", "canopy", SampleClock(RATE, START, Quality.NTP), "here")


@pytest.fixture(scope="module")
def starter() -> Classifier:
    """The bundled model."""
    return Classifier()


def vector(seed: int, values: int = 16) -> Floats:
    """A direction."""
    return np.random.default_rng(seed).normal(size=values).astype(np.float32)


def sound(seed: int, flac_bytes: int = 20_000, *, near: int | None = None) -> Unknown:
    """One that is like nothing, or like another."""
    own = vector(seed) if near is None else vector(near) + 0.05 * vector(seed)
    flac = np.random.default_rng(seed).bytes(flac_bytes)
    return Unknown("valley", "canopy", "2026-05-01T04:12:00.000Z", 0.0, 20.0, "parus_major", 0.1, own, flac)


# the reservoir


@settings(max_examples=60, deadline=None)
@given(
    rare=st.integers(1, 5),
    flood=st.integers(20, 120),
    room=st.integers(8, 20),
    when=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_what_is_rare_survives_a_flood_of_something_common_within_the_budget(
    rare: int, flood: int, room: int, when: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    axes = np.eye(8, dtype=np.float32)
    common = [axes[0] + 0.05 * rng.normal(size=8).astype(np.float32) for _ in range(flood)]
    arriving = [(False, one) for one in common]
    for number in range(rare):
        arriving.insert(round(when * len(arriving)), (True, axes[number + 1]))
    reservoir, left, counts = Reservoir(room * 100), set[int](), dict.fromkeys(range(len(arriving)), 1)
    for key, (_, one) in enumerate(arriving):
        left.add(key)
        for gone in reservoir.add(key, one, 100):
            left.remove(gone.key)
            counts[gone.heir] += counts.pop(gone.key)
        assert reservoir.size <= room * 100
    assert {key for key, (is_rare, _) in enumerate(arriving) if is_rare} <= left
    assert sum(counts.values()) == len(arriving), "each says how many it stands for"
    assert all(counts[key] == 1 for key in left if arriving[key][0]), "and nothing stands for what is unlike it"


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 40), room=st.integers(1, 20), seed=st.integers(0, 1000))
def test_a_reservoir_that_is_filled_again_goes_on_as_if_it_had_never_ended(count: int, room: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count + 1, 6)).astype(np.float16).astype(np.float32)
    lasting, left = Reservoir(room), list[int]()
    for key in range(count):
        left.append(key)
        gone = {one.key for one in lasting.add(key, vectors[key], 1)}
        left = [one for one in left if one not in gone]
    again = Reservoir(room)
    assert again.fill(left, [vectors[key] for key in left], [1] * len(left)) == []
    assert again.add(count, vectors[count], 1) == lasting.add(count, vectors[count], 1)


def test_of_two_that_are_alike_the_earlier_stays_so_that_a_common_sound_is_not_written_again() -> None:
    reservoir = Reservoir(2)
    assert reservoir.add(1, vector(1), 1) == []
    assert reservoir.add(2, vector(2), 1) == []
    (gone,) = reservoir.add(3, vector(1) * 3, 1)
    assert (gone.key, gone.heir) == (3, 1)


def test_a_vector_of_nothing_is_kept_as_any_other() -> None:
    reservoir = Reservoir(10)
    reservoir.add(1, np.zeros(4, np.float32), 1)
    reservoir.add(2, np.ones(4, np.float32), 1)
    assert len(reservoir) == 2


# the file


def test_the_file_stays_within_its_megabytes_and_each_sound_says_how_many_it_stands_for(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, HERE, megabytes=1)
    shelf.add([sound(1), sound(2)])
    for batch in range(20):
        shelf.add([sound(100 + 12 * batch + one, near=9) for one in range(12)])
    shelf.close()
    there = [one for _, one in read_unknowns(tmp_path / FILE)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1e6
    assert len(there) > 20
    assert sum(one.stands_for for one in there) == 242
    for rare in (1, 2):
        assert any(np.allclose(one.vector, vector(rare), atol=1e-2) for one in there)


def test_what_was_kept_is_still_there_after_a_restart_and_its_sound_is_the_same(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, HERE, 10)
    shelf.add([sound(1), sound(2)])
    shelf.close()
    again = Shelf(tmp_path, HERE, 10)
    assert again.load() == 2
    again.add([sound(3)])
    again.close()
    keys = [key for key, _ in read_unknowns(tmp_path / FILE)]
    assert [read_flac(tmp_path / FILE, key) for key in keys] == [sound(seed).flac for seed in (1, 2, 3)]


def test_a_smaller_budget_makes_the_file_smaller(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, HERE, 4)
    for seed in range(120):
        shelf.add([sound(seed)])
    shelf.close()
    assert (tmp_path / FILE).stat().st_size > 2e6
    again = Shelf(tmp_path, HERE, 1)
    again.load()
    again.close()
    assert (tmp_path / FILE).stat().st_size <= 1e6
    assert sum(one.stands_for for _, one in read_unknowns(tmp_path / FILE)) == 120


def test_another_network_begins_anew_and_says_so_and_what_was_kept_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path, HERE, 10)
    shelf.add([sound(1)])
    shelf.close()
    with caplog.at_level(logging.WARNING):
        other = Shelf(tmp_path, replace(HERE, id="fedcba9876543210", name="there"), 10)
    assert other.load() == 0
    other.close()
    assert "was kept with the model here (0123456789abcdef), now it is there (fedcba9876543210)" in caplog.text
    assert len(list(read_unknowns(tmp_path / ASIDE))) == 1


def test_a_damaged_file_is_set_aside_and_the_station_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, " * 500)
    with caplog.at_level(logging.WARNING):
        shelf = Shelf(tmp_path, HERE, 10)
    shelf.add([sound(1)])
    shelf.close()
    assert "not a database" in caplog.text
    assert (tmp_path / ASIDE).read_bytes().startswith(b"no database at all")
    assert len(list(read_unknowns(tmp_path / FILE))) == 1


def test_a_folder_that_cannot_be_made_is_told_of_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"sounds without a name, .*unknown\.sqlite: (Not a directory|File exists)"):
        Shelf(tmp_path / "file", HERE, 10)


# from the stream into the file


class Feed:
    """One stream through sink and keeper, with scores that a test chooses."""

    def __init__(self, folder: Path, starter: Classifier, score: float = 0.0, *, open_gate: bool = False) -> None:
        gate = VoiceGate(Silero(), 1.0 if open_gate else 0.3, 0.5)
        self.now_s, self.withheld = 0.0, list[tuple[int, int]]()
        self.path = folder / FILE
        network = Network(starter.fingerprint(), "starter", RATE)
        self.keeper = Keeper(Shelf(folder, network, 10), network, starter.describe, gate, lambda: self.now_s)
        self.sink = UnknownSink(self.keeper, ORIGIN, starter.contract, lambda *span: self.withheld.append(span))
        self.scores = np.full(len(starter.contract.labels), score, np.float32)

    def hear(self, samples: Samples) -> None:
        """As fast as the keeper can follow."""
        for window in windows([Block(0, samples)], 2 * RATE, RATE):
            self.sink.heard(window, self.scores)
            self.keeper.flush(30)

    def end(self) -> list[Unknown]:
        """What was kept."""
        self.sink.ended(0)
        self.keeper.close()
        return [one for _, one in read_unknowns(self.path)]


def candidate(number: int) -> keeping.Candidate:
    """A buzz, of whose surroundings little has to be judged."""
    samples = placed([buzz(number)], 0.2, 2, number)
    return keeping.Candidate(
        "valley", "canopy", None, 20.0 * number, 20.0, "parus_major", 0.1, samples, samples[: RATE // 2], lambda: None
    )


def test_a_loud_sound_unlike_any_label_is_kept_with_its_time_and_its_vector(
    tmp_path: Path, starter: Classifier
) -> None:
    feed = Feed(tmp_path, starter)
    samples = placed([buzz()], 45, 70)
    feed.hear(samples)
    (one,) = feed.end()
    assert one.start_utc == "2026-05-01T04:12:45.000Z"
    assert (one.source, one.stands_for, one.start_s) == ("canopy", 1, 45.0)
    assert one.standing_db > 20
    expected = starter.describe(samples[45 * RATE : 47 * RATE])
    np.testing.assert_allclose(one.vector, expected, atol=0.02)
    flac = tmp_path / "one.flac"
    flac.write_bytes(read_flac(feed.path, 1))
    heard, rate = soundfile.read(flac, dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(heard, samples[45 * RATE : 47 * RATE], atol=1 / 32_768)


def test_of_twenty_seconds_no_more_than_one_window_is_kept(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter)
    feed.hear(placed([calm(30), *[make(seed) for seed in range(4) for make in (buzz, whistle, clicks)]], 4, 60))
    assert 1 <= len(feed.end()) <= 3


def test_what_a_label_may_be_is_not_kept(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter, score=UNLIKE)
    feed.hear(placed([buzz()], 45, 70))
    assert feed.end() == []


def test_labels_that_may_not_be_reported_here_are_no_names(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter, score=float("nan"))
    feed.hear(placed([buzz()], 45, 70))
    assert len(feed.end()) == 1


def test_what_does_not_stand_out_is_not_kept_and_nothing_is_written(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter)
    before = feed.path.stat().st_mtime_ns
    feed.hear(calm(90))
    written = feed.path.stat().st_mtime_ns
    assert feed.end() == []
    assert written == before


def test_rain_that_lasts_becomes_the_floor(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter)
    feed.hear(np.concatenate([calm(60), calm(200, 2, level=0.05)]))
    kept_from_rain = feed.end()
    assert all(60 <= one.start_s < 180 for one in kept_from_rain), "at its beginning it stands out"


def test_nothing_of_a_voice_touches_the_disk_and_the_account_is_told(tmp_path: Path, starter: Classifier) -> None:
    samples = calm(75)
    words = voice(RATE, 2.0)
    samples[45 * RATE : 45 * RATE + len(words)] += words
    feed = Feed(tmp_path, starter)
    feed.hear(samples)
    assert feed.end() == []
    assert feed.keeper.fates[Fate.WITHHELD] == 1
    ((start, end),) = feed.withheld
    assert start < 47 * RATE
    assert end > 45 * RATE
    unguarded = Feed(tmp_path / "unguarded", starter, open_gate=True)
    unguarded.hear(samples)
    assert len(unguarded.end()) == 1, "it was the gate that withheld it"


def test_a_voice_beside_a_sound_keeps_it_from_the_disk_too(tmp_path: Path, starter: Classifier) -> None:
    samples = placed([buzz()], 45, 75)
    words = 0.3 * voice(RATE, 1.0)
    samples[round(47.1 * RATE) : round(47.1 * RATE) + len(words)] += words
    feed = Feed(tmp_path, starter)
    feed.hear(samples)
    assert [one for one in feed.end() if 43 < one.start_s < 48] == []
    assert feed.keeper.fates[Fate.WITHHELD] >= 1


def test_no_more_than_a_dozen_are_written_in_ten_minutes(
    tmp_path: Path, starter: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[Unknown]] = []
    feed = Feed(tmp_path, starter, open_gate=True)
    add = feed.keeper._shelf.add
    monkeypatch.setattr(feed.keeper._shelf, "add", lambda sounds: (batches.append(list(sounds)), add(sounds))[1])
    for number in range(MOST_AT_ONCE + 6):
        feed.keeper.offer(candidate(number))
        assert feed.keeper.flush(30)
    assert batches == []
    feed.now_s = keeping.WRITE_S
    feed.keeper.offer(candidate(99))
    until(lambda: batches, "ten minutes have passed")
    assert len(batches[0]) == MOST_AT_ONCE
    assert sum(one.stands_for for one in feed.end()) == MOST_AT_ONCE + 7


def test_a_disk_that_refuses_for_a_while_costs_nothing(
    tmp_path: Path, starter: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(tmp_path, starter)
    with closing(sqlite3.connect(feed.path, timeout=0)) as other:
        feed.keeper._shelf._connection.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN EXCLUSIVE")
        feed.now_s = keeping.WRITE_S
        feed.hear(placed([buzz()], 45, 70))
        until(lambda: "database is locked" in caplog.text, "the keeper is refused")
    (one,) = feed.end()
    assert one.start_s == 45.0


def test_a_keeper_that_cannot_follow_drops_and_counts_and_nothing_waits(tmp_path: Path, starter: Classifier) -> None:
    feed = Feed(tmp_path, starter, open_gate=True)
    released = threading.Event()
    feed.keeper._describe = lambda _samples: (released.wait(30), vector(1))[1]
    for number in range(keeping.QUEUED + 3):
        feed.keeper.offer(candidate(number))
    assert feed.keeper.fates[Fate.DROPPED] >= 1
    released.set()
    assert sum(one.stands_for for one in feed.end()) + feed.keeper.fates[Fate.DROPPED] == keeping.QUEUED + 3


# the station


def test_a_station_keeps_what_it_has_no_name_for_and_find_looks_there(tmp_path: Path, broker: Broker) -> None:
    played = write(tmp_path / "day.wav", placed([buzz(1), whistle(1)], 40, 100))
    unknown = {"directory": str(tmp_path / "kept"), "megabytes": 5}
    config = configure(tmp_path, recordings(played), broker.port, unknown=unknown)
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    first, second = [one for _, one in read_unknowns(tmp_path / "kept" / FILE)]
    assert (round(first.start_s / 10), round(second.start_s / 10)) == (4, 8)
    assert kept(tmp_path / "store")["detections"] == []
    example = write(tmp_path / "example.wav", placed([buzz(7)], 0.2, 2))
    found = run("find", example, "--config", config, "--json")
    assert found.returncode == 0, found.stderr
    matches = json.loads(found.stdout)
    assert [round(one["start_s"] / 10) for one in matches] == [4, 8], "the buzz before the whistle"


def test_a_model_without_vectors_is_refused_at_the_start(tmp_path: Path) -> None:
    model = write_small(tmp_path / "small.onnx")
    clip = write(tmp_path / "clip.wav", calm(5))
    unknown = {"directory": str(tmp_path / "kept")}
    config = configure(tmp_path, recordings(clip), 1, unknown=unknown, model=str(model.with_suffix(".onnx")))
    refused = run("run", "--config", config)
    assert refused.returncode == 1
    assert "gives no embedding; its outputs are logits" in refused.stderr
    assert not (tmp_path / "kept").exists()

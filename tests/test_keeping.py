"""A recording on its way into the store: detections, minutes and hours, with a clock that may be corrected."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from rigs import kept
from test_clock_live import NOON, UPTIME_S, World
from test_store import TIT, consistent, opened

from monitor.clock import Clock, Quality, SampleClock, minute_after
from monitor.clock.kernel import Kernel
from monitor.clock.live import LiveClock
from monitor.clock.timeline import Timeline
from monitor.effort import Minutes
from monitor.messages import EffortMessage
from monitor.records import Block, Cause, Detection, Gap, Window
from monitor.sinks.keeping import StoreSink
from monitor.sinks.origin import Origin

RATE = 1000
SCORES = np.zeros(1, np.float32)
START = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
LOST = ("lost_device", "lost_overrun", "lost_overload", "lost_damaged", "lost_unknown")


class Line:
    """A stream on its way into a store, analysed by a model that hears every second of audio at once."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.store = folder, opened(folder)
        self._minutes = Minutes(RATE, partial(minute_after, clock))
        self.sink = StoreSink(self.store, Origin("valley", "mic", clock, "starter"), self._minutes)
        self._position = 0

    def heard(self, seconds: float) -> None:
        """So much audio."""
        self._pass(Block(self._position, np.full(round(seconds * RATE), 0.01, np.float32)))

    def lost(self, seconds: float, cause: Cause) -> None:
        """So long a gap."""
        self._pass(Gap(self._position, self._position + round(seconds * RATE), cause))

    def detected(self, onset_s: float) -> None:
        """Three seconds of great tit."""
        onset = round(onset_s * RATE)
        self.sink.handle(Detection(f"id-{onset_s:g}", "parus_major", TIT, onset, onset + 3 * RATE, 0.9))

    def ended(self) -> None:
        """No more."""
        self.sink.ended(self._position)
        self.store.close()

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """What is on the disk now."""
        return kept(self.folder)

    def _pass(self, piece: Block | Gap) -> None:
        for part in self._minutes.watched([piece]):
            if isinstance(part, Gap):
                self.sink.lost(part)
            else:
                for start in range(part.start_sample, part.end_sample, RATE):
                    end = min(start + RATE, part.end_sample)
                    self.sink.heard(Window(start, end, np.zeros(0, np.float32)), SCORES)
        self._position = piece.end_sample


def adds_up(minutes: Iterable[dict[str, Any]]) -> int:
    """Samples of all minutes; the test fails where one does not add up."""
    total = 0
    for row in minutes:
        assert row["heard"] + row["paused"] + row["withheld"] + sum(row[name] for name in LOST) == row["elapsed"]
        total += row["elapsed"]
    return total


def recorded(folder: Path, start: datetime | None = START) -> Line:
    """A line from a recording."""
    return Line(folder, SampleClock(RATE, start, Quality.RECORDER if start else Quality.UNKNOWN))


def test_an_hour_of_utc_is_one_message_and_the_rest_another(tmp_path: Path) -> None:
    line = recorded(tmp_path)
    line.heard(1000)
    line.lost(200, Cause.DEVICE)
    line.lost(300, Cause.SCHEDULE)
    line.heard(1500.5)
    line.ended()
    tables = line.tables()
    consistent(tables)
    first, second = tables["effort"]
    assert (first["start_utc"], first["end_utc"]) == ("2026-05-01T12:30:00.000Z", "2026-05-01T13:00:00.000Z")
    assert (second["start_utc"], second["end_utc"]) == ("2026-05-01T13:00:00.000Z", "2026-05-01T13:20:00.500Z")
    assert {k: first[k] for k in ("heard_s", "lost_s", "lost_device_s", "paused_s", "withheld_s")} == {
        "heard_s": 1300.0,
        "lost_s": 200.0,
        "lost_device_s": 200.0,
        "paused_s": 300.0,
        "withheld_s": 0.0,
    }
    assert (second["heard_s"], second["lost_s"], second["start_s"], second["end_s"]) == (1200.5, 0.0, 1800.0, 3000.5)
    assert adds_up(tables["minutes"]) == round(3000.5 * RATE)
    assert len(tables["minutes"]) == 51
    assert tables["minutes"][17]["start_utc"] == "2026-05-01T12:47:00.000Z"
    assert first["noise_dbfs"].keys() == {"31.5", "63", "125", "250"}
    sent = msgspec.json.decode(tables["outbox"][0]["payload"], type=EffortMessage)
    assert sent.noise_dbfs == first["noise_dbfs"]


def test_an_account_that_has_just_begun_when_the_hour_ends_goes_on_into_the_next(tmp_path: Path) -> None:
    line = recorded(tmp_path, START + timedelta(minutes=25))
    line.heard(1200)
    line.ended()
    (effort,) = line.tables()["effort"]
    assert (effort["start_utc"], effort["heard_s"]) == ("2026-05-01T12:55:00.000Z", 1200.0)


def test_of_a_recording_of_unknown_time_there_is_a_message_every_hour_of_it(tmp_path: Path) -> None:
    line = recorded(tmp_path, None)
    for _ in range(8):
        line.lost(1000, Cause.DAMAGED)
    line.ended()
    tables = line.tables()
    assert [(row["start_s"], row["end_s"]) for row in tables["effort"]] == [(0, 3600), (3600, 7200), (7200, 8000)]
    assert all(row["start_utc"] is None and row["lost_damaged_s"] == row["lost_s"] for row in tables["effort"])


def test_a_day_long_outage_is_published_hour_by_hour_while_it_lasts(tmp_path: Path) -> None:
    line = recorded(tmp_path)
    published = []
    for _ in range(24):
        for _ in range(60):
            line.lost(60, Cause.DEVICE)
        published.append(len(line.tables()["effort"]))
    line.store.close()
    assert published == list(range(1, 25))


def test_minutes_go_to_the_disk_ten_at_a_time(tmp_path: Path) -> None:
    line = recorded(tmp_path, None)
    written = set()
    for _ in range(40):
        line.heard(60)
        written.add(len(line.tables()["minutes"]))
    line.store.close()
    assert written == {0, 10, 20, 30}


def test_what_is_withheld_was_heard_and_is_accounted_for_apart(tmp_path: Path) -> None:
    line = recorded(tmp_path, None)
    line.heard(100)
    line.sink.withheld(50 * RATE, 70 * RATE)
    line.sink.withheld(60 * RATE, 75 * RATE)
    line.heard(500)
    line.ended()
    tables = line.tables()
    assert [row["withheld"] for row in tables["minutes"][:3]] == [10 * RATE, 15 * RATE, 0]
    (effort,) = tables["effort"]
    assert (effort["withheld_s"], effort["heard_s"]) == (25.0, 575.0)


def test_clipped_samples_are_counted_and_no_part_of_the_sum(tmp_path: Path) -> None:
    line = recorded(tmp_path, None)
    line._pass(Block(0, np.ones(30 * RATE, np.float32)))
    line.ended()
    tables = line.tables()
    assert adds_up(tables["minutes"]) == 30 * RATE
    assert (tables["effort"][0]["clipped_s"], tables["effort"][0]["heard_s"]) == (30.0, 30.0)


def test_a_stream_that_is_stopped_and_begun_again_is_accounted_for_to_the_sample(tmp_path: Path) -> None:
    lengths_s = (61.25, 0.5, 119.75, 600.0)
    for length_s in lengths_s:
        line = recorded(tmp_path, None)
        line.heard(length_s)
        line.ended()
    assert adds_up(line.tables()["minutes"]) == round(sum(lengths_s) * RATE)
    assert len(line.tables()["effort"]) == len(lengths_s)


def test_a_device_that_learns_the_time_an_hour_later_corrects_what_it_kept_and_published(tmp_path: Path) -> None:
    world = World()
    world.wrong_s = -1e9
    station = world.station()
    line = Line(tmp_path, LiveClock(RATE, Timeline(UPTIME_S), station))
    line.heard(1500)
    line.detected(1200)
    line.lost(3000, Cause.DEVICE)
    before = line.tables()
    assert before["detections"][0]["onset_utc"] is None
    assert before["effort"][0]["start_utc"] is None
    assert before["minutes"][0]["start_utc"] is None

    world.monotonic, world.wrong_s, world.kernel = UPTIME_S + 4500, 0.0, Kernel(synchronised=True, error_s=0.03)
    assert station.observe()
    assert station.reference is not None
    line.store.correct(station.boot, station.reference)
    line.heard(600)
    line.detected(5000)
    line.ended()
    tables = line.tables()
    noon = datetime.fromtimestamp(NOON, UTC)
    first, second = (datetime.fromisoformat(row["onset_utc"]) for row in tables["detections"])
    assert (first - noon, second - first) == (timedelta(seconds=1200), timedelta(seconds=3800))
    assert {row["clock_quality"] for row in tables["detections"]} == {"ntp"}
    # nobody disciplined the clock until then: the earlier, the less certain
    assert tables["detections"][0]["clock_error_s"] == pytest.approx(0.031 + 0.33)
    assert tables["effort"][0]["start_utc"] == "2028-02-29T12:00:00.000Z"
    starts = [datetime.fromisoformat(row["start_utc"]) for row in tables["minutes"]]
    assert [start - noon for start in starts] == [timedelta(seconds=row["start_s"]) for row in tables["minutes"]]
    corrections = [msgspec.json.decode(r["payload"]) for r in tables["outbox"] if r["topic"] == "corrections"]
    assert [(c["of"], c["id"]) for c in corrections] == [
        ("detections", "id-1200"),
        ("effort", tables["effort"][0]["id"]),
    ]
    sequences = [msgspec.json.decode(row["payload"])["sequence"] for row in tables["outbox"]]
    assert sequences == list(range(1, len(sequences) + 1))

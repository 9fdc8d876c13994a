"""What is sent when: against a broker that does what the test says, and a real store."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import kept, short_folder
from test_outbox import began, effort
from test_store import built, opened, sequences

from monitor.config.batch import Batching
from monitor.config.birdnet_go import BirdnetGo
from monitor.config.mqtt import Mqtt
from monitor.config.place import Place
from monitor.delivery.birdnet_go import repacking
from monitor.delivery.budget import Budget
from monitor.delivery.dispatch import LATE_S, MARK_S, PACKET_BYTES, SUSPICION, Dispatch
from monitor.delivery.link import IN_FLIGHT, NOBODY
from monitor.delivery.packing import packing
from monitor.delivery.publication import Connected, Publication
from monitor.delivery.replays import Replays
from monitor.sinks.archive import Archive
from monitor.sinks.database import FILE
from monitor.sinks.outbox import Outbox

HOUR_S = 3600.0


class Desk:
    """A dispatch between a store and a broker that answers as it is told; the clocks show `clock_s`."""

    def __init__(self, folder: Path, settings: Mqtt | None = None) -> None:
        chosen = settings or Mqtt()
        self.folder, self.clock_s = folder, 1_000_000.0
        self.store, self.outbox = opened(folder, 100_000), Outbox(folder / FILE)
        self.archive = Archive(folder / FILE, "valley")
        self.published: list[dict[str, Any]] = []
        self.travelling: dict[int, dict[str, Any]] = {}
        self.away = False
        clock = lambda: self.clock_s  # noqa: E731
        how, budget = packing(chosen, "dawnchorus/valley", clock), Budget(chosen, clock)
        self.dispatch = Dispatch(self.outbox, Replays(self.archive), self._publish, how, budget, clock, clock)

    def _publish(self, publication: Publication) -> int:
        if self.away:
            return NOBODY
        message: dict[str, Any] = msgspec.json.decode(publication.payload) | {
            "level": publication.topic.rpartition("/")[2]
        }
        self.published.append(message)
        self.travelling[len(self.published)] = message
        return len(self.published)

    def add(self, *numbers: int) -> None:
        """Detections for the outbox."""
        for number in numbers:
            self.store.add(built(number))
        self.dispatch.look()

    def work(self, seconds: float = 0.0) -> None:
        """What the publisher's thread does in one turn, after some time."""
        self.clock_s += seconds
        self.dispatch.settle()
        self.dispatch.send()

    def answer(self, *, refuse: tuple[str, ...] = (), sequences: tuple[int, ...] = ()) -> None:
        """Answer all that is on its way: refuse topics and messages, and acknowledge the others."""
        for token, message in sorted(self.travelling.items()):
            if message["level"] in refuse or message["sequence"] in sequences:
                self.dispatch.refused(token, "Not authorized")
            else:
                self.dispatch.acknowledged(token)
        self.travelling.clear()

    def answer_one(self, chance: random.Random, *, take: bool) -> set[int]:
        """Answer something that is on its way; the sequence number if it was taken."""
        if not self.travelling:
            return set()
        token = chance.choice(list(self.travelling))
        message = self.travelling.pop(token)
        if take:
            self.dispatch.acknowledged(token)
            return {message["sequence"]}
        self.dispatch.refused(token, "no")
        return set()

    def connect(self, most: int | None = None, largest: int | None = None) -> None:
        """The broker lets us in."""
        self.dispatch.connected(Connected("broker", largest, most))

    def lose(self) -> None:
        """The connection breaks, with all that is on its way."""
        self.travelling.clear()
        self.dispatch.lost()

    def sent(self) -> list[int]:
        """The sequence numbers of what was sent since this was last asked."""
        numbers = [message["sequence"] for message in self.published[self._seen :]]
        self._seen = len(self.published)
        return numbers

    _seen = 0

    def close(self) -> None:
        """Close the files."""
        self.archive.close()
        self.outbox.close()
        self.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With an empty store."""
    made = Desk(tmp_path)
    yield made
    made.close()


def test_a_backlog_takes_half_of_the_room_and_a_live_message_goes_at_once(desk: Desk) -> None:
    desk.add(*range(50))
    desk.connect(most=20)
    desk.work()
    assert desk.sent() == list(range(1, 11))
    desk.add(100)
    desk.work()
    assert desk.sent() == [51]
    desk.answer()
    desk.work()
    assert desk.sent() == list(range(11, 21))
    late = {message["sequence"]: message["backfilled"] for message in desk.published}
    assert late == {**dict.fromkeys(range(1, 21), True), 51: False}


def test_live_messages_may_take_all_the_room_and_late_ones_what_is_left(desk: Desk) -> None:
    desk.add(*range(30))
    desk.connect(most=20)
    desk.add(*range(100, 115))
    desk.dispatch.send()
    desk.sent()
    desk.answer()
    desk.add(*range(200, 215))
    desk.work()
    first = desk.published[-20:]
    assert [message["backfilled"] for message in first] == [False] * 15 + [True] * 5


@pytest.mark.parametrize(("named", "room"), [(1, 1), (7, 7), (None, IN_FLIGHT), (1000, IN_FLIGHT)])
def test_no_more_is_on_its_way_than_the_broker_wants(desk: Desk, named: int | None, room: int) -> None:
    desk.connect(most=named)
    desk.work()
    desk.add(*range(room + 10))
    for left in (room, 10):
        desk.work()
        assert len(desk.travelling) == min(room, left)
        desk.answer()


def test_what_could_not_be_sent_for_long_is_live_no_more(desk: Desk) -> None:
    desk.connect()
    desk.work()
    desk.away = True
    desk.add(*range(3))
    desk.work()
    desk.work(MARK_S)
    desk.add(7)
    desk.work(LATE_S)
    desk.away = False
    desk.work()
    assert {m["sequence"]: m["backfilled"] for m in desk.published} == {1: True, 2: True, 3: True, 4: False}


def test_answers_are_written_down_together_and_what_is_written_down_is_not_sent_again(desk: Desk) -> None:
    desk.add(*range(5))
    desk.connect()
    desk.work()
    desk.answer()
    desk.work(0.6)
    assert sequences(desk.folder) == [1, 2, 3, 4, 5]
    desk.work(0.6)
    assert sequences(desk.folder) == []
    assert desk.sent() == [1, 2, 3, 4, 5]
    assert desk.dispatch.idle


def test_a_connection_that_broke_sends_again_what_was_not_acknowledged_and_nothing_else(desk: Desk) -> None:
    desk.add(*range(6))
    desk.connect()
    desk.work()
    desk.sent()
    for token in (1, 2, 4):
        desk.dispatch.acknowledged(token)
    desk.lose()
    desk.connect()
    desk.work()
    assert desk.sent() == [3, 5, 6]


def test_a_message_that_is_refused_for_its_own_sake_holds_up_nothing(desk: Desk) -> None:
    desk.connect()
    desk.work()
    desk.add(*range(10))
    for _ in range(10):
        desk.work(1)
        desk.answer(sequences=(4,))
    assert sequences(desk.folder) == [4]
    tries = desk.sent().count(4)
    for _ in range(24 * 60):
        desk.work(60)
        desk.answer(sequences=(4,))
    assert desk.sent().count(4) + tries == 13, "30 s, doubled up to 6 h"
    desk.work(6 * HOUR_S)
    desk.answer()
    desk.work(1)
    desk.work(1)
    assert sequences(desk.folder) == []


def test_of_a_topic_that_is_refused_little_is_sent_and_the_others_flow(desk: Desk) -> None:
    desk.add(*range(300))
    desk.connect()
    for _ in range(24 * 30):
        desk.work(120)
        desk.answer(refuse=("detections",))
    refused = len(desk.sent())
    assert refused < IN_FLIGHT // 2 + 20, "what was on its way at first, and a try now and then"
    desk.store.add(effort)
    desk.dispatch.look()
    desk.work()
    assert desk.published[-1]["level"] == "effort"
    desk.answer(refuse=("detections",))
    for _ in range(20):
        desk.work(HOUR_S)
        desk.answer()
    assert sequences(desk.folder) == []


def test_a_broker_that_hangs_up_after_each_refusal_still_gets_everything_else(desk: Desk) -> None:
    desk.add(*range(5))
    desk.store.add(effort)
    desk.add(*range(10, 15))
    for _ in range(8):
        desk.connect()
        desk.work(1)
        token, first = next(iter(sorted(desk.travelling.items())), (0, None))
        if first is not None and first["level"] == "detections":
            desk.dispatch.refused(token, "Not authorized")
            desk.lose()
        else:
            desk.answer()
    desk.work(1)
    assert "effort" not in [row["topic"] for row in kept(desk.folder)["outbox"]]
    assert len(sequences(desk.folder)) == 10


def test_a_message_after_which_the_broker_always_hangs_up_without_a_word_is_set_aside(desk: Desk) -> None:
    desk.add(*range(40))
    for _ in range(60):
        desk.connect()
        desk.work(1)
        if any(message["sequence"] == 7 for message in desk.travelling.values()):
            desk.lose()
        else:
            desk.answer()
            desk.work(1.5)
    assert sequences(desk.folder) == [7]
    (aside,) = kept(desk.folder)["refused"]
    assert aside["reason"] == "each connection ended when it was sent"


def test_a_message_that_is_too_large_for_the_broker_is_never_sent(desk: Desk) -> None:
    desk.add(1)
    desk.store.add(effort)
    small, large = [len(row["payload"]) for row in kept(desk.folder)["outbox"]]
    desk.connect(largest=large)
    for _ in range(100):
        desk.work(HOUR_S)
        desk.answer()
    assert small < large - 50
    assert desk.sent() == [1]
    size = PACKET_BYTES + len("dawnchorus/valley/effort") + large - len("false") + len("true")
    assert desk.outbox.health().refused_reason == f"a packet of {size} bytes; the broker takes {large}"
    desk.connect(largest=None)
    desk.work(6 * HOUR_S)
    assert desk.sent() == [2]


def test_a_replay_sends_again_what_is_kept_and_says_what_is_not_even_over_a_broken_connection(desk: Desk) -> None:
    desk.add(*range(200))
    desk.store.send(began)
    desk.add(*range(300, 350))
    desk.connect()
    for _ in range(10):
        desk.work(1)
        desk.answer()
    assert sequences(desk.folder) == []
    desk.sent()
    desk.dispatch.replay(150, None)
    desk.work()
    desk.dispatch.acknowledged(min(desk.travelling))
    desk.lose()
    desk.connect()
    for _ in range(5):
        desk.work(1)
        desk.answer()
    assert set(desk.sent()) == {*range(150, 201), *range(202, 252), 252}
    again = desk.published[-100:]
    assert {message["backfilled"] for message in again if message["level"] == "detections"} == {True}
    said = next(message for message in again if message["level"] == "dropped")
    assert (said["first_sequence"], said["last_sequence"], said["count"], said["reason"]) == (150, 251, 1, "unkept")


def test_replays_come_one_after_the_other_and_one_of_what_never_was_says_nothing(desk: Desk) -> None:
    desk.add(*range(10))
    desk.connect()
    for _ in range(3):
        desk.work(1)
        desk.answer()
    desk.sent()
    desk.dispatch.replay(50, 60)
    desk.dispatch.replay(8, 3)
    desk.dispatch.replay(-5, 2)
    desk.dispatch.replay(9, 10)
    for _ in range(4):
        desk.work(1)
        desk.answer()
    assert desk.sent() == [1, 2, 9, 10]
    assert sequences(desk.folder) == []


def test_without_a_budget_for_it_a_message_waits_and_is_not_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Mqtt(budget_kb_per_hour=60))
    desk.connect()
    desk.work()
    desk.add(*range(200))
    desk.work()
    desk.answer()
    at_first = len(desk.sent())
    for _ in range(60):
        desk.work(60)
        desk.answer()
    desk.dispatch.settle(at_once=True)
    in_an_hour = len(desk.sent())
    assert 0 < at_first < 20
    assert 0 < at_first + in_an_hour < 100
    assert desk.outbox.count() == 200 - at_first - in_an_hour
    desk.close()


def test_batches_wait_for_company_and_nothing_is_left_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Mqtt(batch=Batching(rows=10, wait_s=60)))
    batches: list[bytes] = []
    desk.dispatch._publish = lambda publication: batches.append(publication.payload) or len(batches)  # type: ignore[func-returns-value]
    desk.add(*range(25))
    desk.connect()
    desk.work()
    desk.work(1)
    assert len(batches) == 2
    desk.work(60)
    assert len(batches) == 3
    for token in (1, 2, 3):
        desk.dispatch.acknowledged(token)
    desk.work(2)
    assert desk.dispatch.idle
    desk.close()


def test_a_message_that_cannot_be_packed_is_set_aside_and_holds_up_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    own = desk.dispatch._packing
    copies = repacking(BirdnetGo(), Place(), UTC)
    desk.dispatch._packing = replace(own, parcels=copies(own.parcels))
    desk.add(1, 2)
    desk.store._connection.execute("UPDATE outbox SET payload = X'7B7D' WHERE sequence = 1")
    desk.connect()
    for _ in range(3):
        desk.work(1)
        for token in range(1, len(desk.published) + 1):
            desk.dispatch.acknowledged(token)
    assert sequences(tmp_path) == [1]
    assert str(desk.outbox.health().refused_reason).startswith("it cannot be read: Object missing required field")
    desk.close()


STEPS = st.lists(st.sampled_from(["add", "add", "work", "acknowledge", "refuse", "lose", "replay"]), max_size=60)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(STEPS, st.integers(1, 4), st.integers(0, 99))
def test_whatever_the_broker_does_nothing_is_forgotten_that_it_has_not_taken(
    steps: list[str], most: int, seed: int
) -> None:
    chance, number, taken = random.Random(seed), 0, set[int]()  # noqa: S311
    with short_folder() as folder:
        desk = Desk(folder)
        desk.connect(most)
        for step in steps:
            match step:
                case "add":
                    desk.add(number)
                    number += 1
                case "work":
                    desk.work(chance.uniform(0, 60))
                case "lose":
                    desk.lose()
                    desk.connect(most)
                case "replay":
                    desk.dispatch.replay(chance.randint(0, 9), chance.choice([None, 3, 9]))
                case _:
                    taken |= desk.answer_one(chance, take=step == "acknowledge")
            assert len(desk.travelling) <= most
            assert set(range(1, number + 1)) <= taken | set(sequences(folder))
        for _ in range(SUSPICION + 30 + 2 * number):
            desk.work(6 * HOUR_S)
            while desk.travelling:
                taken |= desk.answer_one(chance, take=True)
        desk.work(2)
        assert sequences(folder) == []
        assert set(range(1, number + 1)) <= taken
        desk.close()

"""Nothing is lost whatever is killed, and whenever: the sender, the broker, the disk under both.

A broker that is killed may lose what it has acknowledged and not yet written down. That is not in our hands; but a
consumer sees it, by the sequence numbers, and asks for a replay.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from rigs import Broker, Subscriber, need_root, until
from test_mqtt import at, publishing
from test_store import built, disk, fill, opened, sequences

from monitor.delivery.publisher import Publisher
from monitor.sinks.store import Store

SENDER = Path(__file__).with_name("sender.py")


class Sender:
    """A process that adds detections to a store until there are `count`, and publishes them."""

    def __init__(self, store: Path, port: int, count: int) -> None:
        self._command = [sys.executable, str(SENDER), str(store), str(port), str(count)]
        self._log = store.with_name("sender.log")
        self.start()

    def start(self) -> None:
        """Go on where it stopped."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def finish(self, seconds: float) -> None:
        """Wait until it has sent everything."""
        assert self._process.wait(seconds) == 0, self._log.read_text(encoding="utf-8")


@contextmanager
def sending(store: Path, port: int, count: int) -> Iterator[Sender]:
    """A sender that does not outlive the test."""
    sender = Sender(store, port, count)
    try:
        yield sender
    finally:
        sender.kill()


def received(subscriber: Subscriber) -> dict[int, str]:
    """The ids by sequence number; fails where one number has several ids, or one id several numbers."""
    pairs = {(message.content["sequence"], message.content["id"]) for message in subscriber.records()}
    ids = dict(pairs)
    assert len(ids) == len(pairs) == len(set(ids.values()))
    return ids


def missing(subscriber: Subscriber, count: int) -> list[int]:
    """The sequence numbers that did not come."""
    return sorted(set(range(1, count + 1)) - received(subscriber).keys())


def test_broker_and_sender_are_killed_twenty_times_each_and_ten_thousand_detections_all_arrive(
    new_broker: Callable[..., Broker], new_subscriber: Callable[..., Subscriber], tmp_path: Path
) -> None:
    count, kills, chance = 10_000, 20, random.Random(1)  # noqa: S311
    broker, store = new_broker(), tmp_path / "store"
    subscriber = new_subscriber(broker.port)
    victims = ["broker", "sender"] * kills
    chance.shuffle(victims)
    with sending(store, broker.port, count) as sender:
        for victim in victims:
            time.sleep(chance.uniform(0.05, 0.5))
            if victim == "broker":
                broker.kill()
                broker.start()
            else:
                sender.kill()
                sender.start()
        assert sequences(store), "they were killed while there was something to send"
        broker.stop()
        broker.hurry()
        broker.start()
        sender.finish(40)
    # what the broker itself lost is a message or two; a sender that forgets too early would lose hundreds
    until(lambda: len(missing(subscriber, count)) <= kills, "nearly all detections")
    time.sleep(0.5)
    with publishing(store, at(broker.port)) as publisher:
        ask_again(publisher, missing(subscriber, count))
        until(lambda: not missing(subscriber, count), "all detections")


def ask_again(publisher: Publisher, lost: list[int]) -> None:
    """What a consumer does about holes."""
    for sequence in lost:
        publisher.replay(sequence, sequence)


def add(store: Store, numbers: Iterator[int], count: int, publisher: Publisher) -> None:
    """So many more detections."""
    for number in islice(numbers, count):
        store.add(built(number))
        publisher.wake()


def test_a_disk_that_fills_again_and_again_costs_no_message(
    broker: Broker, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    need_root()
    count, chance = 500, random.Random(3)  # noqa: S311
    with disk("size=6m") as folder:
        store = opened(folder / "store", 10_000)
        with publishing(folder / "store", at(broker.port)) as publisher:
            numbers = iter(range(count))
            for _ in range(4):
                fill(folder / "filler")
                add(store, numbers, chance.randrange(20, 40), publisher)
                (folder / "filler").unlink()
                assert store.flush()
                add(store, numbers, chance.randrange(20, 40), publisher)
            add(store, numbers, count, publisher)
            until(lambda: sequences(folder / "store") == [], "an empty outbox")
        store.close()
    assert "cannot be written" in caplog.text
    until(lambda: not missing(subscriber, count), "all detections")

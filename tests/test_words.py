"""What is said beside the outbox: it never stands in the way of what has to be delivered."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from rigs import STATION, Broker, Subscriber, until
from test_mqtt import OFFLINE, ONLINE
from test_store import built, opened, sequences

from monitor.config.mqtt import Mqtt
from monitor.delivery.publication import Publication
from monitor.delivery.publisher import Publisher, Station
from monitor.delivery.words import Words

BASE = f"dawnchorus/{STATION}"
STATUS = Publication(f"{BASE}/status", b"{}", qos=1, retain=True)
HEALTH = Publication(f"{BASE}/health", b"{}", qos=0, retain=True)
LIVE = Publication(f"{BASE}/live", b"{}", qos=0)


class Line:
    """Takes what is said."""

    def __init__(self) -> None:
        self.sent: list[Publication] = []
        self.now = 0.0
        self.words = Words(self.send, BASE, lambda: self.now)

    def send(self, publication: Publication) -> int:
        """Its number is its token."""
        self.sent.append(publication)
        return len(self.sent)

    def take(self) -> list[Publication]:
        """What has been sent since."""
        taken = self.sent[:]
        self.sent.clear()
        return taken


def test_without_a_connection_only_the_last_retained_word_is_kept() -> None:
    line = Line()
    for publication in (STATUS, LIVE, HEALTH, replace(HEALTH, payload=b"later")):
        line.words.say(publication)
    assert line.take() == []
    for _ in range(2):
        line.words.connected()
        assert line.take() == [STATUS, replace(HEALTH, payload=b"later", qos=1)]
        line.words.lost()


def test_the_first_word_of_a_kind_on_each_connection_asks_for_an_answer_and_the_others_do_not() -> None:
    line = Line()
    for _ in range(2):
        line.words.connected()
        line.words.say(LIVE)
        assert [publication.qos for publication in line.sent] == [1]
        line.words.acknowledged(1)
        line.words.say(LIVE)
        assert [publication.qos for publication in line.take()] == [1, 0]
        line.words.lost()


def test_a_refused_kind_is_left_alone_ever_longer_and_trusted_again_when_it_is_taken() -> None:
    line = Line()
    waits = []
    for _ in range(12):
        line.words.connected()
        began = line.now
        while not line.sent:
            line.now += 1.0
            line.words.say(LIVE)
        waits.append(line.now - began)
        line.words.refused(len(line.take()), "no")
        line.words.lost()
    assert waits[0] == 1.0
    assert [later / before for before, later in pairwise(waits[1:10])] == [2.0] * 8
    assert waits[-1] == 6 * 3600.0
    line.now += 6 * 3600
    line.words.connected()
    line.words.say(LIVE)
    line.words.acknowledged(1)
    line.words.lost()
    line.words.connected()
    line.take()
    line.words.say(LIVE)
    assert line.take() == [replace(LIVE, qos=1)]


def test_a_refusal_of_one_kind_leaves_the_others_alone() -> None:
    line = Line()
    line.words.connected()
    sensors = [Publication(f"homeassistant/sensor/{name}/config", b"{}", 1, retain=True) for name in "ab"]
    for publication in (sensors[0], HEALTH):
        line.words.say(publication)
    line.words.refused(1, "no")
    line.take()
    for publication in (sensors[1], HEALTH, STATUS):
        line.words.say(publication)
    assert [publication.topic for publication in line.take()] == [HEALTH.topic, STATUS.topic]


@pytest.mark.parametrize("denied", ["health", "live", "status"])
def test_a_broker_that_hangs_up_after_a_word_that_it_refuses_gets_all_that_has_to_be_delivered(
    new_broker: Callable[..., Broker],
    new_subscriber: Callable[..., Subscriber],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    denied: str,
) -> None:
    caplog.set_level(logging.INFO)
    rules = tmp_path / "acl"
    levels = {"status", "detections", "health", "live"} - {denied}
    allowed = "".join(f"topic write {BASE}/{level}\n" for level in sorted(levels))
    rules.write_text(f"topic read #\n{allowed}", encoding="utf-8")
    broker = new_broker(f"acl_file {rules}")
    subscriber = new_subscriber(broker.port)
    store = opened(tmp_path / "store")
    publisher = Publisher(Mqtt(host="127.0.0.1", port=broker.port), Station(ONLINE, OFFLINE), store.path)
    publisher.say(HEALTH)
    publisher.start()
    try:
        until(lambda: "connected to" in caplog.text, "a connection")
        for number in range(30):
            store.add(built(number))
            publisher.wake()
            publisher.say(LIVE)
        until(lambda: sequences(tmp_path / "store") == [], f"an empty outbox: {caplog.text}")
        until(lambda: f"broker refuses {denied}: Not authorized" in caplog.text, "a word on it")
        publisher.say(HEALTH)
        until(lambda: len({m.payload for m in subscriber.received() if m.level == "detections"}) == 30, "all of them")
    finally:
        publisher.close(2.0)
        store.close()
    assert caplog.text.count("broker refuses") == 1
    assert caplog.text.count("no connection to a broker") <= 2

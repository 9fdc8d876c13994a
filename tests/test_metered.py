"""A station on a link that is paid for: what it saves, and that nothing is lost by it."""

import time
from pathlib import Path
from typing import Any

from field import Listener, Wanderer
from rigs import Broker, Subscriber, kept, until

from monitor.delivery.batches import unpack

HOST = "127.0.0.1"


def station(folder: Path, port: int, **settings: Any) -> Wanderer:  # noqa: ANN401
    """One with further settings of its mqtt section."""
    return Wanderer(folder / "station", "metered", {"host": HOST, "port": port, **settings})


def test_all_that_is_sent_in_batches_arrives_in_order_also_what_is_left_at_the_stop(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    listener = Listener(subscriber)
    with station(tmp_path, broker.port, batch={"rows": 7, "wait_s": 30}) as one:
        until(lambda: len(listener.payloads(one, "batches")) >= 3, f"three batches: {one.said()}")
        listener.check(one)
    batches = [unpack(batch) for batch in listener.payloads(one, "batches")]
    assert listener.payloads(one, "detections") == []
    assert {len(batch) for batch in batches[:-1]} == {7}
    numbers = [message["sequence"] for message in listener.detections(one)]
    assert numbers == sorted(numbers)


def test_over_its_budget_a_station_keeps_what_can_wait_says_what_cannot_and_idles(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    listener = Listener(subscriber)
    with station(tmp_path, broker.port, keepalive_s=3600, budget_kb_per_hour=100) as one:
        until(lambda: listener.ids(one), f"the first: {one.said()}")
        time.sleep(2.0)
        heard = len(listener.ids(one))
        began, worked, _ = one.used
        time.sleep(1.5)
        ended, had_worked, _ = one.used
        assert len(listener.ids(one)) <= heard + 1
        assert (had_worked - worked) / (ended - began) < 0.15
        made = one.stop()
    until(lambda: subscriber.states() == ["online", "offline"], "both states")
    left = kept(one.store)["outbox"]
    assert {row["sequence"] for row in left} == set(range(made - len(left) + 1, made + 1))
    assert {m["sequence"] for m in listener.detections(one)} == set(range(1, made - len(left) + 1))
    assert 5 < made - len(left) < 25

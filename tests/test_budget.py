"""The budget of a metered link: no hour costs more, and nothing waits for ever."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.broker import Broker
from monitor.config.mqtt import Mqtt
from monitor.config.reading import parse
from monitor.delivery.budget import CALL_BYTES, TLS_CALL_BYTES, Budget
from monitor.delivery.publication import Publication
from monitor.errors import ConfigError

modest = settings(derandomize=True, deadline=None, max_examples=100)

HOUR_S = 3600.0


class _Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def message(size: int, qos: int = 1) -> Publication:
    """A message of so many bytes."""
    return Publication("dawnchorus/valley/detections", bytes(size), qos)


@modest
@given(
    kb=st.floats(40, 1000),
    steps=st.lists(st.tuples(st.floats(0, 900), st.integers(0, 30), st.integers(50, 3000)), min_size=1, max_size=60),
)
def test_no_hour_costs_more_than_the_budget_and_one_message(kb: float, steps: list[tuple[float, int, int]]) -> None:
    clock = _Clock()
    budget = Budget(Mqtt(budget_kb_per_hour=kb, keepalive_s=60), clock)
    sent: list[tuple[float, int]] = []
    for pause_s, count, size in steps:
        clock.now += pause_s
        sent += [(clock.now, budget.cost(message(size))) for _ in range(count) if budget.allows([message(size)])]
    largest = max((cost for _, cost in sent), default=0)
    pings = HOUR_S / 60 * 160
    for begin, _ in sent:
        hour = sum(cost for at, cost in sent if begin <= at < begin + HOUR_S)
        assert hour + pings <= 1000 * kb + largest + 1


def test_what_may_be_sent_is_sent() -> None:
    clock = _Clock()
    budget = Budget(Mqtt(budget_kb_per_hour=100, keepalive_s=600), clock)
    sent = 0
    for _ in range(10 * 3600):
        sent += budget.cost(message(400)) if budget.allows([message(400)]) else 0
        clock.now += 1.0
    assert sent > 0.85 * 10 * 100_000


def test_a_message_larger_than_all_that_can_be_saved_goes_once_it_is_full_and_is_paid_for_afterwards() -> None:
    clock = _Clock()
    budget = Budget(Mqtt(budget_kb_per_hour=50, keepalive_s=600), clock)
    large, small = message(20_000), message(10)
    assert budget.allows([large])
    waited = 0
    while not budget.allows([small]):
        clock.now += 10.0
        waited += 10
    assert 0.3 * HOUR_S < waited < 0.5 * HOUR_S
    assert not budget.allows([large])
    clock.now += HOUR_S
    assert budget.allows([large])


@pytest.mark.parametrize("tls", [False, True])
def test_what_goes_in_any_case_is_paid_for_by_what_can_wait(tls: bool) -> None:  # noqa: FBT001
    clock = _Clock()
    settings = Mqtt(brokers=[Broker(host="a"), Broker(host="b", tls=tls)], budget_kb_per_hour=100, keepalive_s=600)
    budget, other = Budget(settings, clock), Budget(settings, clock)
    budget.spend(message(300, qos=0))
    budget.connected()

    def together(one: Budget) -> int:
        sent = 0
        while one.allows([message(1)]):
            sent += one.cost(message(1))
        return sent

    spent = budget.cost(message(300, qos=0)) + (TLS_CALL_BYTES if tls else CALL_BYTES)
    assert together(other) - together(budget) == pytest.approx(spent, abs=budget.cost(message(1)))


def test_without_a_budget_everything_goes() -> None:
    budget = Budget(Mqtt())
    budget.connected()
    budget.spend(message(10_000))
    assert all(budget.allows([message(10_000)] * 10) for _ in range(1000))


@pytest.mark.parametrize("text", ["budget_kb_per_hour: 20", "{budget_kb_per_hour: 100, keepalive_s: 5}"])
def test_a_budget_that_the_silence_alone_takes_up_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"leaves nothing: a ping every \d+ s takes .* a longer keepalive_s expected"):
        parse(f"mqtt: {text}" if text.startswith("{") else f"mqtt: {{{text}}}")

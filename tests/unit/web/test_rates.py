"""How much a bearer may ask for, by a clock of the test's."""

import pytest

from consentline.web.rates import RateLimitedError, Rates


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_served_and_what_follows_waits_until_the_bucket_fills() -> None:
    clock = Clock()
    rates = Rates(per_second=10, burst=100, clock=clock)

    rates.admit("a", 60)
    rates.admit("a", 70)
    with pytest.raises(RateLimitedError) as raised:
        rates.admit("a", 1)
    clock.now = 3.1
    rates.admit("a", 1)

    assert (raised.value.code, raised.value.retry_after) == ("RATE_LIMITED", 3)
    assert raised.value.message == "this token has asked for too much; try again in 3 s"


def test_a_bucket_holds_no_more_than_a_burst() -> None:
    clock = Clock()
    rates = Rates(per_second=10, burst=20, clock=clock)
    rates.admit("a", 1)
    clock.now = 1000

    rates.admit("a", 20)

    with pytest.raises(RateLimitedError):
        rates.admit("a", 1)


def test_what_costs_nothing_is_counted_as_one() -> None:
    rates = Rates(per_second=1, burst=2, clock=Clock())
    rates.admit("a", 0)
    rates.admit("a", 0)

    with pytest.raises(RateLimitedError):
        rates.admit("a", 0)


def test_a_refusal_takes_nothing_and_each_bearer_has_a_bucket() -> None:
    clock = Clock()
    rates = Rates(per_second=1, burst=1, clock=clock)
    rates.admit("a", 1)
    for _ in range(5):
        with pytest.raises(RateLimitedError):
            rates.admit("a", 1)
    rates.admit("b", 1)
    clock.now = 1

    rates.admit("a", 1)


def test_without_a_rate_nothing_is_bounded() -> None:
    rates = Rates(per_second=None, burst=1, clock=Clock())

    for _ in range(100):
        rates.admit("a", 1000)


def test_bearers_beyond_the_most_that_are_remembered_are_forgotten_oldest_first() -> None:
    rates = Rates(per_second=1, burst=1, clock=Clock())
    for number in range(10_001):
        rates.admit(str(number), 1)

    rates.admit("0", 1)
    with pytest.raises(RateLimitedError):
        rates.admit("10000", 1)

from dataclasses import dataclass
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import DAY
from consentline.domain.reports import (
    MOST_DAYS,
    DecisionTimes,
    Period,
    decision_times,
    nearest_rank,
    policies_in_force,
)
from tests.unit.domain.factories import AI, NOW, policy


@dataclass(frozen=True)
class Rank:
    name: str
    values: dict[int, int]
    percent: int
    expected: int


RANKS = (
    Rank("the only value", {7: 1}, 50, 7),
    Rank("the only value, at the end", {7: 1}, 95, 7),
    Rank("of two the first is the median", {1: 1, 9: 1}, 50, 1),
    Rank("of two the second is the 95th percentile", {1: 1, 9: 1}, 95, 9),
    Rank("of three the middle one", {1: 1, 5: 1, 9: 1}, 50, 5),
    Rank("of twenty the 19th", dict.fromkeys(range(1, 21), 1), 95, 19),
    Rank("of twenty-one the 20th", dict.fromkeys(range(1, 22), 1), 95, 20),
    Rank("of a hundred the 95th, without any error of rounding", dict.fromkeys(range(1, 101), 1), 95, 95),
    Rank("of a hundred the 29th", dict.fromkeys(range(1, 101), 1), 29, 29),
    Rank("many of the same value", {1: 94, 2: 5, 100: 1}, 95, 2),
    Rank("the last of the many", {1: 95, 2: 5}, 95, 1),
    Rank("all of them", {1: 1, 2: 1}, 100, 2),
    Rank("the smallest percent", {1: 1, 2: 1}, 1, 1),
)


@pytest.mark.parametrize("case", RANKS, ids=lambda case: case.name)
def test_a_percentile_is_the_value_at_the_nearest_rank(case: Rank) -> None:
    assert nearest_rank(sorted(case.values.items()), case.percent) == case.expected


@given(values=st.lists(st.integers(0, 400), min_size=1, max_size=200), percent=st.integers(1, 100))
def test_a_percentile_is_what_a_sorted_list_has_at_the_rank(values: list[int], percent: int) -> None:
    histogram = [(value, values.count(value)) for value in sorted(set(values))]

    found = nearest_rank(histogram, percent)

    assert found == sorted(values)[ceil(percent * len(values) / 100) - 1]
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([(1, 1)], 0), ([(1, 1)], 101)])
def test_there_is_no_percentile_of_nothing_or_beyond_a_hundred(values: list[tuple[int, int]], percent: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 100 of at least one value"):
        nearest_rank(values, percent)


def test_times_to_decision_are_days_with_one_decimal() -> None:
    assert decision_times([(0, 1), (105, 18), (300, 1), (301, 1)]) == DecisionTimes(21, 10.5, 30.0)
    assert decision_times([]) is None


@pytest.mark.parametrize("end", [NOW, NOW - 1])
def test_a_period_that_does_not_end_after_it_begins_is_refused(end: int) -> None:
    with pytest.raises(InvalidInputError) as raised:
        Period(NOW, end)

    assert (raised.value.code, raised.value.path) == ("REPORT_PERIOD", ("to",))
    assert "ends after it begins" in raised.value.message


def test_a_period_has_ten_years_at_most() -> None:
    assert Period(NOW, NOW + MOST_DAYS * DAY).holds(NOW)
    with pytest.raises(InvalidInputError) as raised:
        Period(NOW, NOW + MOST_DAYS * DAY + 1)

    assert (raised.value.code, raised.value.path) == ("REPORT_PERIOD", ("to",))
    assert "at most 3660 days" in raised.value.message


def test_a_period_holds_its_beginning_and_not_its_end() -> None:
    period = Period(NOW, NOW + DAY)

    assert [period.holds(each) for each in (NOW - 1, NOW, NOW + DAY - 1, NOW + DAY, None)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_the_policies_in_force_are_those_that_govern_their_own_place() -> None:
    gb, older = policy("gb"), policy("older", effective_from=0)
    ended, scots = policy("ended", effective_until=NOW), policy("scots", jurisdiction="GB-SCT")
    later, ads = policy("later", effective_from=NOW + 1), policy("ads", purpose="ADS")

    found = policies_in_force([scots, later, gb, older, ended, ads], NOW)

    assert [each.key for each in found] == ["ads", "gb", "scots"]
    assert {each.purpose for each in found} == {AI, "ADS"}

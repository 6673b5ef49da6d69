from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.instants import ALWAYS, DAY, EVER, from_datetime, to_datetime, utc_day


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_leads_back_to_its_moment(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == moment


@given(
    instant=st.integers(
        from_datetime(datetime.min.replace(tzinfo=UTC)), from_datetime(datetime.max.replace(tzinfo=UTC))
    )
)
def test_a_moment_leads_back_to_its_instant(instant: int) -> None:
    assert from_datetime(to_datetime(instant)) == instant


@given(one=st.datetimes(timezones=st.just(UTC)), other=st.datetimes(timezones=st.just(UTC)))
def test_instants_are_ordered_as_their_moments(one: datetime, other: datetime) -> None:
    assert (from_datetime(one) < from_datetime(other)) == (one < other)


@dataclass(frozen=True)
class Known:
    text: str
    instant: int


@pytest.mark.parametrize(
    "case",
    [
        Known("1970-01-01T00:00:00+00:00", 0),
        Known("1970-01-01T01:00:00+01:00", 0),
        Known("1970-01-01T00:00:00.000001+00:00", 1),
        Known("1969-12-31T23:59:59.999999+00:00", -1),
        Known("1970-01-02T00:00:00+00:00", DAY),
        Known("2024-02-29T12:00:00+00:00", 1_709_208_000_000_000),
    ],
    ids=lambda case: case.text,
)
def test_instants_count_microseconds_from_1970_in_utc(case: Known) -> None:
    assert from_datetime(datetime.fromisoformat(case.text)) == case.instant


def test_the_day_of_an_instant_is_the_day_in_utc() -> None:
    midnight = from_datetime(datetime(2024, 3, 1, tzinfo=UTC))
    in_tokyo = from_datetime(datetime(2024, 3, 1, 8, tzinfo=timezone(timedelta(hours=9))))

    assert utc_day(midnight) == date(2024, 3, 1)
    assert utc_day(midnight - 1) == date(2024, 2, 29)
    assert utc_day(in_tokyo) == date(2024, 2, 29)


def test_always_and_ever_lie_beyond_every_moment() -> None:
    assert from_datetime(datetime.min.replace(tzinfo=UTC)) > ALWAYS
    assert from_datetime(datetime.max.replace(tzinfo=UTC)) < EVER

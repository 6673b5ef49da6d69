from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import ALWAYS, DAY, EVER, from_datetime, parse_instant, to_datetime, utc_day


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


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-01T00:00:00Z", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-01-01T01:30:00.000001+01:30", datetime(2025, 1, 1, microsecond=1, tzinfo=UTC)),
        ("0001-01-02T00:00:00Z", datetime(1, 1, 2, tzinfo=UTC)),
        ("9999-12-30T00:00:00Z", datetime(9999, 12, 30, tzinfo=UTC)),
    ],
)
def test_a_time_with_an_offset_is_an_instant(text: str, moment: datetime) -> None:
    assert parse_instant(text, "at") == from_datetime(moment)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("yesterday", "INVALID_TIME", "at is not a time such as 2025-01-01T00:00:00Z"),
        ("", "INVALID_TIME", "at is not a time such as 2025-01-01T00:00:00Z"),
        ("2025-01-01", "TIME_WITHOUT_OFFSET", "at has no offset: write Z or +01:00 after the time"),
        ("2025-01-01T00:00:00", "TIME_WITHOUT_OFFSET", "at has no offset: write Z or +01:00 after the time"),
        ("0001-01-01T00:00:00+14:00", "INVALID_TIME", "at lies outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-14:00", "INVALID_TIME", "at lies outside the years 1 to 9999"),
    ],
)
def test_what_is_no_instant_is_refused(text: str, code: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_instant(text, "at")

    assert (raised.value.code, raised.value.message, raised.value.path) == (code, message, ("at",))

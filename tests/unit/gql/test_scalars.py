from datetime import UTC, datetime

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.instants import from_datetime
from consentline.gql.scalars import format_instant, parse_instant

MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=st.just(UTC))  # noqa: DTZ001


@given(moment=MOMENTS)
def test_an_instant_reads_back_as_it_was_written(moment: datetime) -> None:
    assert parse_instant(format_instant(from_datetime(moment))) == from_datetime(moment)


@pytest.mark.parametrize(
    "text", ["2026-11-22T18:30:00Z", "2026-11-22T18:30:00+00:00", "2026-11-22T19:30:00+01:00", "2026-11-22 18:30Z"]
)
def test_the_offset_counts(text: str) -> None:
    assert format_instant(parse_instant(text)) == "2026-11-22T18:30:00Z"


def test_microseconds_are_kept() -> None:
    assert format_instant(parse_instant("2026-11-22T18:30:00.000001Z")) == "2026-11-22T18:30:00.000001Z"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-11-22T18:30:00", "DateTime has no offset"),
        ("2026-11-22", "DateTime has no offset"),
        ("a key", "DateTime is not ISO 8601"),
        ("", "DateTime is not ISO 8601"),
        ("2026-13-01T00:00:00Z", "DateTime is not ISO 8601"),
        (5, "DateTime is a string, ISO 8601 with an offset"),
        (True, "DateTime is a string, ISO 8601 with an offset"),
        ("0001-01-01T00:00:00+14:00", "DateTime lies outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-12:00", "DateTime lies outside the years 1 to 9999"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(value: object, message: str) -> None:
    with pytest.raises(GraphQLError) as raised:
        parse_instant(value)

    assert raised.value.message == message

"""The scalars of the API: instants that always carry an offset."""

from datetime import datetime, timedelta
from typing import Any, NewType

import strawberry
from graphql import GraphQLError

from consentline.domain.instants import Instant, from_datetime

DateTime = NewType("DateTime", int)
"""An `Instant` at the border: resolvers take and give whole microseconds, clients see ISO 8601."""

# A day short of what `datetime` can hold, so that every offset can be applied.
_EARLIEST = from_datetime(datetime.fromisoformat("0001-01-02T00:00:00+00:00"))
_LATEST = from_datetime(datetime.fromisoformat("9999-12-30T00:00:00+00:00"))
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the Z is put after it


def format_instant(instant: Instant) -> str:
    """ISO 8601 in UTC, with a fraction only where there is one."""
    return f"{(_EPOCH + timedelta(0, 0, instant)).isoformat()}Z"


def parse_instant(value: Any) -> DateTime:
    """The instant of an ISO 8601 time with an offset.

    Raises:
        GraphQLError: it is no such time; the message does not repeat it.
    """
    if not isinstance(value, str):
        raise GraphQLError("DateTime is a string, ISO 8601 with an offset")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError("DateTime is not ISO 8601") from None
    if moment.tzinfo is None:
        raise GraphQLError("DateTime has no offset")
    instant = from_datetime(moment)
    if not _EARLIEST <= instant <= _LATEST:
        raise GraphQLError("DateTime lies outside the years 1 to 9999")
    return DateTime(instant)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant: ISO 8601 with an offset. A value without an offset is refused; answers are in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=format_instant,
    parse_value=parse_instant,
)


def instant(value: Instant) -> DateTime:
    """A domain instant as the scalar."""
    return DateTime(value)


def instant_or_none(value: Instant | None) -> DateTime | None:
    """A domain instant as the scalar, if there is one."""
    return None if value is None else DateTime(value)
